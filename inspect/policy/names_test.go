package policy_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestServerNames(t *testing.T) {
	chromium := helloByID(t, "chromium-")
	with := func(name string) *wire.ClientHello {
		h := *chromium
		h.ServerName = []byte(name)
		return &h
	}
	plain := func(change func(*policy.Policy)) *policy.Policy {
		p := lookup(t, "openssl-s_server-3.0")
		change(p)
		return p
	}
	tests := []struct {
		name   string
		hello  string
		policy func(*policy.Policy)
		alert  wire.AlertDescription // 0 and not silent: accepted
		silent bool
	}{
		{"one label", "a.example.com", func(p *policy.Policy) { p.Names = []string{"*.example.com"} }, 0, false},
		{"two labels do not match one", "a.b.example.com", func(p *policy.Policy) { p.Names = []string{"*.example.com"} }, wire.AlertUnrecognizedName, false},
		{"any depth", "a.b.Example.com", func(p *policy.Policy) { p.Names = []string{"**.example.com"} }, 0, false},
		{"any depth wants a label", "example.com", func(p *policy.Policy) { p.Names = []string{"**.example.com"} }, wire.AlertUnrecognizedName, false},
		{"any depth wants a whole label", "badexample.com", func(p *policy.Policy) { p.Names = []string{"**.example.com"} }, wire.AlertUnrecognizedName, false},
		{"no name served", "example.com", func(p *policy.Policy) { p.Names = []string{} }, wire.AlertUnrecognizedName, false},
		{"no name served, none asked for", "", func(p *policy.Policy) { p.Names = []string{} }, wire.AlertUnrecognizedName, false},
		{"none asked for", "", func(p *policy.Policy) { p.Names = []string{"example.com"} }, 0, false},
		{"another alert", "x.example.com", func(p *policy.Policy) { p.Names, p.NameAlert = []string{"example.com"}, wire.AlertInternalError }, wire.AlertInternalError, false},
		{"another alert for a missing name", "", func(p *policy.Policy) {
			p.Names, p.NameAlert, p.SNIRequired, p.Family = []string{"example.com"}, wire.AlertInternalError, true, policy.FamilyGo
		}, wire.AlertInternalError, false},
		{"no alert", "x.example.com", func(p *policy.Policy) { p.Names, p.NameSilent = []string{"example.com"}, true }, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, h := plain(test.policy), with(test.hello)
			r := policy.Negotiate(h, p)
			accepted := test.alert == 0 && !test.silent
			if r.Accepted != accepted || r.Alert != test.alert || r.Silent != test.silent || !accepted && r.RejectedBy != policy.DimensionServerName {
				t.Errorf("%+v", r)
			}
			if o := r.Outcome(h, p); test.silent && o.Alert != "" {
				t.Errorf("a connection that ends without an alert has alert %q", o.Alert)
			}
		})
	}
}

// TestCertificateFirst follows HAProxy's rule through the clients that tell its steps apart.
func TestCertificateFirst(t *testing.T) {
	p := lookup(t, "openssl-s_server-3.0")
	p.CertificateFirst = true
	p.Certificates = []policy.CertificateType{policy.CertRSA, policy.CertECDSAP256}
	p.Preference = policy.PreferServer
	both := []wire.CipherSuite{wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	tests := []struct {
		name    string
		sni     string
		suites  []wire.CipherSuite
		schemes []wire.SignatureScheme
		want    policy.CertificateType // empty: refused
	}{
		{"both", "localhost", both, []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256, wire.SchemeECDSASecp256r1SHA256}, policy.CertECDSAP256},
		{"no name", "", both, []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256, wire.SchemeECDSASecp256r1SHA256}, policy.CertECDSAP256},
		{"no ECDSA scheme", "localhost", both, []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256}, policy.CertRSA},
		{"no ECDSA suite", "localhost", both[:1], []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256, wire.SchemeECDSASecp256r1SHA256}, policy.CertRSA},
		{"RSASSA-PSS does not count", "localhost", both, []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA256}, ""},
		{"no list", "localhost", both[:1], nil, ""}, // RSA, but OpenSSL signs no SHA-1 at level 2
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := wire.ClientHello{
				LegacyVersion: wire.VersionTLS12, CipherSuites: wire.ListOf(test.suites...), ServerName: []byte(test.sni),
				SupportedGroups: wire.ListOf(wire.GroupSecp256r1), SignatureSchemes: wire.ListOf(test.schemes...),
			}
			r := policy.Negotiate(&h, p)
			if r.Certificate != test.want || r.Accepted != (test.want != "") {
				t.Errorf("%+v", r)
			}
		})
	}
}
