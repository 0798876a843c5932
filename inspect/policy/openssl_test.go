package policy_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestOpenSSLAnswersAsPredicted sends the recorded hellos to openssl s_server in many configurations.
func TestOpenSSLAnswersAsPredicted(t *testing.T) {
	rsa := newKeyPair(t, policy.CertRSA)
	ec := newKeyPair(t, policy.CertECDSAP256)
	p384 := newKeyPair(t, policy.CertECDSAP384)
	ed := newKeyPair(t, policy.CertEd25519)
	withRSA := []string{"-cert", rsa.cert, "-key", rsa.key}
	withEC := []string{"-cert", ec.cert, "-key", ec.key}
	withBoth := append([]string{"-dcert", ec.cert, "-dkey", ec.key}, withRSA...)

	legacy := []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13}
	suites := func(names ...string) []wire.CipherSuite {
		var out []wire.CipherSuite
		for _, name := range names {
			s, ok := wire.CipherSuiteByName(name)
			if !ok {
				t.Fatalf("no suite %s", name)
			}
			out = append(out, s)
		}
		return out
	}
	tls13 := suites("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")

	tests := []struct {
		name   string
		args   []string
		change func(*policy.Policy)
	}{
		{"defaults, RSA", withRSA, func(p *policy.Policy) { p.Certificates = []policy.CertificateType{policy.CertRSA} }},
		{"defaults, ECDSA P-256", withEC, func(p *policy.Policy) { p.Certificates = []policy.CertificateType{policy.CertECDSAP256} }},
		{"defaults, both", withBoth, func(p *policy.Policy) {}},
		{"defaults, ECDSA P-384", []string{"-cert", p384.cert, "-key", p384.key}, func(p *policy.Policy) { p.Certificates = []policy.CertificateType{policy.CertECDSAP384} }},
		{"defaults, Ed25519", []string{"-cert", ed.cert, "-key", ed.key}, func(p *policy.Policy) { p.Certificates = []policy.CertificateType{policy.CertEd25519} }},
		{"server preference", append([]string{"-serverpref"}, withBoth...), func(p *policy.Policy) { p.Preference = policy.PreferServer }},
		{"server preference, ChaCha20 for those who want it", append([]string{"-serverpref", "-prioritize_chacha"}, withBoth...), func(p *policy.Policy) { p.Preference = policy.PreferServerChaCha }},
		{"TLS 1.2 only", append([]string{"-tls1_2"}, withBoth...), func(p *policy.Policy) {
			p.Versions = []wire.Version{wire.VersionTLS12}
			p.OldVersionAlert = 0
		}},
		{"TLS 1.3 only", append([]string{"-tls1_3"}, withRSA...), func(p *policy.Policy) {
			p.Versions = []wire.Version{wire.VersionTLS13}
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.OldVersionAlert = 0
		}},
		{"few groups", append([]string{"-groups", "P-384:P-256"}, withRSA...), func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.Groups = []wire.NamedGroup{wire.GroupSecp384r1, wire.GroupSecp256r1}
		}},
		{"few groups, server preference", append([]string{"-serverpref", "-groups", "P-384:P-256"}, withEC...), func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertECDSAP256}
			p.Preference = policy.PreferServer
			p.Groups = []wire.NamedGroup{wire.GroupSecp384r1, wire.GroupSecp256r1}
		}},
		{"one rare group", append([]string{"-groups", "X448"}, withRSA...), func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.Groups = []wire.NamedGroup{wire.GroupX448}
		}},
		{"one rare group, ECDHE only", append([]string{"-groups", "X448", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA"}, withRSA...), func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.Groups = []wire.NamedGroup{wire.GroupX448}
			p.CipherSuites = append(tls13, suites("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA")...)
		}},
		{"few schemes", append([]string{"-sigalgs", "RSA+SHA384:RSA-PSS+SHA384"}, withRSA...), func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.SignatureSchemes = []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPSSRSAESHA384}
		}},
		{"legacy, RSA", append([]string{"-cipher", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA:DHE-RSA-AES128-SHA:AES128-SHA:AES256-SHA:@SECLEVEL=0", "-sigalgs", "RSA+SHA256:RSA+SHA1"}, withRSA...), func(p *policy.Policy) {
			p.Versions, p.OldVersionAlert = legacy, 0
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.CipherSuites = append(tls13, suites("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-SHA", "AES128-SHA", "AES256-SHA")...)
			p.SignatureSchemes = []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA1}
		}},
		{"legacy, ECDSA, server preference", append([]string{"-serverpref", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0", "-sigalgs", "ECDSA+SHA256:ECDSA+SHA1"}, withEC...), func(p *policy.Policy) {
			p.Versions, p.OldVersionAlert = legacy, 0
			p.Preference = policy.PreferServer
			p.Certificates = []policy.CertificateType{policy.CertECDSAP256}
			p.CipherSuites = append(tls13, suites("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA")...)
			p.SignatureSchemes = []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASHA1}
		}},
		{"one suite of TLS 1.3", append([]string{"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"}, withBoth...), func(p *policy.Policy) {
			p.CipherSuites = append(suites("TLS_CHACHA20_POLY1305_SHA256"), p.CipherSuites[3:]...)
		}},
		{"ALPN, strict", append([]string{"-alpn", "acme-tls/1"}, withRSA...), func(p *policy.Policy) {
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.ALPN, p.ALPNRequired = []string{"acme-tls/1"}, true
		}},
		{"ALPN", append([]string{"-alpn", "http/1.1,h2", "-tls1_2"}, withRSA...), func(p *policy.Policy) {
			p.Versions, p.OldVersionAlert = []wire.Version{wire.VersionTLS12}, 0
			p.Certificates = []policy.CertificateType{policy.CertRSA}
			p.ALPN, p.ALPNRequired = []string{"http/1.1", "h2"}, true
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := policy.Lookup("openssl-s_server-3.0")
			if err != nil {
				t.Fatal(err)
			}
			test.change(p)
			checkEndpoint(t, opensslServer(t, test.args...), p)
		})
	}
}
