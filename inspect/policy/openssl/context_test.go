package openssl_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestContextBecomesAPolicy: what the importers set, and what comes of it.
func TestContextBecomesAPolicy(t *testing.T) {
	zero := 0
	tests := []struct {
		name    string
		context openssl.Context
		check   func(p *policy.Policy) bool
		errs    string // a part of the only error; empty: none
	}{
		{"the zero value", openssl.Context{}, func(p *policy.Policy) bool {
			return slices.Equal(p.Versions, []wire.Version{wire.VersionTLS12, wire.VersionTLS13}) && slices.Equal(p.BlockedVersions, []wire.Version{wire.VersionTLS10, wire.VersionTLS11}) &&
				p.Preference == policy.PreferClient && p.NoDHParameters && p.Certificates == nil && p.CipherSuites[0] == wire.TLS_AES_256_GCM_SHA384
		}, ""},
		{"no version", openssl.Context{Versions: []wire.Version{}}, func(p *policy.Policy) bool { return len(p.Versions) == 0 && len(p.CipherSuites) == 0 }, ""},
		{"bounds", openssl.Context{Min: wire.VersionTLS12, Max: wire.VersionTLS12}, func(p *policy.Policy) bool {
			return slices.Equal(p.Versions, []wire.Version{wire.VersionTLS12}) && p.BlockedVersions == nil && !slices.Contains(p.CipherSuites, wire.TLS_AES_128_GCM_SHA256)
		}, ""},
		{"TLS 1.3 alone", openssl.Context{Min: wire.VersionTLS13}, func(p *policy.Policy) bool { return len(p.CipherSuites) == 3 }, ""},
		{"a level of the program's", openssl.Context{Options: openssl.Options{SecurityLevel: &zero}}, func(p *policy.Policy) bool { return len(p.Versions) == 4 && p.SecurityLevel == 0 }, ""},
		{"suites without a key are left out, anonymous ones need none", openssl.Context{Ciphers: "ALL:eNULL:@SECLEVEL=0"}, func(p *policy.Policy) bool {
			return !slices.ContainsFunc(p.CipherSuites, func(c wire.CipherSuite) bool {
				return strings.Contains(c.String(), "PSK") || strings.Contains(c.String(), "SRP") || strings.Contains(c.String(), "DSS")
			}) && slices.ContainsFunc(p.CipherSuites, func(c wire.CipherSuite) bool { return strings.Contains(c.String(), "anon") })
		}, ""},
		{"the order", openssl.Context{ServerPreference: true, PrioritizeChaCha: true}, func(p *policy.Policy) bool { return p.Preference == policy.PreferServerChaCha }, ""},
		{"Suite B", openssl.Context{Ciphers: "SUITEB128", Groups: "X25519"}, func(p *policy.Policy) bool {
			return slices.Equal(p.Groups, []wire.NamedGroup{wire.GroupSecp256r1, wire.GroupSecp384r1}) && p.Preference == policy.PreferServer && len(p.SignatureSchemes) == 2 && p.Versions[0] == wire.VersionTLS12
		}, ""},
		{"certificates, each kind once", openssl.Context{Certificates: []openssl.Certificate{{Type: policy.CertRSA, Bits: 2048}, {Type: policy.CertECDSAP256}, {Type: policy.CertRSA}}}, func(p *policy.Policy) bool {
			return slices.Equal(p.Certificates, []policy.CertificateType{policy.CertRSA, policy.CertECDSAP256})
		}, ""},
		{"a small key", openssl.Context{Certificates: []openssl.Certificate{{Type: policy.CertRSA, Bits: 1024}}}, nil, "RSA key of 1024 bits is too small for security level 2"},
		{"parameters", openssl.Context{DHBits: 2048}, func(p *policy.Policy) bool { return !p.NoDHParameters }, ""},
		{"small parameters", openssl.Context{DHBits: 1024}, func(p *policy.Policy) bool { return p.NoDHParameters }, "Diffie-Hellman parameters of 1024 bits are too small"},
		{"parameters made up", openssl.Context{DHAuto: true}, func(p *policy.Policy) bool { return !p.NoDHParameters }, ""},
		{"a cipher string that is refused", openssl.Context{Ciphers: "NOPE"}, func(p *policy.Policy) bool { return len(p.CipherSuites) > 20 }, "no cipher match"},
		{"suites that are refused", openssl.Context{Ciphers: "AES128-SHA", Options: openssl.Options{TLS13Suites: "NOPE"}}, func(p *policy.Policy) bool {
			return len(p.CipherSuites) == 4 && p.CipherSuites[3] == wire.TLS_RSA_WITH_AES_128_CBC_SHA
		}, "ciphersuites"},
		{"groups that are refused", openssl.Context{Groups: "nope"}, func(p *policy.Policy) bool { return len(p.Groups) > 3 }, "groups"},
		{"schemes that are refused", openssl.Context{SignatureAlgorithms: "nope"}, func(p *policy.Policy) bool { return len(p.SignatureSchemes) > 3 }, "signature algorithms"},
		{"a release that is not known", openssl.Context{Options: openssl.Options{Version: "0.9.8"}}, nil, "unknown OpenSSL release"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, _, errs := test.context.Policy()
			switch {
			case test.errs == "" && len(errs) > 0, test.errs != "" && (len(errs) != 1 || !strings.Contains(errs[0].Error(), test.errs)):
				t.Errorf("errors %v, want %q", errs, test.errs)
			case test.check != nil && !test.check(p):
				t.Errorf("policy %+v", p)
			}
		})
	}
}

