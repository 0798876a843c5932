package importertest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// httpdFrame lets httpd run without root, with the modules that the tests need where they are not built in. MODULES is where they lie.
const httpdFrame = `ServerRoot DIR
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

// httpdModules is where Debian has the modules of httpd.
const httpdModules = "/usr/lib/apache2/modules"

// HTTPD writes a configuration for httpd in dir. RSA; ECDSA; EC384; and ED; stand for the two directives of a certificate, @ for a virtual
// host's first line and the switch that turns TLS on, DIR for the directory. The test is skipped where httpd's modules are missing.
func HTTPD(t testing.TB, dir, port, text string) (file string) {
	t.Helper()
	if _, err := os.Stat(httpdModules); err != nil {
		t.Skipf("the modules of httpd are not where they are looked for: %v", err)
	}
	KeyPairs(t, dir, "rsa", "ec", "ec384", "ed")
	Write(t, filepath.Join(dir, "dh.pem"), DH2048)
	file = filepath.Join(dir, "httpd.conf")
	pair := regexp.MustCompile(`\b(RSA|ECDSA|EC384|ED);\s*`)
	text = pair.ReplaceAllStringFunc(text, func(word string) string {
		name := map[string]string{"RSA;": "rsa", "ECDSA;": "ec", "EC384;": "ec384", "ED;": "ed"}[strings.TrimSpace(word)]
		return "SSLCertificateFile " + name + ".crt\nSSLCertificateKeyFile " + name + ".key\n"
	})
	text = strings.NewReplacer("> @; ", ">\n<VirtualHost 127.0.0.1:PORT>\nSSLEngine on\n", "@; ", "<VirtualHost 127.0.0.1:PORT>\nSSLEngine on\n", "; ", "\n", "</", "\n</").Replace(text)
	Write(t, file, strings.NewReplacer("MODULES", httpdModules, "DIR", dir, "PORT", port).Replace(httpdFrame+text+"\n"))
	return file
}
