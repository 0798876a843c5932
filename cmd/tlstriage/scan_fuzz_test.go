package main

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/scan"
)

// FuzzScanTarget reads targets: what is taken can be dialled, and is taken again as it stands.
func FuzzScanTarget(f *testing.F) {
	for _, seed := range []string{"www.example.com", "https://www.example.com/x", "[2001:db8::1]:993", "2001:db8::1", "a b:1", ":443", "x:0", "x:99999", "[::1", "[fe80::1%lo]:1", "fe80::1%lo", "fe80::1%a:5", "https://"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &scanCommand{}
		target, err := c.withPort(text)
		if err != nil {
			return
		}
		host, port, err := net.SplitHostPort(target)
		if err != nil || host == "" || port == "" || strings.ContainsAny(host, " ,/") {
			t.Errorf("%q became %q: %v", text, target, err)
		}
		if again, err := c.withPort(target); err != nil || again != target {
			t.Errorf("%q became %q, and that %q: %v", text, target, again, err)
		}
	})
}

// FuzzScanBaseline reads baselines, and compares with what they hold.
func FuzzScanBaseline(f *testing.F) {
	f.Add([]byte(`{"target":"x:443","address":"192.0.2.1:443","layers":[],"versions":["TLSv1.3"],"ciphers":{"TLSv1.3":["TLS_AES_128_GCM_SHA256"]}}` + "\n"))
	f.Add([]byte("\n\n{}"))
	f.Add([]byte(`{"target":"x:443"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		reports, err := parseBaseline("baseline", bytes.NewReader(data))
		if err == nil && len(reports) == 0 {
			t.Error("nothing was read, and that is no error")
		}
		for target, r := range reports {
			if target == "" || r == nil {
				t.Errorf("%q: %v", target, r)
				continue
			}
			a := &scanAgainst{before: reports, baseline: "baseline"}
			a.changed(&scanned{Target: target, Report: scan.NewReport("192.0.2.1:443")})
		}
	})
}