// TestCommandsAreThoseOfConfigurationFiles of SSL_CONF_cmd(3).
func TestCommandsAreThoseOfConfigurationFiles(t *testing.T) {
	var c openssl.Context
	for _, command := range [][2]string{
		{"CipherString", "HIGH"}, {"ciphersuites", ""}, {"Curves", "P-256"}, {"SignatureAlgorithms", "RSA+SHA256"}, {"Protocol", "ALL,-TLSv1, -TLSv1.1"},
		{"MinProtocol", "TLSv1.1"}, {"MaxProtocol", "TLSv1.3"}, {"Options", "ServerPreference,-SessionTicket,+PrioritizeChaCha"}, {"VerifyMode", "Peer,Require"},
	} {
		if effect, err := c.Command(command[0], command[1]); !effect || err != nil {
			t.Errorf("%q: %t %v", command, effect, err)
		}
	}
	if c.Ciphers != "HIGH" || !c.Options.NoTLS13Suites || c.Groups != "P-256" || c.SignatureAlgorithms != "RSA+SHA256" || !slices.Equal(c.Versions, []wire.Version{wire.VersionTLS12, wire.VersionTLS13}) ||
		c.Min != wire.VersionTLS11 || c.Max != wire.VersionTLS13 || !c.ServerPreference || !c.PrioritizeChaCha || c.ClientAuth != policy.ClientAuthRequire {
		t.Errorf("context %+v", c)
	}
	if effect, err := c.Command("MinProtocol", "None"); !effect || err != nil || c.Min != 0 {
		t.Errorf("MinProtocol None: %t %v", effect, err)
	}
	if effect, err := c.Command("RecordPadding", "512"); effect || err != nil {
		t.Errorf("RecordPadding: %t %v", effect, err)
	}
	for _, command := range [][2]string{{"Protocol", "TLS1.3"}, {"MinProtocol", "x"}, {"Options", "Fast"}, {"VerifyMode", "x"}} {
		if _, err := c.Command(command[0], command[1]); !errors.Is(err, openssl.ErrBadValue) {
			t.Errorf("%q: %v", command, err)
		}
	}
	if _, err := c.Command("Certificates", "x"); !errors.Is(err, openssl.ErrUnknownCommand) {
		t.Errorf("an unknown command: %v", err)
	}
	if !openssl.FileCommand("certificate") || openssl.FileCommand("PrivateKey") {
		t.Error("FileCommand")
	}
}

func TestDHBits(t *testing.T) {
	// The prime is 0xC5 and 15 bytes more; what stands before the parameters is passed over.
	const small = "-----BEGIN X-----\nAAAA\n-----END X-----\n-----BEGIN DH PARAMETERS-----\nMBYCEQDFAAAAAAAAAAAAAAAAAAABAgEC\n-----END DH PARAMETERS-----\n"
	for text, want := range map[string]int{small: 128, "": 0, "-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----\n": 0} {
		if got := openssl.DHBits([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
