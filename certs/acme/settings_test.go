package acme_test

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/acme"
)

func TestNewRefusesBadSettings(t *testing.T) {
	authority, err := certs.NewAuthority(certs.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "c2VjcmV0!"
	for name, tt := range map[string]struct {
		change func(*acme.Settings)
		says   string
	}{
		"plain HTTP":             {func(s *acme.Settings) { s.Directory = "http://ca.example/dir" }, "https"},
		"no URL":                 {func(s *acme.Settings) { s.Directory = "letsencrypt" }, "https"},
		"no names":               {func(s *acme.Settings) { s.Names = nil }, "none to serve"},
		"not a name":             {func(s *acme.Settings) { s.Names = []string{"a b"} }, "a b"},
		"everything":             {func(s *acme.Settings) { s.Names = []string{"*"} }, "no name"},
		"wildcard of a TLD":      {func(s *acme.Settings) { s.Names = []string{"*.com"} }, "covers too much"},
		"wildcard of an address": {func(s *acme.Settings) { s.Names = []string{"*.192.0.2.1"} }, "192.0.2.1"},
		"wildcard inside":        {func(s *acme.Settings) { s.Names = []string{"a.*.example"} }, "no name"},
		"default elsewhere":      {func(s *acme.Settings) { s.Default = "other.example" }, "none of the names"},
		"unknown challenge":      {func(s *acme.Settings) { s.Challenges = []acme.Challenge{"dns-01"} }, "dns-01"},
		"half an account":        {func(s *acme.Settings) { s.External = &acme.ExternalAccount{KeyID: "k"} }, "belong together"},
		"garbled MAC key":        {func(s *acme.Settings) { s.External = &acme.ExternalAccount{KeyID: "k", MACKey: secret} }, "base64url"},
		"MAC key cut off":        {func(s *acme.Settings) { s.External = &acme.ExternalAccount{KeyID: "k", MACKey: "Z2FyYmFnZQ"} }, "7 bytes"},
		"local without CA":       {func(s *acme.Settings) { s.LocalNames = []string{"db"} }, "no local authority"},
		"no storage":             {func(s *acme.Settings) { s.Dir = "" }, "exactly one"},
		"renewal before issue":   {func(s *acme.Settings) { s.RenewBefore = 1 }, "between 0 and 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := acme.Settings{Names: []string{"www.example.com"}, Dir: t.TempDir()}
			tt.change(&s)
			m, err := acme.New(s, nil)
			if err == nil {
				m.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), secret) {
				t.Errorf("%v, want … %s", err, tt.says)
			}
		})
	}
	m, err := acme.New(acme.Settings{Names: []string{"Bücher.example.", "192.0.2.1", "*.shop.example"}, LocalNames: []string{"*"}, Local: authority, Dir: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Serves("") || !m.Serves("anything.internal") {
		t.Error("Serves")
	}
	m.Close() // twice does no harm
}

func TestTLSALPNIsForConfiguredNamesOnly(t *testing.T) {
	m, err := acme.New(acme.Settings{Names: []string{"www.example.com", "*.shop.example", "192.0.2.1", "2001:db8::1"}, Dir: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	plain, err := acme.New(acme.Settings{Names: []string{"www.example.com"}, Challenges: []acme.Challenge{acme.HTTP01}, Dir: t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for _, tt := range []struct {
		name      string
		protocols []string
		want      bool
	}{
		{"www.example.com", []string{"acme-tls/1"}, true},
		{"WWW.example.com", []string{"acme-tls/1"}, true},
		{"a.shop.example", []string{"acme-tls/1"}, true},
		{"1.2.0.192.in-addr.arpa", []string{"acme-tls/1"}, true}, // RFC 8738, Section 6
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", []string{"acme-tls/1"}, true},
		{"2.2.0.192.in-addr.arpa", []string{"acme-tls/1"}, false},
		{"x.in-addr.arpa", []string{"acme-tls/1"}, false},
		{"other.example.com", []string{"acme-tls/1"}, false},
		{"a.b.shop.example", []string{"acme-tls/1"}, false},
		{"", []string{"acme-tls/1"}, false},
		{"www.example.com", []string{"acme-tls/1", "h2"}, false},
		{"www.example.com", []string{"h2"}, false},
		{"www.example.com", nil, false},
	} {
		if got := m.TLSALPN(tt.name, tt.protocols); got != tt.want {
			t.Errorf("%q %q: %v", tt.name, tt.protocols, got)
		}
		if plain.TLSALPN(tt.name, tt.protocols) {
			t.Errorf("%q %q: a challenge although that kind is off", tt.name, tt.protocols)
		}
	}
}
