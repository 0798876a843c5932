package apache_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/apache"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// frame lets httpd run without root, with the modules that the tests need where they are not built in. MODULES is where they lie.
const frame = `ServerRoot DIR
ServerName main.example
PidFile DIR/pid
DefaultRuntimeDir DIR
Mutex file:DIR
ErrorLog /dev/stderr
LogLevel notice
User www-data
Group www-data
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule socache_shmcb_module MODULES/mod_socache_shmcb.so
LoadModule ssl_module MODULES/mod_ssl.so
LoadModule http2_module MODULES/mod_http2.so
Listen 127.0.0.1:PORT
`

// modules is where Debian has the modules of httpd.
const modules = "/usr/lib/apache2/modules"

// configuration is one for httpd in dir. RSA; and the like stand for the two directives of a certificate, @ for a virtual host's first
// line and the switch that turns TLS on.
func configuration(t testing.TB, dir, port, text string) (file string) {
	t.Helper()
	if _, err := os.Stat(modules); err != nil {
		t.Skipf("the modules of httpd are not where they are looked for: %v", err)
	}
	importertest.KeyPairs(t, dir, "rsa", "ec", "ec384", "ed")
	importertest.Write(t, filepath.Join(dir, "dh.pem"), importertest.DH2048)
	file = filepath.Join(dir, "httpd.conf")
	pair := regexp.MustCompile(`\b(RSA|ECDSA|EC384|ED);\s*`)
	text = pair.ReplaceAllStringFunc(text, func(word string) string {
		name := map[string]string{"RSA;": "rsa", "ECDSA;": "ec", "EC384;": "ec384", "ED;": "ed"}[strings.TrimSpace(word)]
		return "SSLCertificateFile " + name + ".crt\nSSLCertificateKeyFile " + name + ".key\n"
	})
	text = strings.NewReplacer("@; ", "<VirtualHost 127.0.0.1:PORT>\nSSLEngine on\n", "; ", "\n", "</", "\n</").Replace(text)
	importertest.Write(t, file, strings.NewReplacer("MODULES", modules, "DIR", dir, "PORT", port).Replace(frame+text+"\n"))
	return file
}

