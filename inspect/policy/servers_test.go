package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// freePort is a port of the loopback for a program that cannot choose one itself.
func freePort(t testing.TB) string {
	t.Helper()
	return importertest.FreePort(t)
}

// awaitPort returns when something listens.
func awaitPort(t testing.TB, address string) {
	t.Helper()
	importertest.AwaitPort(t, address)
}

func writeFile(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nginxHTTP is what nginx's http module does about ALPN in front of its built-in policy, which is about its TLS settings.
const nginxHTTP = "extends: nginx/1.22.1-openssl-3.0\nalpn: [http/1.1, http/1.0, http/0.9]\nalpn_required: true\n"

// TestNginxAnswersAsPredicted holds the built-in policy of nginx's defaults, and a configured one, against the program.
func TestNginxAnswersAsPredicted(t *testing.T) {
	rsa, ec := newKeyPair(t, policy.CertRSA), newKeyPair(t, policy.CertECDSAP256)
	both := fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s; ssl_certificate %s; ssl_certificate_key %s;", rsa.cert, rsa.key, ec.cert, ec.key)
	tests := []struct {
		name, settings string
		yaml           string
	}{
		{"defaults, RSA", fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;", rsa.cert, rsa.key), nginxHTTP + "certificates: [rsa]\n"},
		{"defaults, ECDSA", fmt.Sprintf("ssl_certificate %s; ssl_certificate_key %s;", ec.cert, ec.key), nginxHTTP + "certificates: [ecdsa-p256]\n"},
		{"defaults, both", both, nginxHTTP},
		{"intermediate", both + "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; ssl_ecdh_curve X25519:prime256v1:secp384r1;" +
			"ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256;",
			nginxHTTP + `
versions: [TLSv1.2, TLSv1.3]
cipher_preference: server
dh_parameters: false
groups: [X25519, prime256v1, secp384r1]
ciphers: [TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, TLS_AES_128_GCM_SHA256,
  ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-AES256-GCM-SHA384, DHE-RSA-AES128-GCM-SHA256]
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			conf := writeFile(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`
daemon off; pid %[1]s/pid; error_log stderr notice; worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server { listen 127.0.0.1:%[2]s ssl; %[3]s }
}`, dir, port, test.settings))
			start(t, `start worker process`, "nginx", "-p", dir, "-c", conf)
			p, err := policy.ParseYAML([]byte(test.yaml), "nginx.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if p.Versions[0] == wire.VersionTLS12 && len(p.Versions) == 2 {
				p.OldVersionAlert = 0
			}
			checkEndpoint(t, "127.0.0.1:"+port, p)
		})
	}
}

// TestHAProxyAnswersAsPredicted holds the built-in policy of HAProxy's defaults against the program.
func TestHAProxyAnswersAsPredicted(t *testing.T) {
	rsa, ec := newKeyPair(t, policy.CertRSA), newKeyPair(t, policy.CertECDSAP256)
	pem := func(k keyPair) string { return filepath.Join(filepath.Dir(k.cert), "both.pem") }
	tests := []struct{ name, bind, yaml string }{
		{"defaults, RSA", "crt " + pem(rsa), "extends: haproxy-2.2+-openssl-3.0\ncertificates: [rsa]\n"},
		{"defaults, ECDSA", "crt " + pem(ec), "extends: haproxy-2.2+-openssl-3.0\ncertificates: [ecdsa-p256]\n"},
		{"ALPN", "alpn h2 crt " + pem(rsa), "extends: haproxy-2.2+-openssl-3.0\ncertificates: [rsa]\nalpn: [h2]\n"},
		{"strict SNI", "strict-sni crt " + pem(rsa), "extends: haproxy-2.2+-openssl-3.0\ncertificates: [rsa]\nserver_names: [localhost]\nsni_required: true\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			conf := writeFile(t, filepath.Join(dir, "haproxy.cfg"), fmt.Sprintf(`
defaults
  mode tcp
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend f
  bind 127.0.0.1:%s ssl %s
  tcp-request content reject
`, port, test.bind))
			start(t, `.`, "haproxy", "-V", "-db", "-f", conf)
			awaitPort(t, "127.0.0.1:"+port)
			p, err := policy.ParseYAML([]byte(test.yaml), "haproxy.yaml")
			if err != nil {
				t.Fatal(err)
			}
			checkEndpoint(t, "127.0.0.1:"+port, p)
		})
	}
}

// TestGnuTLSAnswersAsPredicted holds the built-in policy of GnuTLS's priority NORMAL against gnutls-serv.
func TestGnuTLSAnswersAsPredicted(t *testing.T) {
	rsa, ec := newKeyPair(t, policy.CertRSA), newKeyPair(t, policy.CertECDSAP256)
	tests := []struct {
		name string
		pair keyPair
		yaml string
	}{
		{"NORMAL, RSA", rsa, "extends: gnutls-3.7-NORMAL\ncertificates: [rsa]\n"},
		{"NORMAL, ECDSA", ec, "extends: gnutls-3.7-NORMAL\ncertificates: [ecdsa-p256]\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			port := freePort(t)
			start(t, `listening on`, "gnutls-serv", "--port", port, "--x509certfile", test.pair.cert, "--x509keyfile", test.pair.key, "--http")
			p, err := policy.ParseYAML([]byte(test.yaml), "gnutls.yaml")
			if err != nil {
				t.Fatal(err)
			}
			checkEndpoint(t, "127.0.0.1:"+port, p)
		})
	}
}
