package nginx_test

import (
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
)

// TestVerdictsAreThoseOfNginx: what stands in a server block is refused by the import where `nginx -t` refuses it, and nowhere else.
func TestVerdictsAreThoseOfNginx(t *testing.T) {
	path := importertest.Program(t, "nginx")
	version := importertest.Version(t, path, `nginx/([\d.]+)`, "-v")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	importertest.Write(t, filepath.Join(dir, "dh.pem"), importertest.DH2048)
	importertest.Write(t, filepath.Join(dir, "empty.pem"), "nothing\n")
	conf := filepath.Join(dir, "nginx.conf")
	importertest.Verdicts(t, verdictSnippets(), func(t *testing.T, text string) (string, bool) {
		text = frame + httpFrame + "server { listen 127.0.0.1:PORT ssl; RSA; " + text + " } }"
		importertest.Write(t, conf, rendered(t, dir, importertest.FreePort(t), text))
		return importertest.Run(t, path, "-t", "-p", dir, "-c", conf)
	}, func(t *testing.T, _ string) (*imported.Result, error) {
		return nginx.Import(importertest.Files{}, conf, imported.Options{Version: version, OpenSSL: "3.0"})
	})
}

func verdictSnippets() []string {
	return []string{
		"",
		"ssl_protocols TLSv1.2 TLSv1.3;",
		"ssl_protocols SSLv2 SSLv3 TLSv1;",
		"ssl_protocols TLSv1.2; ssl_protocols TLSv1.3;",
		"ssl_protocols TLSv1.2 TLSv1.2;",
		"ssl_protocols tlsv1.2;",
		"ssl_protocols TLSv1.4;",
		"ssl_protocols TLSv1.0;",
		"ssl_protocols;",
		"ssl_ciphers HIGH:!aNULL;",
		"ssl_ciphers ECDHE+AESCGM;",
		"ssl_ciphers ECDHE+AESCGM:AES128-SHA;",
		"ssl_ciphers TLS_AES_128_GCM_SHA256;",
		"ssl_ciphers TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;",
		`ssl_ciphers "";`,
		"ssl_ciphers HIGH LOW;",
		"ssl_ciphers HIGH; ssl_ciphers DEFAULT;",
		"ssl_ciphers DEFAULT:@SECLEVEL=0;",
		"ssl_ciphers DEFAULT:@SECLEVEL=9;",
		"ssl_ciphers DEFAULT:@SECLEVEL=4;",
		"ssl_ciphers SUITEB128;",
		"ssl_ecdh_curve X25519:prime256v1;",
		"ssl_ecdh_curve X25519:foo;",
		"ssl_ecdh_curve P-256;",
		"ssl_ecdh_curve x25519;",
		"ssl_ecdh_curve auto;",
		`ssl_ecdh_curve "";`,
		"ssl_ecdh_curve X25519:X25519;",
		"ssl_prefer_server_ciphers on;",
		"ssl_prefer_server_ciphers ON;",
		"ssl_prefer_server_ciphers yes;",
		"ssl_dhparam DIR/dh.pem;",
		"ssl_dhparam DIR/empty.pem;",
		"ssl_certificate DIR/empty.pem; ssl_certificate_key DIR/rsa.key;",
		"ssl_certificate DIR/ec.crt; ssl_certificate_key DIR/ec.key;",
		"ssl_verify_client on; ssl_client_certificate DIR/rsa.crt;",
		"ssl_verify_client on;",
		"ssl_verify_client optional_no_ca;",
		"ssl_verify_client optional;",
		"ssl_verify_client perhaps;",
		"ssl_verify_depth 3;",
		"ssl_conf_command MinProtocol TLSv1.2;",
		"ssl_conf_command minprotocol TLSv1.2;",
		"ssl_conf_command Foo bar;",
		"ssl_conf_command MinProtocol TLSv9;",
		"ssl_conf_command MinProtocol;",
		"ssl_conf_command Options -ServerPreference,PrioritizeChaCha;",
		"ssl_conf_command Options Foo;",
		"ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;",
		"ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA255;",
		"ssl_conf_command SignatureAlgorithms RSA+SHA256:rsa_pss_rsae_sha512;",
		"ssl_conf_command SignatureAlgorithms RSA+SHA257;",
		"ssl_protocol TLSv1.2;",
		"SSL_PROTOCOLS TLSv1.2;",
		"http2 on;",
		"ssl_reject_handshake on;",
		"ssl_reject_handshake perhaps;",
		"ssl_session_tickets off; ssl_session_timeout 5m; ssl_buffer_size 4k;",
		"location / { ssl_protocols TLSv1.2; }",
		"location / { proxy_pass https://127.0.0.1:1; proxy_ssl_protocols TLSv1.2; }",
		"location / { proxy_pass https://127.0.0.1:1; proxy_ssl_protocols TLSv1.9; }",
		"location / { proxy_pass https://127.0.0.1:1; proxy_ssl_ciphers FOO; }",
		"server_name a.example *.b.example ~^c;",
		"ssl_protocols TLSv1.2",
		"ssl_protocols TLSv1.2; }",
	}
}
