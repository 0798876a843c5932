package policy_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestSecurityLevelsAnswerAsPredicted expands cipher strings, applies the security level that they leave, and has s_server answer.
func TestSecurityLevelsAnswerAsPredicted(t *testing.T) {
	rsa, p384 := newKeyPair(t, policy.CertRSA), newKeyPair(t, policy.CertECDSAP384)
	withRSA, withP384 := []string{"-cert", rsa.cert, "-key", rsa.key}, []string{"-cert", p384.cert, "-key", p384.key}
	all := []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13}
	tests := []struct {
		name, list string
		versions   []wire.Version
		args       []string
		cert       policy.CertificateType
	}{
		{"level 0", "ALL:@SECLEVEL=0", all, withRSA, policy.CertRSA},
		{"level 0, eNULL", "ALL:eNULL:@SECLEVEL=0:+kRSA", all[:3], append([]string{"-no_tls1_3", "-serverpref"}, withRSA...), policy.CertRSA},
		{"level 1", "DEFAULT@SECLEVEL=1", all, withRSA, policy.CertRSA},
		{"level 1, from TLS 1.1", "DEFAULT@SECLEVEL=1", all[1:], append([]string{"-no_tls1"}, withRSA...), policy.CertRSA},
		{"level 2, no TLS 1.2", "DEFAULT", []wire.Version{wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS13}, append([]string{"-no_tls1_2"}, withRSA...), policy.CertRSA},
		{"level 3", "HIGH:@SECLEVEL=3", all, withP384, policy.CertECDSAP384},
		{"level 4", "ALL:@SECLEVEL=4", all, append([]string{"-serverpref"}, withP384...), policy.CertECDSAP384},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, err := openssl.Ciphers(test.list, openssl.Options{})
			if err != nil {
				t.Fatal(err)
			}
			p := lookup(t, "openssl-s_server-3.0")
			p.Versions, p.OldVersionAlert = test.versions, 0
			p.CipherSuites = e.All()
			p.SignatureSchemes = openssl.DefaultSignatureAlgorithms()
			p.Certificates = []policy.CertificateType{test.cert}
			if p.Groups, err = openssl.DefaultGroups(openssl.Options{}); err != nil {
				t.Fatal(err)
			}
			if test.args[0] == "-serverpref" || len(test.args) > 1 && test.args[1] == "-serverpref" {
				p.Preference = policy.PreferServer
			}
			openssl.ApplyLevel(p, e.SecurityLevel, openssl.Options{})
			checkEndpoint(t, opensslServer(t, append([]string{"-cipher", test.list}, test.args...)...), p)
		})
	}
}
