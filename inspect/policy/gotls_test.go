package policy_test

import (
	"crypto/tls"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestGoAnswersAsPredicted sends the hellos to crypto/tls servers in several configurations.
func TestGoAnswersAsPredicted(t *testing.T) {
	rsa := newKeyPair(t, policy.CertRSA).tls
	ec := newKeyPair(t, policy.CertECDSAP256).tls
	p384 := newKeyPair(t, policy.CertECDSAP384).tls
	ed := newKeyPair(t, policy.CertEd25519).tls

	tests := []struct {
		name   string
		config *tls.Config
		change func(*policy.Policy)
	}{
		{"defaults, RSA", &tls.Config{Certificates: []tls.Certificate{rsa}}, func(p *policy.Policy) { p.Certificates = []policy.CertificateType{policy.CertRSA} }},
		{"defaults, ECDSA P-256", &tls.Config{Certificates: []tls.Certificate{ec}}, func(p *policy.Policy) { p.Certificates = []policy.CertificateType{policy.CertECDSAP256} }},
		{"defaults, Ed25519", &tls.Config{Certificates: []tls.Certificate{ed}}, func(p *policy.Policy) { p.Certificates = []policy.CertificateType{policy.CertEd25519} }},
		{"RSA before ECDSA", &tls.Config{Certificates: []tls.Certificate{rsa, ec}}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA, policy.CertECDSAP256}
		}},
		{"ECDSA before RSA", &tls.Config{Certificates: []tls.Certificate{ec, rsa}}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertECDSAP256, policy.CertRSA}
		}},
		{"groups", &tls.Config{Certificates: []tls.Certificate{p384}, CurvePreferences: []tls.CurveID{tls.CurveP384, tls.CurveP521}}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertECDSAP384}
			p.Groups = []wire.NamedGroup{wire.GroupSecp384r1, wire.GroupSecp521r1}
		}},
		{"TLS 1.0 to 1.2", &tls.Config{Certificates: []tls.Certificate{rsa}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.Versions = []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12}
		}},
		{"TLS 1.3 only", &tls.Config{Certificates: []tls.Certificate{rsa}, MinVersion: tls.VersionTLS13}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.Versions = []wire.Version{wire.VersionTLS13}
		}},
		{"suites", &tls.Config{Certificates: []tls.Certificate{rsa}, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.CipherSuites = append(p.CipherSuites[:3], wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_RSA_WITH_AES_128_CBC_SHA)
		}},
		{"ALPN", &tls.Config{Certificates: []tls.Certificate{rsa}, NextProtos: []string{"h2"}}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.ALPN, p.ALPNRequired = []string{"h2"}, true
		}},
		{"ALPN of its own", &tls.Config{Certificates: []tls.Certificate{rsa}, NextProtos: []string{"acme-tls/1"}}, func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.ALPN, p.ALPNRequired = []string{"acme-tls/1"}, true
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := policy.Lookup("go/go-1.26")
			if err != nil {
				t.Fatal(err)
			}
			test.change(p)
			if len(test.config.Certificates) > 1 {
				checkEndpointWith(t, importertest.ServeGo(t, test.config), p, chosenByHello)
				return
			}
			checkEndpoint(t, importertest.ServeGo(t, test.config), p)
		})
	}
}

// chosenByHello leaves out the hellos for which crypto/tls chooses among certificates by what is no matter of a policy: a
// name that no certificate has, and a legacy_version of TLS 1.3, which it takes at its word there.
func chosenByHello(h *wire.ClientHello) bool {
	return (len(h.ServerName) == 0 || string(h.ServerName) == "localhost") && (len(h.SupportedVersions) > 0 || h.LegacyVersion <= wire.VersionTLS12)
}

// TestGoPolicyHasGoSuites holds what crypto/tls tells of itself against the built-in policy.
func TestGoPolicyHasGoSuites(t *testing.T) {
	p, err := policy.Lookup("go-1.26")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[wire.CipherSuite]bool)
	for _, s := range tls.CipherSuites() {
		known[wire.CipherSuite(s.ID)] = true
	}
	for _, s := range p.CipherSuites {
		if !known[s] {
			t.Errorf("%v is no suite of crypto/tls", s)
		}
	}
}
