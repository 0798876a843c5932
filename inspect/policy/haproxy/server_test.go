package haproxy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/haproxy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestHAProxyAnswersAsImported imports configurations, starts HAProxy with them, and holds its answers against the policies. In
// them DIR is the directory of the files, PORT a free port; ask are server names, "" is none.
func TestHAProxyAnswersAsImported(t *testing.T) {
	path := importertest.Program(t, "haproxy")
	tests := []struct {
		name, global, bind, list string
		ask                      []string
	}{
		{name: "defaults with RSA", bind: "crt DIR/rsa.pem", ask: []string{"", "localhost"}},
		{name: "defaults with ECDSA", bind: "crt DIR/ec.pem", ask: []string{"localhost"}},
		{name: "a bundle", bind: "crt DIR/both", ask: []string{"", "localhost"}},
		{name: "a directory", bind: "crt DIR/certs strict-sni", ask: []string{"", "localhost", "a.other.example", "a.b.other.example"}},
		{name: "variables and a base", global: "setenv CERT DIR/rsa.pem\n  crt-base DIR", bind: "crt \"${CERT}\" crt other.pem no-tlsv12", ask: []string{"localhost", "b.other.example"}},
		{name: "two certificates of a name", bind: "crt DIR/rsa.pem crt DIR/ec.pem", ask: []string{"", "localhost"}},
		{name: "two certificates, TLS 1.2", bind: "crt DIR/rsa.pem crt DIR/ec.pem ssl-max-ver TLSv1.2 ciphers ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA",
			ask: []string{"", "localhost"}},
		{name: "ALPN", bind: "crt DIR/rsa.pem alpn h2,http/1.1", ask: []string{"localhost"}},
		{name: "a strict name", bind: "strict-sni crt DIR/rsa.pem", ask: []string{"", "localhost", "two.example"}},
		{name: "intermediate", global: `ssl-default-bind-options ssl-min-ver TLSv1.2 prefer-client-ciphers no-tls-tickets
  ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384
  tune.ssl.default-dh-param 2048`, bind: "crt DIR/rsa.pem", ask: []string{"localhost"}},
		{name: "curves", global: "ssl-default-bind-curves X25519:P-256", bind: "crt DIR/rsa.pem", ask: []string{"localhost"}},
		{name: "curves of the line", global: "ssl-default-bind-curves X25519:P-256", bind: "crt DIR/rsa.pem curves P-384:P-521", ask: []string{"localhost"}},
		{name: "one curve", bind: "crt DIR/rsa.pem ecdhe secp384r1", ask: []string{"localhost"}},
		{name: "old", bind: "crt DIR/rsa.pem ssl-min-ver TLSv1.0 ciphers ALL:@SECLEVEL=0", ask: []string{"localhost"}},
		{name: "old, but for the security level", bind: "crt DIR/rsa.pem ssl-min-ver TLSv1.0", ask: []string{"localhost"}},
		{name: "modern", bind: "crt DIR/ec.pem force-tlsv13 ciphersuites TLS_CHACHA20_POLY1305_SHA256", ask: []string{"localhost"}},
		{name: "no TLS 1.3", bind: "crt DIR/ec.pem no-tlsv13", ask: []string{"localhost"}},
		{name: "client certificates", bind: "crt DIR/rsa.pem ca-file DIR/rsa.pem verify required", ask: []string{"localhost"}},
		{name: "a list", bind: "crt DIR/rsa.pem curves P-256:X25519 crt-list DIR/list", list: `# names
ec.pem [ssl-min-ver TLSv1.3 curves P-384 alpn h2] three.example
DIR/ec.pem [ciphers ECDHE-ECDSA-AES128-SHA ssl-max-ver TLSv1.2] *.list.example !not.list.example
DIR/other.pem
`, ask: []string{"", "localhost", "three.example", "a.list.example", "not.list.example", "a.b.list.example", "a.other.example"}},
		{name: "the default is in a list", bind: "crt-list DIR/list curves X25519", list: `DIR/ec.pem [curves P-384] !*
DIR/rsa.pem
`, ask: []string{"", "localhost"}},
		{name: "the default is in a list with settings of its own", global: "ssl-default-bind-options ssl-min-ver TLSv1.0", bind: "ssl-max-ver TLSv1.2 ciphers DEFAULT:@SECLEVEL=0 alpn http/1.1 crt-list DIR/list",
			list: `DIR/rsa.pem [ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.3 ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:@SECLEVEL=0 ciphersuites TLS_CHACHA20_POLY1305_SHA256 alpn h2 verify required ca-file DIR/rsa.pem] first.example
DIR/ec.pem [ssl-max-ver TLSv1.3] second.example
`, ask: []string{"", "nosuch.example", "first.example", "second.example"}},
		{name: "the default is in a list, with TLS 1.2 alone", bind: "crt-list DIR/list", list: `DIR/rsa.pem [ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 ciphers ECDHE-RSA-AES128-GCM-SHA256 alpn http/1.1] first.example
DIR/ec.pem [ssl-min-ver TLSv1.3] second.example
`, ask: []string{"", "nosuch.example", "first.example", "second.example"}},
	}
	total := 0
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, port := t.TempDir(), importertest.FreePort(t)
			keyPairs(t, dir)
			if err := os.Mkdir(filepath.Join(dir, "certs"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"ec.pem", "other.pem"} {
				if err := os.Link(filepath.Join(dir, name), filepath.Join(dir, "certs", name)); err != nil {
					t.Fatal(err)
				}
			}
			fill := strings.NewReplacer("DIR", dir, "PORT", port).Replace
			importertest.Write(t, filepath.Join(dir, "list"), fill(strings.Replace(test.list, "\nec.pem", "\nDIR/ec.pem", 1)))
			conf := filepath.Join(dir, "haproxy.cfg")
			importertest.Write(t, conf, fill(`global
  `+test.global+`
defaults
  mode tcp
  timeout client 10s
  timeout connect 10s
  timeout server 10s
frontend f
  bind 127.0.0.1:PORT ssl `+test.bind+`
  tcp-request content reject
`))
			if out, err := exec.Command(path, "-c", "-f", conf).CombinedOutput(); err != nil {
				t.Fatalf("HAProxy refuses the configuration: %s", out)
			}
			r, err := haproxy.Import(importertest.Files{}, conf, imported.Options{Version: importertest.Version(t, path, `version ([\d.]+)`, "-v")})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.Problems {
				t.Logf("%s:%d: %s", filepath.Base(p.File), p.Line, p.Text)
			}
			importertest.Start(t, ".", path, "-V", "-db", "-f", conf)
			importertest.AwaitPort(t, "127.0.0.1:"+port)
			for _, name := range test.ask {
				e := haproxy.Select(r, name, ":"+port)
				if e == nil && strings.Contains(test.bind, "strict-sni") {
					e = r.Endpoints[0] // whose policy refuses the name
				}
				if e == nil {
					t.Fatalf("no endpoint for %q", name)
				}
				total += importertest.Agree(t, "127.0.0.1:"+port, name, e.Policy).Sent
			}
		})
	}
	t.Logf("%d configurations, %d answers", len(tests), total)
}

// keyPairs writes rsa.pem, ec.pem and the bundle both for localhost, and other.pem for *.other.example.
func keyPairs(t testing.TB, dir string) {
	t.Helper()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	importertest.KeyPair(t, dir, "other", importertest.Key(t, "ec"), "*.other.example")
	for from, to := range map[string]string{"rsa.pem": "both.rsa", "ec.pem": "both.ecdsa"} {
		if err := os.Link(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
}
