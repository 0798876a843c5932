package caddy

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestVerdictsAreThoseOfCaddy: a connection policy (in JSON), or what stands in a tls block of a Caddyfile, is refused by the import where
// `caddy validate` refuses it, and nowhere else.
func TestVerdictsAreThoseOfCaddy(t *testing.T) {
	path := importertest.Program(t, "caddy")
	version := importertest.Version(t, path, `v?(\d+\.\d+\.\d+)`, "version")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa")
	importertest.Write(t, filepath.Join(dir, "empty.pem"), "nothing\n")
	file := ""
	importertest.Verdicts(t, verdictSnippets(), func(t *testing.T, text string) (string, bool) {
		adapter := "caddyfile"
		file = filepath.Join(dir, "Caddyfile")
		if strings.HasPrefix(text, "{") {
			adapter, file = "", filepath.Join(dir, "caddy.json")
			text = fmt.Sprintf(`{"admin":{"disabled":true},"apps":{"http":{"servers":{"s":{"listen":[":8443"],"tls_connection_policies":[%s],"routes":[{"match":[{"host":["a.example"]}]}]}}},
				"tls":{"certificates":{"load_files":[{"certificate":"DIR/rsa.crt","key":"DIR/rsa.key"}]}}}}`, text)
		} else {
			text = "{\n\tadmin off\n}\na.example:8443 {\n\ttls DIR/rsa.crt DIR/rsa.key {\n\t\t" + strings.ReplaceAll(text, "; ", "\n\t\t") + "\n\t}\n}\n"
		}
		importertest.Write(t, file, strings.ReplaceAll(text, "DIR", dir))
		return importertest.Run(t, path, "validate", "--config", file, "--adapter", adapter)
	}, func(t *testing.T, _ string) (*imported.Result, error) {
		return Import(importertest.Files{}, file, imported.Options{Version: version})
	})
}

func verdictSnippets() []string {
	return []string{
		`{}`, `{"protocol_min": "tls1.2"}`, `{"protocol_min": "tls1.1"}`, `{"protocol_max": "tls1.3", "protocol_min": "tls1.3"}`, `{"protocol_min": "tls1.3", "protocol_max": "tls1.2"}`, `{"protocol_min": ""}`,
		`{"cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}`, `{"cipher_suites": ["ECDHE-RSA-AES128-GCM-SHA256"]}`, `{"cipher_suites": ["TLS_RSA_WITH_AES_128_CBC_SHA"]}`, `{"cipher_suites": ["TLS_RSA_WITH_AES_128_CBC_SHA256"]}`,
		`{"cipher_suites": ["TLS_RSA_WITH_3DES_EDE_CBC_SHA"]}`, `{"cipher_suites": ["TLS_ECDHE_RSA_WITH_RC4_128_SHA"]}`, `{"cipher_suites": ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"]}`, `{"cipher_suites": ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"]}`,
		`{"cipher_suites": ["TLS_AES_128_GCM_SHA256"]}`, `{"cipher_suites": ["tls_ecdhe_rsa_with_aes_128_gcm_sha256"]}`, `{"cipher_suites": ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"]}`, `{"cipher_suites": []}`, `{"cipher_suites": [""]}`, `{"cipher_suites": "x"}`,
		`{"curves": ["x25519", "secp256r1"]}`, `{"curves": ["p256"]}`, `{"curves": ["foo"]}`, `{"alpn": ["h2"]}`, `{"alpn": "h2"}`, `{"client_authentication": {"mode": "request"}}`, `{"client_authentication": {"mode": "perhaps"}}`,
		`{"client_authentication": {"mode": "require_and_verify", "trusted_ca_certs_pem_files": ["DIR/rsa.crt"]}}`, `{"client_authentication": {"trusted_ca_certs_pem_files": ["DIR/empty.pem"]}}`, `{"client_authentication": {}}`, `{"default_sni": "a.example"}`,
		`{"match": {"sni": ["a.example"]}}`, `{"foo": 1}`, `{"certificate_selection": {"any_tag": ["x"]}}`, `{"protocol_min": 12}`, `{"client_authentication": {"mode": "require_and_verify"}}`, `{"client_authentication": {"mode": "verify_if_given"}}`,
		"protocols tls1.2 tls1.3", "protocols tls1.3", "protocols tls1.1", "protocols tls1.3 tls1.2", "protocols", "protocols tls1.2 tls1.2 tls1.3", "ciphers TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ciphers TLS_FOO", "ciphers TLS_RSA_WITH_RC4_128_SHA", "ciphers",
		"curves x25519", "curves foo", "curves", "alpn h2 http/1.1", "alpn", "client_auth {; mode request; }", "client_auth {; mode perhaps; }", "client_auth {; mode require_and_verify; trusted_ca_cert_file DIR/rsa.crt; }",
		"client_auth {; foo; }", "foo", "protocols tls1.2; protocols tls1.3", "key_type p256", "key_type foo",
	}
}
