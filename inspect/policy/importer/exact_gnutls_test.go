package importer_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/gnutls"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

func gnutlsEndpoints(t *testing.T) []*endpoint {
	version := importertest.Version(t, importertest.Program(t, "gnutls-serv"), `gnutls-serv ([\d.]+)`, "--version")
	cases := [][]string{
		{"rsa"},
		{"ec"},
		{"rsa", "ec", "--priority=NORMAL"},
		{"ec384", "--priority=SECURE192:+SECURE128", "--disable-client-cert"},
		{"rsa", "--priority=NORMAL:%SERVER_PRECEDENCE:-KX-ALL:+ECDHE-RSA:+RSA", "--require-client-cert"},
		{"rsa", "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-CBC"},
		{"ec", "--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1:+GROUP-X25519"},
		{"rsa", "--priority=LEGACY:+VERS-TLS1.0:+VERS-TLS1.1:-SIGN-ALL:+SIGN-RSA-SHA256:+SIGN-RSA-SHA1:+SIGN-RSA-PSS-RSAE-SHA256"},
		{"rsa", "--priority=PERFORMANCE:-GROUP-X25519:%SERVER_PRECEDENCE", "--alpn=h2", "--alpn=http/1.1"},
		{"ec", "--priority=PFS", "--alpn=h2", "--alpn-fatal", "--disable-client-cert"},
		{"ed", "--priority=SECURE128:-VERS-TLS1.0:-VERS-TLS1.1", "--disable-client-cert"},
	}
	var out []*endpoint
	for _, args := range cases {
		out = append(out, &endpoint{system: "gnutls-serv " + version, title: "`" + strings.Join(args, " ") + "`",
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
				return startGnuTLS(t, l, args)
			}})
	}
	return out
}

func startGnuTLS(t *testing.T, l *lab, args []string) (string, func(*testing.T, string) *policy.Policy) {
	t.Helper()
	path, port := importertest.Program(t, "gnutls-serv"), importertest.FreePort(t)
	command := []string{"--port", port, "--http", "--nodb"}
	priority, auth := "NORMAL", policy.ClientAuthRequest // gnutls-serv asks for a certificate unless told not to
	var alpn []string
	var certs []policy.CertificateType
	for _, arg := range args {
		if !strings.HasPrefix(arg, "--") {
			command = append(command, "--x509certfile", l.dir+"/"+arg+".crt", "--x509keyfile", l.dir+"/"+arg+".key")
			certs = append(certs, certificateKind(t, arg))
			continue
		}
		command = append(command, arg)
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "--priority":
			priority = value
		case "--alpn":
			alpn = append(alpn, value)
		case "--disable-client-cert":
			auth = policy.ClientAuthNone
		case "--require-client-cert":
			auth = policy.ClientAuthRequire
		}
	}
	parsed, err := gnutls.Parse(priority)
	if err != nil {
		t.Fatal(err)
	}
	p := parsed.Policy()
	p.Certificates, p.ClientAuth = certs, auth
	p.ALPN, p.ALPNRequired = alpn, slices.Contains(args, "--alpn-fatal")
	importertest.Start(t, `listening on`, path, command...)
	return "127.0.0.1:" + port, func(*testing.T, string) *policy.Policy { return p }
}
