package haproxy_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/haproxy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestVerdictsAreThoseOfHAProxy: what stands in global, on a bind line or in a backend is refused by the import where `haproxy -c`
// refuses it, and nowhere else.
func TestVerdictsAreThoseOfHAProxy(t *testing.T) {
	path := importertest.Program(t, "haproxy")
	version := importertest.Version(t, path, `version ([\d.]+)`, "-v")
	dir := t.TempDir()
	keyPairs(t, dir)
	importertest.KeyPair(t, dir, "small", importertest.Key(t, "rsa1024"), "localhost")
	importertest.Write(t, filepath.Join(dir, "dh.pem"), importertest.DH2048)
	importertest.Write(t, filepath.Join(dir, "empty.pem"), "nothing\n")
	importertest.Write(t, filepath.Join(dir, "list"), "rsa.pem [alpn h2 ssl-min-ver TLSv1.2] a.example\n")
	importertest.Write(t, filepath.Join(dir, "wrong.list"), "rsa.pem [alpn h2 nonsense] a.example\n")
	importertest.Write(t, filepath.Join(dir, "open.list"), "rsa.pem [alpn h2 a.example\n")
	conf := filepath.Join(dir, "haproxy.cfg")
	importertest.Verdicts(t, verdictSnippets(), func(t *testing.T, text string) (string, bool) {
		global, bind, backend := "", "crt DIR/rsa.pem", ""
		switch kind, rest, _ := strings.Cut(text, ": "); kind {
		case "global":
			global = rest
		case "bind":
			bind += " " + rest
		case "line":
			bind = rest
		case "server":
			backend = "\nbackend b\n  server s 127.0.0.1:1 ssl verify none " + rest
		}
		text = "global\n  crt-base DIR\n  " + global + "\ndefaults\n  mode tcp\n  timeout client 10s\n  timeout connect 10s\n  timeout server 10s\nfrontend f\n  bind 127.0.0.1:PORT ssl " + bind + backend + "\n"
		importertest.Write(t, conf, strings.NewReplacer("DIR", dir, "PORT", importertest.FreePort(t)).Replace(text))
		return importertest.Run(t, path, "-c", "-f", conf)
	}, func(t *testing.T, _ string) (*imported.Result, error) {
		return haproxy.Import(importertest.Files{}, conf, imported.Options{Version: version, OpenSSL: "3.0"})
	})
}

func verdictSnippets() []string {
	return []string{
		"", "global: ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets", "global: ssl-default-bind-options ssl-min-ver TLSv1.9", "global: ssl-default-bind-options foo",
		"global: ssl-default-bind-ciphers HIGH:!aNULL", "global: ssl-default-bind-ciphers FOO", "global: ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256",
		"global: ssl-default-bind-ciphersuites TLS_FOO", "global: ssl-default-bind-curves X25519:P-256", "global: ssl-default-bind-curves foo", "global: ssl-default-bind-foo x",
		"global: tune.ssl.default-dh-param 2048", "global: tune.ssl.default-dh-param 100", "global: tune.ssl.default-dh-param x", "global: ssl-dh-param-file DIR/dh.pem", "global: ssl-dh-param-file DIR/empty.pem",
		"global: ssl-default-server-ciphers HIGH", "global: ssl-default-server-options no-tlsv10", "global: ssl-default-bind-options no-tlsv13 no-tlsv12 no-tlsv11 no-tlsv10",
		"line: ", "line: strict-sni", "line: crt", "line: crt DIR/empty.pem", "line: crt rsa.pem", "line: crt DIR/small.pem", "line: crt DIR/small.pem ciphers DEFAULT:@SECLEVEL=0", "line: crt DIR/both", "line: crt-list DIR/list", "line: crt-list DIR/wrong.list", "line: crt-list DIR/open.list",
		"bind: ciphers ECDHE+AESGCM", "bind: ciphers ECDHE+AESCGM", `bind: ciphers ""`, "bind: ciphers", "bind: ciphers DEFAULT:@SECLEVEL=0", "bind: ciphers DEFAULT:@SECLEVEL=4", "bind: ciphers DEFAULT:@SECLEVEL=9",
		"bind: ciphersuites TLS_AES_128_GCM_SHA256", "bind: ciphersuites TLS_FOO", `bind: ciphersuites ""`, "bind: ssl-min-ver TLSv1.2", "bind: ssl-min-ver TLSv1", "bind: ssl-min-ver", "bind: ssl-max-ver TLSv1.3 ssl-min-ver TLSv1.0",
		"bind: ssl-min-ver TLSv1.3 ssl-max-ver TLSv1.2", "bind: force-tlsv12", "bind: force-tlsv14", "bind: no-tlsv12", "bind: no-sslv3 no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13", "bind: curves X25519:P-384", "bind: curves foo", "bind: ecdhe P-256",
		"bind: ecdhe foo", "bind: curves P-256 ecdhe P-384", "bind: alpn h2,http/1.1", "bind: alpn", `bind: alpn h2,,http/1.1`, "bind: npn h2", "bind: verify required ca-file DIR/rsa.pem", "bind: verify optional ca-file DIR/rsa.pem",
		"bind: verify required", "bind: verify none", "bind: verify perhaps", "bind: verify", "bind: chiphers X", "bind: prefer-client-ciphers", "bind: allow-0rtt", "bind: crt DIR/ec.pem", "bind: default-crt DIR/ec.pem",
		"bind: strict-sni", "bind: generate-certificates", "bind: ca-file DIR/empty.pem verify optional", "bind: name edge", "bind: accept-proxy",
		"server: ciphers HIGH", "server: ciphers FOO", "server: ssl-min-ver TLSv1.2", "server: ssl-min-ver TLSv1.9", "server: sni str(a.example)", "server: alpn h2", "server: force-tlsv12", "server: verify perhaps",
		"server: ciphersuites TLS_FOO", "server: crt DIR/rsa.pem", "server: crt DIR/empty.pem", "server: foo",
	}
}
