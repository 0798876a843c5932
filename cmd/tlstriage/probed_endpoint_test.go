package main

import (
	"strings"
	"testing"
)

func TestServerNamesOfFlags(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "www.example.com": "www.example.com", "Www.Example.com": "Www.Example.com", "under_score.example": "under_score.example", "www.example.com.": "www.example.com.",
		"bücher.example": "xn--bcher-kva.example", "192.0.2.1": "192.0.2.1",
		"a b": "-", "*.example": "-", "a..b": "-", ".example": "-", "::1": "-", "fe80::1%eth0": "-", "a\x00b": "-", "a/b": "-", "\xff": "-", strings.Repeat("a.", 128): "-",
	} {
		got, err := serverNameFlag("--sni", text)
		if (err != nil) != (want == "-") || err == nil && got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestEndpointsOfFlags(t *testing.T) {
	for text, want := range map[string]string{
		"www.example.com:443": "www.example.com:443", "192.0.2.1:1": "192.0.2.1:1", "[::1]:65535": "[::1]:65535", "[fe80::1%eth0]:443": "[fe80::1%eth0]:443",
		"bücher.example:443": "xn--bcher-kva.example:443", "www.example.com:https": "www.example.com:443",
		"": "", "www.example.com": "", ":443": "", "www.example.com:": "", "www.example.com:0": "", "www.example.com:65536": "", "::1:443": "", "a b:443": "", "user@www.example.com:443": "",
	} {
		got, err := probedEndpoint("--to", text)
		if (err != nil) != (want == "") || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
