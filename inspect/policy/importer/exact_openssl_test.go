package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func opensslEndpoints(t *testing.T) []*endpoint {
	version := importertest.Version(t, importertest.Program(t, "openssl"), `OpenSSL ([\d.]+\w*)`, "version")
	cases := []struct {
		args  string
		names []string
	}{
		{"-cert rsa", nil},
		{"-cert ec", nil},
		{"-cert rsa -dcert ec", nil},
		{"-cert ec -dcert rsa -serverpref", nil},
		{"-cert rsa -serverpref -prioritize_chacha -groups P-384:X25519:P-256", nil},
		{"-cert rsa -no_tls1_3 -cipher ALL:@SECLEVEL=0 -serverpref", nil},
		{"-cert rsa -cipher DEFAULT:@SECLEVEL=0", nil},
		{"-cert rsa -tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE+AES -no_dhe", nil},
		{"-cert rsa -dhparam dh.pem -cipher DHE:kRSA -min_protocol TLSv1.2", nil},
		{"-cert ec384 -tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_CCM_SHA256", nil},
		{"-cert ec521 -sigalgs ECDSA+SHA512:ECDSA+SHA384:ecdsa_secp256r1_sha256 -serverpref", nil},
		{"-cert ed -max_protocol TLSv1.3 -min_protocol TLSv1.2", nil},
		{"-cert rsa -sigalgs RSA+SHA256:RSA+SHA1 -cipher HIGH:@SECLEVEL=1", nil},
		{"-cert rsa -dcert ec384 -groups X448:P-521:ffdhe2048 -alpn h2,http/1.1", nil},
		{"-cert rsa -verify 1", nil},
		{"-cert ec -Verify 1 -serverpref", nil},
		{"-cert ec -cipher ECDHE-ECDSA-AES256-CCM8:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-SHA256 -no_tls1_3", nil},
		{"-cert rsa -cipher @STRENGTH:AESGCM:AES:@SECLEVEL=1 -max_protocol TLSv1.2 -min_protocol TLSv1.1", nil},
		{"-cert rsa -cert2 two -servername two.example", []string{asRecorded, "", "two.example", "localhost"}},
	}
	var out []*endpoint
	for _, c := range cases {
		out = append(out, &endpoint{system: "openssl s_server " + version, title: "`" + c.args + "`", names: c.names, one: true,
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
				args := append([]string{"s_server", "-accept", "127.0.0.1:0"}, l.opensslArgs(c.args)...)
				address := importertest.Start(t, `^ACCEPT (127\.0\.0\.1:\d+)`, importertest.Program(t, "openssl"), args...)[1]
				args = strings.Fields(c.args)
				p := opensslPolicy(t, args)
				if i := slices.Index(args, "-cert2"); i >= 0 {
					named := p.Clone()
					named.Certificates = []policy.CertificateType{certificateKind(t, args[i+1])}
					return address, func(_ *testing.T, name string) *policy.Policy {
						if strings.EqualFold(name, args[slices.Index(args, "-servername")+1]) {
							return named
						}
						return p
					}
				}
				return address, func(*testing.T, string) *policy.Policy { return p }
			}})
	}
	return out
}

// opensslArgs puts the files of the lab in the place of the names of certificates.
func (l *lab) opensslArgs(line string) []string {
	var args []string
	words := strings.Fields(line)
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "-cert", "-dcert", "-cert2":
			key := strings.Replace(words[i], "cert", "key", 1)
			args = append(args, words[i], l.dir+"/"+words[i+1]+".crt", key, l.dir+"/"+words[i+1]+".key")
			i++
		case "-dhparam":
			args = append(args, words[i], l.dir+"/"+words[i+1])
			i++
		default:
			args = append(args, words[i])
		}
	}
	return args
}

// certificateKinds are what the names of the lab's certificates stand for.
func certificateKind(t *testing.T, name string) policy.CertificateType {
	t.Helper()
	switch name {
	case "rsa", "one":
		return policy.CertRSA
	case "ec", "two":
		return policy.CertECDSAP256
	case "ec384":
		return policy.CertECDSAP384
	case "ec521":
		return policy.CertECDSAP521
	case "ed":
		return policy.CertEd25519
	}
	t.Fatalf("no certificate %q", name)
	return ""
}

// opensslPolicy is what the arguments of s_server come to. Its options are the commands of SSL_CONF, which openssl.Context
// carries out; the rest is what the program does by itself.
func opensslPolicy(t *testing.T, args []string) *policy.Policy {
	t.Helper()
	// s_server makes up Diffie-Hellman parameters.
	c := openssl.Context{DHAuto: true, ClientAuth: policy.ClientAuthNone}
	var alpn []string
	command := func(name, value string) {
		t.Helper()
		if _, err := c.Command(name, value); err != nil {
			t.Fatalf("%s %s: %v", name, value, err)
		}
	}
	for i := 0; i < len(args); i++ {
		value := func() string { i++; return args[i] }
		switch args[i] {
		case "-cert", "-dcert":
			c.Certificates = append(c.Certificates, openssl.Certificate{Type: certificateKind(t, value())})
		case "-cipher":
			command("CipherString", value())
		case "-ciphersuites":
			command("Ciphersuites", value())
		case "-groups":
			command("Groups", value())
		case "-sigalgs":
			command("SignatureAlgorithms", value())
		case "-min_protocol":
			command("MinProtocol", value())
		case "-max_protocol":
			command("MaxProtocol", value())
		case "-serverpref":
			command("Options", "ServerPreference")
		case "-prioritize_chacha":
			command("Options", "PrioritizeChaCha")
		case "-no_tls1_3":
			command("Protocol", "-TLSv1.3")
		case "-tls1_2":
			c.Min, c.Max = wire.VersionTLS12, wire.VersionTLS12
		case "-tls1_3":
			c.Min, c.Max = wire.VersionTLS13, wire.VersionTLS13
		case "-no_dhe":
			c.DHAuto = false
		case "-dhparam":
			value()
			c.DHAuto, c.DHBits = false, 2048
		case "-verify":
			value()
			c.ClientAuth = policy.ClientAuthRequest
		case "-Verify":
			value()
			c.ClientAuth = policy.ClientAuthRequire
		case "-cert2", "-servername": // a context of its own with the same settings
			value()
		case "-alpn":
			alpn = strings.Split(value(), ",")
		default:
			t.Fatalf("%s is not known here", args[i])
		}
	}
	p, _, errs := c.Policy()
	for _, err := range errs {
		t.Fatal(err)
	}
	if alpn != nil {
		p.ALPN, p.ALPNRequired = alpn, true
	}
	return p
}
