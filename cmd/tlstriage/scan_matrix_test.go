package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// scanOnce runs `scan ... -o json` and gives its one result. What is not answered on a machine that does much else is not answered late.
func scanOnce(t *testing.T, args ...string) *scanned {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), append([]string{"scan", "-o", "json", "--fail-on", "never", "--timeout", "30s"}, args...), strings.NewReader(""), &stdout, &stderr)
	if code != 0 {
		t.Fatalf("scan %q: exit code %d: %s", args, code, stderr.String())
	}
	s := &scanned{}
	if err := json.Unmarshal(stdout.Bytes(), s); err != nil {
		t.Fatalf("scan %q: %v: %s", args, err, stdout.String())
	}
	return s
}

// configured holds an endpoint against its configuration: all that is enumerated is what the configuration says.
func configured(t *testing.T, port, ref string, more ...string) *scanned {
	t.Helper()
	s := scanOnce(t, append([]string{"127.0.0.1:" + port, "--sni", "localhost", "--policy", ref}, more...)...)
	if s.Policy == nil {
		t.Fatalf("nothing was enumerated: %s", s.sentence())
	}
	for _, c := range s.Policy.Changes {
		t.Errorf("enumerated is not what is configured: %s", c.Sentence("the configuration"))
	}
	for _, text := range s.Inconclusive {
		t.Errorf("inconclusive: %s", text)
	}
	return s
}

// TestScanOfNginxIsWhatIsConfigured scans servers of one nginx, each with a configuration of its own.
func TestScanOfNginxIsWhatIsConfigured(t *testing.T) {
	nginx := importertest.Program(t, "nginx")
	version := importertest.Version(t, nginx, `nginx/([0-9.]+)`, "-v")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec", "ec384")
	importertest.Write(t, filepath.Join(dir, "dh.pem"), dhParameters(t, "ffdhe2048"))
	const rsa, ecdsa, p384 = "ssl_certificate rsa.crt; ssl_certificate_key rsa.key;", "ssl_certificate ec.crt; ssl_certificate_key ec.key;", "ssl_certificate ec384.crt; ssl_certificate_key ec384.key;"
	cases := []struct {
		name, listen, body string
		check              func(t *testing.T, s *scanned)
	}{
		{"defaults, RSA", "ssl", rsa, nil},
		{"defaults, ECDSA", "ssl", ecdsa, nil},
		{"both certificates, its order", "ssl http2", rsa + ecdsa + "ssl_prefer_server_ciphers on;", func(t *testing.T, s *scanned) {
			if len(s.Certificates) != 2 || s.CipherPreference["TLSv1.2"] != "server" {
				t.Errorf("%d certificates, preference %v; want 2 and the server's", len(s.Certificates), s.CipherPreference)
			}
		}},
		{"Mozilla intermediate", "ssl", rsa + ecdsa + "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384; ssl_prefer_server_ciphers off; ssl_dhparam dh.pem;", func(t *testing.T, s *scanned) {
			if len(s.FiniteFields) != 1 || s.FiniteFields[0].Bits != 2048 || s.FiniteFields[0].Known != "ffdhe2048" {
				t.Errorf("DH parameters %+v, want ffdhe2048", s.FiniteFields)
			}
		}},
		{"TLS 1.3 alone", "ssl", rsa + "ssl_protocols TLSv1.3;", nil},
		{"TLS 1.2 alone, one suite", "ssl", rsa + "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384;", nil},
		{"everything old", "ssl", rsa + "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:COMPLEMENTOFALL:@SECLEVEL=0; ssl_dhparam dh.pem; ssl_prefer_server_ciphers on;", nil},
		{"TLS 1.0 to 1.2 with CBC", "ssl", rsa + "ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers AES128-SHA:AES256-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0; ssl_prefer_server_ciphers on;", nil},
		{"curves", "ssl", rsa + "ssl_ecdh_curve secp384r1:X25519;", nil},
		{"one curve", "ssl", rsa + "ssl_ecdh_curve prime256v1;", nil},
		{"P-384 certificate", "ssl", p384 + "ssl_ecdh_curve prime256v1:secp384r1;", nil},
		{"no forward secrecy", "ssl", rsa + "ssl_protocols TLSv1.2; ssl_ciphers kRSA+AES;", func(t *testing.T, s *scanned) { wantFinding(t, s, "server-no-forward-secrecy") }},
		{"client certificate required", "ssl", rsa + "ssl_client_certificate rsa.crt; ssl_verify_client on;", func(t *testing.T, s *scanned) {
			if s.ClientCertificate.Request != "required" || !slices.Contains(s.ClientCertificate.Authorities, "CN=localhost") {
				t.Errorf("client certificate %+v", s.ClientCertificate)
			}
		}},
		{"client certificate optional", "ssl", rsa + "ssl_client_certificate rsa.crt; ssl_verify_client optional;", func(t *testing.T, s *scanned) {
			if s.ClientCertificate.Request != "requested" {
				t.Errorf("client certificate %+v", s.ClientCertificate)
			}
		}},
		{"no tickets, cache", "ssl", rsa + "ssl_session_tickets off; ssl_session_cache shared:S:1m;", func(t *testing.T, s *scanned) {
			if s.Resumption["ticket"].Reply != "no" || s.Resumption["session_id"].Reply != "yes" {
				t.Errorf("resumption %+v", s.Resumption)
			}
		}},
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "daemon off; master_process off; pid %s/pid; error_log stderr notice;\nevents {}\nhttp { access_log off;\n", dir)
	for _, d := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&conf, "%s_temp_path %s/%s;\n", d, dir, d)
	}
	ports := make([]string, len(cases))
	for i, c := range cases {
		ports[i] = importertest.FreePort(t)
		fmt.Fprintf(&conf, "server { listen 127.0.0.1:%s %s; server_name localhost; %s\n return 200 ok; }\n", ports[i], c.listen, c.body)
	}
	conf.WriteString("}\n")
	file := filepath.Join(dir, "nginx.conf")
	importertest.Write(t, file, conf.String())
	importertest.Start(t, "start worker|using the|nginx/", nginx, "-p", dir, "-c", file)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			importertest.AwaitPort(t, "127.0.0.1:"+ports[i])
			s := configured(t, ports[i], file+"#version="+version+"&listen=127.0.0.1:"+ports[i])
			if c.check != nil {
				c.check(t, s)
			}
		})
	}
}

