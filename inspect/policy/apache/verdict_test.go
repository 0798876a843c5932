package apache_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/apache"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

// TestVerdictsAreThoseOfHTTPD: what stands in a virtual host is refused by the import where httpd does not start with it, and nowhere else.
// Its own check, `apache2 -t`, looks at the form of directives alone.
func TestVerdictsAreThoseOfHTTPD(t *testing.T) {
	path := importertest.Program(t, "apache2")
	version := importertest.Version(t, path, `Apache/([\d.]+)`, "-v")
	dir := t.TempDir()
	importertest.KeyPair(t, dir, "small", importertest.Key(t, "rsa1024"), "localhost")
	importertest.Write(t, filepath.Join(dir, "empty.pem"), "nothing\n")
	conf := filepath.Join(dir, "httpd.conf")
	importertest.Verdicts(t, verdictSnippets(), func(t *testing.T, text string) (string, bool) {
		if !strings.Contains(text, "@; ") {
			text = "@; RSA; " + text + "; </VirtualHost>"
		}
		importertest.HTTPD(t, dir, importertest.FreePort(t), text)
		return importertest.Starts(t, "resuming normal operations", path, "-D", "FOREGROUND", "-f", conf)
	}, func(t *testing.T, _ string) (*imported.Result, error) {
		return apache.Import(importertest.Files{}, conf, imported.Options{Version: version, OpenSSL: "3.0"})
	})
}

func verdictSnippets() []string {
	return []string{
		"", "SSLProtocol all", "SSLProtocol -all +TLSv1.2", "SSLProtocol TLSv1.2 TLSv1.3", "SSLProtocol tlsv1.2", "SSLProtocol TLSv1.4", "SSLProtocol -all", "SSLProtocol SSLv3", "SSLProtocol all -SSLv3 -SSLv2", "SSLProtocol +SSLv2",
		"SSLProtocol", "SSLProtocol TLSv1 +TLSv1.2", "SSLCipherSuite HIGH:!aNULL", "SSLCipherSuite FOO", "SSLCipherSuite ECDHE+AESCGM:AES128-SHA", "SSLCipherSuite", `SSLCipherSuite ""`, "SSLCipherSuite SSL HIGH", "SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256",
		"SSLCipherSuite TLSv1.3 TLS_FOO", "SSLCipherSuite TLSv1.2 HIGH", "SSLCipherSuite a b c", "SSLCipherSuite DEFAULT:@SECLEVEL=0", "SSLCipherSuite DEFAULT:@SECLEVEL=4", "SSLCipherSuite DEFAULT:@SECLEVEL=9", "SSLCipherSuite SUITEB128",
		"SSLHonorCipherOrder on", "SSLHonorCipherOrder OFF", "SSLHonorCipherOrder perhaps", "SSLHonorCipherOrder", "SSLVerifyClient none", "SSLVerifyClient require; SSLCACertificateFile rsa.crt", "SSLVerifyClient require", "SSLVerifyClient optional", "SSLVerifyClient optional_no_ca",
		"SSLVerifyClient perhaps", "SSLVerifyDepth 2", "SSLCACertificateFile empty.pem", "SSLOpenSSLConfCmd Groups X25519:P-256", "SSLOpenSSLConfCmd Groups foo", "SSLOpenSSLConfCmd Foo bar", "SSLOpenSSLConfCmd MinProtocol TLSv1.2", "SSLOpenSSLConfCmd MinProtocol TLSv9",
		"SSLOpenSSLConfCmd Options -ServerPreference", "SSLOpenSSLConfCmd Options Foo", "SSLOpenSSLConfCmd DHParameters DIR/dh.pem", "SSLOpenSSLConfCmd DHParameters DIR/empty.pem", "SSLOpenSSLConfCmd Ciphersuites TLS_FOO", "SSLOpenSSLConfCmd CipherString FOO", "SSLOpenSSLConfCmd SignatureAlgorithms RSA+SHA256",
		"SSLOpenSSLConfCmd SignatureAlgorithms RSA+SHA257", "SSLOpenSSLConfCmd MinProtocol", "SSLCertificateFile empty.pem", "SSLCertificateFile ec.crt; SSLCertificateKeyFile ec.key", "SSLEngine on", "SSLEngine perhaps", "SSLFoo on", "SSLProtocols all", "SSLSessionTickets off", "SSLCompression off",
		"SSLStrictSNIVHostCheck on", "SSLStrictSNIVHostCheck perhaps", "Protocols h2 http/1.1", "ServerName a.example; ServerAlias *.b.example", "SSLProxyEngine on; SSLProxyProtocol TLSv1.2", "SSLProxyEngine on; SSLProxyProtocol TLSv1.9", "SSLProxyEngine on; SSLProxyCipherSuite FOO", "SSLOptions +StdEnvVars", "SSLSessionTickets perhaps", "SSLHonorCipherOrders on",
		"@; </VirtualHost>", "@; SSLCertificateFile small.crt; SSLCertificateKeyFile small.key; </VirtualHost>", "@; SSLCertificateFile small.crt; SSLCertificateKeyFile small.key; SSLCipherSuite DEFAULT:@SECLEVEL=0; </VirtualHost>", "@; RSA; <Directory />; SSLProtocol all; </Directory>; </VirtualHost>",
		"@; RSA; <Directory />; SSLVerifyClient require; </Directory>; </VirtualHost>", "@; RSA;", "@; RSA; </VirtualHost>; </VirtualHost>", "@; RSA; <IfModule mod_ssl.c>; SSLProtocol all; </IfModule>; </VirtualHost>", "@; RSA; <If \"true\">; SSLProtocol all; </If>; </VirtualHost>",
	}
}
