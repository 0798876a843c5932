package nginx_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
)

// frame is a configuration that runs without root around an http or stream block. RSA, EC, EC384 and PORT stand for themselves.
const frame = `daemon off; pid DIR/pid; error_log stderr notice; worker_processes 1;
events {}
`

const httpFrame = `http {
  access_log off;
  client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; uwsgi_temp_path DIR; scgi_temp_path DIR;
`

func rendered(t testing.TB, dir, port, text string) string {
	t.Helper()
	return strings.NewReplacer(
		"DIR", dir, "PORT", port,
		"RSA;", "ssl_certificate rsa.crt; ssl_certificate_key rsa.key;",
		"EC;", "ssl_certificate ec.crt; ssl_certificate_key ec.key;",
		"EC384;", "ssl_certificate ec384.crt; ssl_certificate_key ec384.key;",
	).Replace(text)
}

// TestNginxAnswersAsImported imports configurations, starts nginx with them, and holds its answers against the policies.
func TestNginxAnswersAsImported(t *testing.T) {
	path := importertest.Program(t, "nginx")
	tests := []struct {
		name, text string
		ask        []string // server names; "" is none
	}{
		{"defaults with RSA", httpFrame + `server { listen 127.0.0.1:PORT ssl; RSA; } }`, []string{"", "localhost"}},
		{"defaults with ECDSA", httpFrame + `server { listen 127.0.0.1:PORT ssl; EC; } }`, []string{"localhost"}},
		{"both certificates", httpFrame + `server { listen 127.0.0.1:PORT ssl http2; RSA; EC; } }`, []string{"localhost"}},
		{"intermediate", httpFrame + `ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers off; ssl_ecdh_curve X25519:prime256v1:secp384r1;
			ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256;
			ssl_dhparam dh.pem; RSA; EC; server { listen 127.0.0.1:PORT ssl; } }`, []string{"localhost"}},
		{"modern", httpFrame + `server { listen 127.0.0.1:PORT ssl; EC; ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256; } }`, []string{"localhost"}},
		{"old, with security level 0", httpFrame + `server { listen 127.0.0.1:PORT ssl; RSA; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0; ssl_prefer_server_ciphers on; } }`, []string{"localhost"}},
		{"commands of OpenSSL", httpFrame + `server { listen 127.0.0.1:PORT ssl; RSA; ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
			ssl_conf_command MinProtocol TLSv1.2; ssl_conf_command Options PrioritizeChaCha; ssl_conf_command Groups P-256:X448; ssl_conf_command SignatureAlgorithms RSA+SHA256:rsa_pss_rsae_sha256; } }`, []string{"localhost"}},
		{"ECDSA with P-384 only", httpFrame + `server { listen 127.0.0.1:PORT ssl; EC384; ssl_ecdh_curve secp384r1; ssl_protocols TLSv1.2 TLSv1.3; } }`, []string{"localhost"}},
		{"two servers on a socket", httpFrame + `
			server { listen 127.0.0.1:PORT ssl default_server; server_name one.example; RSA; ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256; ssl_ecdh_curve prime256v1; }
			server { listen 127.0.0.1:PORT ssl; server_name two.example *.deep.example; EC; ssl_protocols TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:AES128-SHA; ssl_ecdh_curve X25519; } }`,
			[]string{"", "one.example", "other.example", "two.example", "a.b.deep.example"}},
		{"the default is not the first", httpFrame + `
			server { listen 127.0.0.1:PORT ssl; server_name one.example; RSA; ssl_prefer_server_ciphers on; ssl_ciphers AES128-SHA:AES256-SHA; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; }
			server { listen 127.0.0.1:PORT ssl default_server; server_name two.example; EC; ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Options ServerPreference; } }`,
			[]string{"", "one.example", "two.example"}},
		{"bounds of the default", httpFrame + `
			server { listen 127.0.0.1:PORT ssl; server_name one.example; RSA; ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command MaxProtocol TLSv1.2; }
			server { listen 127.0.0.1:PORT ssl; server_name two.example; EC; ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command MinProtocol TLSv1.3; ssl_conf_command SignatureAlgorithms ECDSA+SHA256; } }`,
			[]string{"", "one.example", "two.example"}},
		{"parameters and levels of the named server", httpFrame + `
			server { listen 127.0.0.1:PORT ssl; server_name one.example; RSA; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; }
			server { listen 127.0.0.1:PORT ssl; server_name two.example; RSA; ssl_dhparam dh.pem; ssl_ciphers DHE:@SECLEVEL=0; ssl_prefer_server_ciphers on; } }`,
			[]string{"one.example", "two.example"}},
		{"names are rejected by the default", httpFrame + `
			server { listen 127.0.0.1:PORT ssl default_server; ssl_reject_handshake on; }
			server { listen 127.0.0.1:PORT ssl; server_name two.example; RSA; } }`,
			[]string{"", "one.example", "two.example"}},
		{"a server without a certificate", httpFrame + `
			server { listen 127.0.0.1:PORT ssl; server_name one.example; RSA; ssl_protocols TLSv1.2; }
			server { listen 127.0.0.1:PORT ssl; server_name two.example; ssl_protocols TLSv1.3; ssl_ciphers AES128-SHA; } }`,
			[]string{"one.example", "two.example"}},
		{"client certificates", httpFrame + `server { listen 127.0.0.1:PORT ssl; RSA; ssl_verify_client on; ssl_client_certificate rsa.crt; } }`, []string{"localhost"}},
		{"stream", `stream { server { listen 127.0.0.1:PORT ssl; RSA; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers HIGH; ssl_prefer_server_ciphers on; return ""; } }`, []string{"localhost"}},
		{"stream with ALPN", `stream { server { listen 127.0.0.1:PORT ssl; EC; ssl_alpn h2 http/1.1; return ""; } }`, []string{"localhost"}},
		{"an include", httpFrame + `include sites/*.conf; }`, []string{"localhost"}},
	}
	total := 0
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, port := t.TempDir(), importertest.FreePort(t)
			importertest.KeyPairs(t, dir, "rsa", "ec", "ec384")
			importertest.Write(t, filepath.Join(dir, "dh.pem"), importertest.DH2048)
			conf := filepath.Join(dir, "nginx.conf")
			text := frame + test.text
			if strings.HasPrefix(test.text, "stream") {
				const module = "/usr/lib/nginx/modules/ngx_stream_module.so" // where Debian has it apart
				if _, err := os.Stat(module); err == nil {
					text = "load_module " + module + ";\n" + text
				}
			}
			importertest.Write(t, conf, rendered(t, dir, port, text))
			if strings.Contains(text, "sites/") {
				importertest.Write(t, filepath.Join(dir, "sites", "a.conf"), rendered(t, dir, port, `server { listen 127.0.0.1:PORT ssl; RSA; ssl_ciphers AESGCM+kEECDH; }`))
			}
			if out, err := exec.Command(path, "-t", "-p", dir, "-c", conf).CombinedOutput(); err != nil {
				t.Fatalf("nginx refuses the configuration: %s", out)
			}
			r, err := nginx.Import(importertest.Files{}, conf, imported.Options{Version: importertest.Version(t, path, `nginx/([\d.]+)`, "-v")})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.Problems {
				t.Logf("%s:%d: %s", filepath.Base(p.File), p.Line, p.Text)
			}
			importertest.Start(t, `start worker process`, path, "-p", dir, "-c", conf)
			for _, name := range test.ask {
				e := nginx.Select(r, name, "127.0.0.1:"+port)
				if e == nil {
					t.Fatalf("no endpoint for %q", name)
				}
				total += importertest.Agree(t, "127.0.0.1:"+port, name, e.Policy).Sent
			}
		})
	}
	t.Logf("%d configurations, %d answers", len(tests), total)
}