// wantFinding wants a finding.
func wantFinding(t *testing.T, s *scanned, id string) {
	t.Helper()
	var ids []string
	for _, f := range s.Findings {
		if f.ID == id {
			return
		}
		ids = append(ids, f.ID)
	}
	t.Errorf("no finding %s among %v", id, ids)
}

// dhParameters are those of a named group.
func dhParameters(t *testing.T, group string) string {
	t.Helper()
	said, ok := importertest.Run(t, importertest.Program(t, "openssl"), "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:"+group)
	if !ok {
		t.Fatalf("no parameters of %s: %s", group, said)
	}
	return said
}

// TestScanOfApacheIsWhatIsConfigured is the same with Apache httpd.
func TestScanOfApacheIsWhatIsConfigured(t *testing.T) {
	apache := importertest.Program(t, "apache2")
	version := importertest.Version(t, apache, `Apache/([0-9.]+)`, "-v")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	cases := []struct {
		name, body string
		check      func(t *testing.T, s *scanned)
	}{
		{"defaults", "", nil},
		{"versions and suites", "SSLProtocol -all +TLSv1.2\nSSLCipherSuite ECDHE+AESGCM\nSSLHonorCipherOrder on", nil},
		{"TLS 1.3 suites", "SSLProtocol -all +TLSv1.3\nSSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", nil},
		{"old versions", "SSLProtocol all\nSSLCipherSuite DEFAULT:@SECLEVEL=0", nil},
		{"client certificate", "SSLVerifyClient require\nSSLCACertificateFile " + dir + "/rsa.crt", func(t *testing.T, s *scanned) {
			if s.ClientCertificate.Request != "required" {
				t.Errorf("client certificate %+v", s.ClientCertificate)
			}
		}},
	}
	modules := "/usr/lib/apache2/modules"
	var conf strings.Builder
	fmt.Fprintf(&conf, "ServerRoot %s\nServerName localhost\nPidFile %s/pid\nErrorLog /dev/stderr\nLogLevel info\nDocumentRoot %s\n", dir, dir, dir)
	for _, m := range []string{"mpm_event", "authz_core", "socache_shmcb", "ssl"} {
		fmt.Fprintf(&conf, "LoadModule %s_module %s/mod_%s.so\n", m, modules, m)
	}
	ports := make([]string, len(cases))
	for i, c := range cases {
		ports[i] = importertest.FreePort(t)
		fmt.Fprintf(&conf, "Listen 127.0.0.1:%s https\n<VirtualHost 127.0.0.1:%s>\nServerName localhost\nSSLEngine on\nSSLCertificateFile %s/rsa.crt\nSSLCertificateKeyFile %s/rsa.key\n%s\n</VirtualHost>\n", ports[i], ports[i], dir, dir, c.body)
	}
	file := filepath.Join(dir, "httpd.conf")
	importertest.Write(t, file, conf.String())
	importertest.Start(t, "resuming normal operations|configured", apache, "-D", "FOREGROUND", "-f", file)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			importertest.AwaitPort(t, "127.0.0.1:"+ports[i])
			s := configured(t, ports[i], file+"#kind=apache&version="+version+"&server_name=localhost&listen=127.0.0.1:"+ports[i])
			if c.check != nil {
				c.check(t, s)
			}
		})
	}
}

