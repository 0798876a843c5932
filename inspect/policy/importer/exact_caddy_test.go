package importer_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

func caddyEndpoints(t *testing.T) []*endpoint {
	version := importertest.Version(t, importertest.Program(t, "caddy"), `v?(\d+\.\d+\.\d+)`, "version")
	// A connection policy or several, with the certificates that are loaded. The hosts make Caddy serve those names.
	cases := []struct {
		certs, policies string
		names           []string
	}{
		{"rsa", `{}`, []string{"localhost", "", asRecorded}},
		{"ec", `{"default_sni": "localhost"}`, []string{"localhost", "", asRecorded}},
		{"ec384", `{"protocol_min": "tls1.3", "alpn": ["h2"]}`, []string{"localhost"}},
		{"rsa", `{"protocol_max": "tls1.2", "cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_128_GCM_SHA256"], "alpn": ["http/1.1"]}`, []string{"localhost"}},
		{"ec", `{"curves": ["secp384r1", "x25519"], "client_authentication": {"mode": "request"}}`, []string{"localhost"}},
		{"ed", `{"client_authentication": {"mode": "require"}}`, []string{"localhost"}},
		{"one two rsa", `{"protocol_min": "tls1.2"}`, []string{"localhost", "one.example", "two.example", "a.two.example", "", asRecorded}},
		{"two rsa", `{"default_sni": "two.example", "curves": ["secp384r1"]}`, []string{"localhost", "two.example", "", asRecorded}},
		{"one rsa", `{"match": {"sni": ["one.example"]}, "protocol_min": "tls1.3"}, {"curves": ["secp256r1"]}`, []string{"localhost", "one.example", "a.one.example", "", asRecorded}},
	}
	var out []*endpoint
	for _, c := range cases {
		out = append(out, &endpoint{system: "Caddy " + version, title: "tls_connection_policies: `" + c.policies + "`; load_files: " + c.certs, names: c.names,
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
				return startCaddy(t, l, version, "caddy.json", c.certs, caddyJSON, c.policies)
			}})
	}
	for _, tls := range []string{"", "protocols tls1.2 tls1.2\n    ciphers TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "curves secp521r1\n    alpn http/1.1"} {
		out = append(out, &endpoint{system: "Caddy " + version, title: "Caddyfile: tls ec.crt ec.key { " + strings.ReplaceAll(tls, "\n    ", "; ") + " }", names: []string{"localhost"},
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
				return startCaddy(t, l, version, "Caddyfile", "ec", caddyfile, tls)
			}})
	}
	return out
}

const caddyJSON = `{
  "admin": {"disabled": true},
  "apps": {
    "http": {
      "servers": {
        "s": {
          "listen": ["127.0.0.1:PORT"],
          "automatic_https": {"disable": true},
          "protocols": ["h1", "h2"],
          "routes": [{"handle": [{"handler": "static_response", "status_code": 204}]}],
          "tls_connection_policies": [POLICIES]
        }
      }
    },
    "tls": {"certificates": {"load_files": [FILES]}}
  }
}
`

const caddyfile = `{
  admin off
  auto_https off
  servers {
    protocols h1 h2
  }
}
https://localhost:PORT {
  bind 127.0.0.1
  tls FILES {
    POLICIES
  }
  respond 204
}
`

func startCaddy(t *testing.T, l *lab, version, file, certs, frame, policies string) (string, func(*testing.T, string) *policy.Policy) {
	t.Helper()
	port := importertest.FreePort(t)
	var files []string
	for _, name := range strings.Fields(certs) {
		cert := filepath.Join(l.dir, name)
		if frame == caddyfile {
			files = append(files, cert+".crt "+cert+".key")
		} else {
			files = append(files, `{"certificate": "`+cert+`.crt", "key": "`+cert+`.key"}`)
		}
	}
	conf := filepath.Join(l.temp(t), file)
	importertest.Write(t, conf, strings.NewReplacer("PORT", port, "POLICIES", policies, "FILES", strings.Join(files, ", ")).Replace(frame))
	args := []string{"run", "--config", conf}
	if frame == caddyfile {
		args = append(args, "--adapter", "caddyfile")
	}
	importertest.Start(t, "serving initial configuration", importertest.Program(t, "caddy"), args...)
	return "127.0.0.1:" + port, importing(conf, "caddy", version, port)
}
