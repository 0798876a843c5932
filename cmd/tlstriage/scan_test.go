package main

import "testing"

func TestTargetsOfScan(t *testing.T) {
	for _, c := range []struct{ starttls, text, want string }{
		{"", "www.example.com", "www.example.com:443"},
		{"", "www.example.com:8443", "www.example.com:8443"},
		{"", "https://www.example.com/path?q", "www.example.com:443"},
		{"", "192.0.2.1", "192.0.2.1:443"},
		{"", "2001:db8::1", "[2001:db8::1]:443"},
		{"", "[2001:db8::1]", "[2001:db8::1]:443"},
		{"", "[2001:db8::1]:993", "[2001:db8::1]:993"},
		{"", "fe80::1%eth0", "[fe80::1%eth0]:443"},
		{"", "[fe80::1%eth0]", "[fe80::1%eth0]:443"},
		{"", "[fe80::1%eth0]:993", "[fe80::1%eth0]:993"},
		{"", "::1:19001", ""},
		{"", "user@www.example.com", ""},
		{"smtp", "mail.example.com", "mail.example.com:25"},
		{"postgres", "db.example.com", "db.example.com:5432"},
		{"", "www.example.com:0", ""},
		{"", "www.example.com:https", ""},
		{"", ":443", ""},
		{"", "a b:443", ""},
	} {
		got, err := (&scanCommand{starttls: c.starttls}).withPort(c.text)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestNamesThatScanAsksFor(t *testing.T) {
	for _, c := range []struct {
		command    *scanCommand
		host, want string
	}{
		{&scanCommand{}, "www.example.com", "www.example.com"},
		{&scanCommand{}, "www.example.com.", "www.example.com"},
		{&scanCommand{}, "bücher.example", "xn--bcher-kva.example"},
		{&scanCommand{}, "192.0.2.1", ""},
		{&scanCommand{}, "2001:db8::1", ""},
		{&scanCommand{}, "fe80::1%eth0", ""},
		{&scanCommand{sni: "app.internal"}, "192.0.2.1", "app.internal"},
		{&scanCommand{noSNI: true}, "www.example.com", ""},
	} {
		if got := c.command.nameFor(c.host); got != c.want {
			t.Errorf("%s: %q, want %q", c.host, got, c.want)
		}
	}
}