// TestScanOfCaddyIsWhatIsConfigured is the same with Caddy, whose library is Go's.
func TestScanOfCaddyIsWhatIsConfigured(t *testing.T) {
	caddy := importertest.Program(t, "caddy")
	version := importertest.Version(t, caddy, `v?([0-9.]+)`, "version")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	cases := []struct{ name, tls string }{
		{"defaults", dir + "/rsa.crt " + dir + "/rsa.key"},
		{"ECDSA", dir + "/ec.crt " + dir + "/ec.key"},
		{"TLS 1.2 alone", dir + "/rsa.crt " + dir + "/rsa.key {\n protocols tls1.2 tls1.2\n ciphers TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n}"},
		{"TLS 1.3 alone, curves", dir + "/rsa.crt " + dir + "/rsa.key {\n protocols tls1.3 tls1.3\n curves x25519 secp384r1\n}"},
	}
	var conf strings.Builder
	conf.WriteString("{\n admin off\n auto_https off\n}\n")
	ports := make([]string, len(cases))
	for i, c := range cases {
		ports[i] = importertest.FreePort(t)
		fmt.Fprintf(&conf, "https://localhost:%s {\n bind 127.0.0.1\n tls %s\n respond ok\n}\n", ports[i], c.tls)
	}
	file := filepath.Join(dir, "Caddyfile")
	importertest.Write(t, file, conf.String())
	importertest.Start(t, "serving initial configuration", caddy, "run", "--adapter", "caddyfile", "--config", file)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			importertest.AwaitPort(t, "127.0.0.1:"+ports[i])
			configured(t, ports[i], file+"#version="+version+"&server_name=localhost&listen=:"+ports[i])
		})
	}
}

// TestScanOfHAProxyIsWhatIsConfigured is the same with HAProxy.
func TestScanOfHAProxyIsWhatIsConfigured(t *testing.T) {
	haproxy := importertest.Program(t, "haproxy")
	version := importertest.Version(t, haproxy, `version ([0-9.]+)`, "-v")
	dir := t.TempDir()
	importertest.KeyPairs(t, dir, "rsa", "ec")
	cases := []struct {
		name, bind string
		check      func(t *testing.T, s *scanned)
	}{
		{"defaults", "crt " + dir + "/rsa.pem", nil},
		{"ECDSA", "crt " + dir + "/ec.pem", nil},
		{"TLS 1.2 and suites", "crt " + dir + "/rsa.pem ssl-max-ver TLSv1.2 ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA", nil},
		{"TLS 1.0 and up", "crt " + dir + "/rsa.pem ssl-min-ver TLSv1.0 ciphers ECDHE-RSA-AES128-SHA:AES128-SHA:AES256-SHA:@SECLEVEL=0", nil},
		{"TLS 1.3 alone, suites", "crt " + dir + "/rsa.pem ssl-min-ver TLSv1.3 ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_CCM_SHA256", nil},
		{"curves and ALPN", "crt " + dir + "/rsa.pem curves X25519:P-256 alpn h2,http/1.1", func(t *testing.T, s *scanned) {
			if !slices.Equal(s.ALPN, []string{"h2", "http/1.1"}) {
				t.Errorf("ALPN %v", s.ALPN)
			}
		}},
		{"the client's order", "crt " + dir + "/rsa.pem prefer-client-ciphers", func(t *testing.T, s *scanned) {
			if s.CipherPreference["TLSv1.2"] != "client" {
				t.Errorf("preference %v", s.CipherPreference)
			}
		}},
		{"strict names", "crt " + dir + "/rsa.pem strict-sni", func(t *testing.T, s *scanned) { wantFinding(t, s, "server-name-required") }},
		{"client certificate", "crt " + dir + "/rsa.pem ca-file " + dir + "/rsa.crt verify required", func(t *testing.T, s *scanned) {
			if s.ClientCertificate.Request != "required" {
				t.Errorf("client certificate %+v", s.ClientCertificate)
			}
		}},
		{"no tickets", "crt " + dir + "/rsa.pem no-tls-tickets", func(t *testing.T, s *scanned) {
			if s.Resumption["ticket"].Reply != "no" {
				t.Errorf("resumption %+v", s.Resumption)
			}
		}},
	}
	var conf strings.Builder
	conf.WriteString("global\n  tune.ssl.default-dh-param 2048\ndefaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 60s\n")
	ports := make([]string, len(cases))
	for i, c := range cases {
		ports[i] = importertest.FreePort(t)
		fmt.Fprintf(&conf, "frontend f%d\n  bind 127.0.0.1:%s ssl %s\n  http-request return status 200 content-type text/plain string ok\n", i, ports[i], c.bind)
	}
	file := filepath.Join(dir, "haproxy.cfg")
	importertest.Write(t, file, conf.String())
	importertest.Start(t, "Loading success|New worker", haproxy, "-W", "-f", file)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			importertest.AwaitPort(t, "127.0.0.1:"+ports[i])
			s := configured(t, ports[i], file+"#version="+version+"&server_name=localhost&listen=127.0.0.1:"+ports[i])
			if c.check != nil {
				c.check(t, s)
			}
		})
	}
}
