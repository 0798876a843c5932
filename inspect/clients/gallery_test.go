package clients_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestEverySampleIsAHelloOfAKnownSource(t *testing.T) {
	samples := clients.Gallery()
	if len(samples) < 181 {
		t.Fatalf("%d samples", len(samples))
	}
	names := make([]string, 0, len(samples))
	for _, s := range samples {
		h, err := s.Hello()
		if err != nil {
			t.Fatal(err)
		}
		if string(h.ServerName) != s.ServerName {
			t.Errorf("%s: server name %q, the hello has %q", s.Name, s.ServerName, h.ServerName)
		}
		if h.SSLv2 != (s.RecordVersion() == 0) {
			t.Errorf("%s: SSLv2 format %v, and record version %v", s.Name, h.SSLv2, s.RecordVersion())
		}
		if s.Source.Licence != "Apache-2.0" || s.Source.Attribution == "" || len(s.Date) != len("2026-11-20") || s.Client == "" {
			t.Errorf("%s: source %+v, date %q, client %q", s.Name, s.Source, s.Date, s.Client)
		}
		if _, ok := wire.VersionByName(s.MaxVersion); !ok {
			t.Errorf("%s: version %q", s.Name, s.MaxVersion)
		}
		names = append(names, s.Name)
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("names are not sorted, or not unique")
	}
}

func TestSelectFindsNamesGroupsAndReleases(t *testing.T) {
	for _, test := range []struct {
		list  string
		has   []string
		lacks []string
	}{
		{"all", []string{"bearssl-0.4", "chromium-156.0.8078.79-default"}, nil},
		{"legacy", []string{"openssl-0.9.8zf", "openssl-1.0.0n", "java-17.0.15-sslv2hello", "mbedtls-1.0.0", "java6"}, []string{"go-1.26.8-default", "openssl-1.1.0", "chromium-156.0.8078.79-tls12"}},
		{"browsers", []string{"chromium-156.0.8078.79-default"}, []string{"curl-7.88.1-default"}},
		{"load-balancers", []string{"nginx-1.22.1-proxy_pass", "nginx-1.22.1-proxy_pass-sni", "caddy-2.6.2-sni", "stunnel-5.68-default", "go-1.26.8-reverseproxy"}, []string{"go-1.26.8-default"}},
		{"openssl-0.9.8", []string{"openssl-0.9.7", "openssl-0.9.8m", "openssl-0.9.8zf"}, []string{"openssl-0.9.7m", "openssl-1.0.0n"}},
		{"openssl-1.0.1e", []string{"openssl-1.0.1a"}, []string{"openssl-1.0.1f", "openssl-1.0.1-beta1"}},
		{"haproxy-sni", []string{"haproxy-2.6.12-1+deb12u4-sni"}, []string{"haproxy-2.6.12-1+deb12u4-sni-alpn"}},
		{"Curl-7.88.1-default , bearssl", []string{"curl-7.88.1-default", "bearssl-0.4"}, []string{"curl-7.88.1-tls12"}},
		{"mbedtls-1.3.1", []string{"mbedtls-1.3.1"}, []string{"mbedtls-1.3.10"}},
		{"java6", []string{"java6"}, []string{"java-17.0.15-sslv2hello"}},
	} {
		samples, err := clients.Select(test.list)
		if err != nil {
			t.Errorf("%s: %v", test.list, err)
			continue
		}
		names := make(map[string]bool)
		for _, s := range samples {
			if names[s.Name] {
				t.Errorf("%s: %s twice", test.list, s.Name)
			}
			names[s.Name] = true
		}
		for _, n := range test.has {
			if !names[n] {
				t.Errorf("%s lacks %s", test.list, n)
			}
		}
		for _, n := range test.lacks {
			if names[n] {
				t.Errorf("%s has %s", test.list, n)
			}
		}
	}
	all, err := clients.Select("legacy,all,chromium")
	if err != nil || len(all) != len(clients.Gallery()) {
		t.Errorf("a list with all in it: %d of %d, %v", len(all), len(clients.Gallery()), err)
	}
}

func TestMissesNameTheNearest(t *testing.T) {
	for name, want := range map[string]string{
		"crul-7.88.1-default": "curl-7.88.1-default", "legcy": "legacy", "loadbalancers": "load-balancers", "haproxi-sni": "haproxy-sni", "proxy_pass": "nginx-proxy_pass",
	} {
		_, err := clients.Select(name)
		var unknown *clients.UnknownError
		if !errors.As(err, &unknown) || !slices.Contains(unknown.Nearest, want) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s among the nearest", name, err, want)
		}
	}
	for _, name := range []string{"", ",", "zzzzzzzzzzzzzzzzzzzzz", strings.Repeat("a", 10000)} {
		_, err := clients.Select(name)
		var unknown *clients.UnknownError
		if !errors.As(err, &unknown) || len(unknown.Nearest) > 5 {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

func TestOneIsWhatTheProgramSendsAsItComes(t *testing.T) {
	for name, want := range map[string]string{
		"nginx": "nginx-1.22.1-proxy_pass", "nginx-proxy_pass-sni": "nginx-1.22.1-proxy_pass-sni", "haproxy": "haproxy-2.6.12-1+deb12u4-default", "caddy": "caddy-2.6.2-default",
		"stunnel": "stunnel-5.68-default", "curl": "curl-7.88.1-default", "go": "go-1.26.8-default", "openssl-1.0.1e": "openssl-1.0.1a", "node": "node-20.20.2-tls",
		"python": "python-3.11.7-default", "openssl": "openssl-3.0.22-s_client-default", "gnutls": "gnutls-3.7.9-cli-default", "java6": "java6", "chromium": "chromium-156.0.8078.79-default",
	} {
		s, err := clients.One(name)
		if err != nil || s.Name != want {
			t.Errorf("%s: %s, %v, want %s", name, s.Name, err, want)
		}
	}
	var several *clients.AmbiguousError
	if _, err := clients.One("mbedtls"); !errors.As(err, &several) || len(several.Samples) < 10 {
		t.Errorf("mbedtls: %v", err)
	}
	var unknown *clients.UnknownError
	if _, err := clients.One("ngnix"); !errors.As(err, &unknown) || len(unknown.Nearest) == 0 || unknown.Nearest[0] != "nginx" {
		t.Errorf("ngnix: %v", err)
	}
}

// Clients that many ask for and that are not there are told with the reason and with those that are next to them, which are.
func TestClientsThatLackAreExplained(t *testing.T) {
	for name, nearest := range map[string]string{"java8": "java-17.0.15-tls12", "java-8": "java-17.0.15-tls12", "envoy": "haproxy", "Envoy-1.31": "haproxy", "firefox": "chromium", "aws": "haproxy"} {
		_, err := clients.One(name)
		var unknown *clients.UnknownError
		if !errors.As(err, &unknown) || unknown.Why == "" || !slices.Contains(unknown.Nearest, nearest) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, n := range unknown.Nearest[:1] {
			if _, err := clients.Select(n); err != nil {
				t.Errorf("%s is said to be near %s: %v", n, name, err)
			}
		}
	}
}
