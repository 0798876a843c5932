package policy_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/gnutls"
)

// TestGnuTLSPrioritiesAnswerAsPredicted imports priority strings and has gnutls-serv answer with the same.
func TestGnuTLSPrioritiesAnswerAsPredicted(t *testing.T) {
	tests := []struct {
		priority string
		cert     policy.CertificateType
	}{
		{"NORMAL:%SERVER_PRECEDENCE", policy.CertRSA},
		{"SECURE128:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.1", policy.CertRSA},
		{"SECURE256:%SERVER_PRECEDENCE:%NO_TICKETS", policy.CertRSA},
		{"PFS:-VERS-TLS1.3:-GROUP-X25519:+3DES-CBC", policy.CertECDSAP256},
		{"NONE:+VERS-TLS1.2:+AES-128-CBC:+AES-256-GCM:+SHA1:+AEAD:+RSA:+ECDHE-RSA:+SIGN-ALL:+GROUP-SECP384R1:+COMP-NULL", policy.CertRSA},
	}
	for _, test := range tests {
		t.Run(test.priority, func(t *testing.T) {
			priorities, err := gnutls.Parse(test.priority)
			if err != nil {
				t.Fatal(err)
			}
			p := priorities.Policy()
			p.Certificates = []policy.CertificateType{test.cert}
			pair, port := newKeyPair(t, test.cert), freePort(t)
			start(t, `listening on`, "gnutls-serv", "--port", port, "--x509certfile", pair.cert, "--x509keyfile", pair.key, "--http", "--priority", test.priority)
			checkEndpoint(t, "127.0.0.1:"+port, p)
		})
	}
}