// TestHTTPDAnswersAsImported imports configurations, starts httpd with them, and holds its answers to the recorded hellos against the
// policies. Names are asked for as a client does; "" is none.
func TestHTTPDAnswersAsImported(t *testing.T) {
	path := importertest.Program(t, "apache2")
	version := importertest.Version(t, path, `Apache/([\d.]+)`, "-v")
	tests := []struct {
		name, text string
		ask        []string
	}{
		{"defaults with RSA", `@; RSA; </VirtualHost>`, []string{"", "localhost"}},
		{"defaults with ECDSA", `@; ECDSA; </VirtualHost>`, []string{"localhost"}},
		{"both certificates", `@; RSA; ECDSA; </VirtualHost>`, []string{"", "localhost"}},
		{"both, and the server's order", `@; ECDSA; RSA; SSLHonorCipherOrder on; Protocols h2 http/1.1; </VirtualHost>`, []string{"localhost"}},
		{"intermediate", `SSLProtocol -all +TLSv1.2 +TLSv1.3; SSLHonorCipherOrder off; SSLSessionTickets off
			SSLCipherSuite ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256
			@; RSA; ECDSA; </VirtualHost>`, []string{"localhost"}},
		{"modern", `@; ECDSA; SSLProtocol TLSv1.3; SSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256; </VirtualHost>`, []string{"localhost"}},
		{"TLS 1.2 alone", `@; RSA; SSLProtocol TLSv1.2; SSLCipherSuite HIGH:!aNULL; SSLHonorCipherOrder on; Protocols h2; </VirtualHost>`, []string{"localhost"}},
		{"old, with security level 0", `@; RSA; SSLProtocol all; SSLCipherSuite ALL:@SECLEVEL=0; SSLHonorCipherOrder on; </VirtualHost>`, []string{"localhost"}},
		{"old, but for the security level", `@; RSA; SSLProtocol all; </VirtualHost>`, []string{"localhost"}},
		{"a hole between the versions", `@; RSA; SSLProtocol TLSv1 +TLSv1.2; SSLCipherSuite DEFAULT:@SECLEVEL=0; </VirtualHost>`, []string{"localhost"}},
		{"commands of OpenSSL", `@; RSA; SSLProtocol all; SSLHonorCipherOrder on; SSLOpenSSLConfCmd MinProtocol TLSv1.2; SSLOpenSSLConfCmd Options PrioritizeChaCha
			SSLOpenSSLConfCmd Groups P-256:X448; SSLOpenSSLConfCmd SignatureAlgorithms RSA+SHA256:rsa_pss_rsae_sha256; </VirtualHost>`, []string{"localhost"}},
		{"curves and parameters", `@; RSA; SSLOpenSSLConfCmd Curves secp384r1:X25519; SSLOpenSSLConfCmd DHParameters DIR/dh.pem; SSLCipherSuite DHE:ECDHE:kRSA; SSLHonorCipherOrder on; </VirtualHost>`, []string{"localhost"}},
		{"ciphers by a command", `@; RSA; SSLOpenSSLConfCmd CipherString AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256; SSLOpenSSLConfCmd Ciphersuites TLS_AES_128_GCM_SHA256; </VirtualHost>`, []string{"localhost"}},
		{"P-384 at level 3", `@; EC384; SSLCipherSuite EECDH+AESGCM:@SECLEVEL=3; </VirtualHost>`, []string{"localhost"}},
		{"Ed25519", `@; ED; </VirtualHost>`, []string{"localhost"}},
		{"Suite B", `@; ECDSA; SSLProtocol all; SSLCipherSuite SUITEB128; </VirtualHost>`, []string{"localhost"}},
		{"client certificates", `@; RSA; SSLVerifyDepth 2; SSLVerifyClient require; SSLCACertificateFile rsa.crt; </VirtualHost>`, []string{"localhost"}},
		{"client certificates that may lack", `@; ECDSA; SSLVerifyClient optional_no_ca; </VirtualHost>`, []string{"localhost"}},
		{"names", `@; ServerName one.example; RSA; SSLProtocol TLSv1.2; SSLCipherSuite ECDHE-RSA-AES128-GCM-SHA256; SSLOpenSSLConfCmd Groups P-256; </VirtualHost>
			@; ServerName two.example; ServerAlias *.deep.example; ECDSA; SSLProtocol TLSv1.3; SSLOpenSSLConfCmd Groups X25519; SSLHonorCipherOrder on; Protocols h2; </VirtualHost>`,
			[]string{"", "one.example", "other.example", "two.example", "a.b.deep.example"}},
		{"names, and the main server's settings", `SSLProtocol all; SSLCipherSuite HIGH:@SECLEVEL=0; SSLHonorCipherOrder on
			@; ServerName one.example; RSA; </VirtualHost>
			@; ServerName two.example; RSA; SSLCipherSuite AES128-SHA:AES256-SHA; SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256; SSLHonorCipherOrder off; </VirtualHost>`,
			[]string{"", "one.example", "two.example"}},
		{"the named host's order", `@; ServerName one.example; RSA; SSLCipherSuite ECDHE:AES256-SHA:AES128-SHA; </VirtualHost>
			@; ServerName two.example; RSA; SSLCipherSuite AES128-SHA:AES256-SHA; SSLHonorCipherOrder on; SSLOpenSSLConfCmd Options PrioritizeChaCha; </VirtualHost>`, []string{"one.example", "two.example"}},
		{"names, strictly", `SSLStrictSNIVHostCheck on
			@; ServerName one.example; RSA; </VirtualHost>
			@; ServerName two.example; ECDSA; SSLProtocol TLSv1.2; </VirtualHost>`, []string{"", "one.example", "two.example", "other.example"}},
	}
	var total importertest.Count
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, port := t.TempDir(), importertest.FreePort(t)
			conf := configuration(t, dir, port, test.text)
			if said, ok := importertest.Run(t, path, "-t", "-f", conf); !ok {
				t.Fatalf("httpd refuses the configuration: %s", said)
			}
			r, err := apache.Import(importertest.Files{}, conf, imported.Options{Version: version})
			if err != nil {
				t.Fatal(err)
			}
			if importertest.Refused(r, nil) {
				t.Errorf("said to be refused: %q", importertest.Problems(r))
			}
			importertest.Start(t, `resuming normal operations`, path, "-D", "FOREGROUND", "-f", conf)
			importertest.AwaitPort(t, "127.0.0.1:"+port)
			for _, name := range test.ask {
				e := apache.Select(r, name, "127.0.0.1:"+port)
				if e == nil {
					t.Fatalf("no endpoint for %q", name)
				}
				n := importertest.Agree(t, "127.0.0.1:"+port, name, e.Policy)
				total.Sent, total.Accepted, total.Retried = total.Sent+n.Sent, total.Accepted+n.Accepted, total.Retried+n.Retried
			}
		})
	}
	t.Logf("httpd %s, %d configurations: %d hellos, %d accepted, %d asked again", version, len(tests), total.Sent, total.Accepted, total.Retried)
}
