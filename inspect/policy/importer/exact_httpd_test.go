package importer_test

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
)

func httpdEndpoints(t *testing.T) []*endpoint {
	path := importertest.Program(t, "apache2")
	version := importertest.Version(t, path, `Apache/([\d.]+)`, "-v")
	// As importertest.HTTPD reads them: @ is where a virtual host begins.
	cases := []struct {
		text  string
		names []string
	}{
		{`@; RSA; </VirtualHost>`, []string{asRecorded, "", "localhost"}},
		{`@; ECDSA; </VirtualHost>`, nil},
		{`@; RSA; ECDSA; </VirtualHost>`, []string{asRecorded, "", "localhost"}},
		{`@; ECDSA; RSA; SSLHonorCipherOrder on; Protocols h2 http/1.1; </VirtualHost>`, nil},
		{`SSLProtocol -all +TLSv1.2 +TLSv1.3; SSLHonorCipherOrder off; SSLSessionTickets off; SSLCipherSuite ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256; @; RSA; ECDSA; </VirtualHost>`, nil},
		{`@; ECDSA; SSLProtocol TLSv1.3; SSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256; </VirtualHost>`, nil},
		{`@; RSA; SSLProtocol TLSv1.2; SSLCipherSuite HIGH:!aNULL; SSLHonorCipherOrder on; Protocols h2; </VirtualHost>`, nil},
		{`@; RSA; SSLProtocol all; SSLCipherSuite ALL:@SECLEVEL=0; SSLHonorCipherOrder on; </VirtualHost>`, nil},
		{`@; RSA; SSLProtocol all; </VirtualHost>`, nil},
		{`@; RSA; SSLProtocol TLSv1 +TLSv1.2; SSLCipherSuite DEFAULT:@SECLEVEL=0; </VirtualHost>`, nil},
		{`@; RSA; SSLProtocol all; SSLHonorCipherOrder on; SSLOpenSSLConfCmd MinProtocol TLSv1.2; SSLOpenSSLConfCmd Options PrioritizeChaCha; SSLOpenSSLConfCmd Groups P-256:X448; SSLOpenSSLConfCmd SignatureAlgorithms RSA+SHA256:rsa_pss_rsae_sha256; </VirtualHost>`, nil},
		{`@; RSA; SSLOpenSSLConfCmd Curves secp384r1:X25519; SSLOpenSSLConfCmd DHParameters DIR/dh.pem; SSLCipherSuite DHE:ECDHE:kRSA; SSLHonorCipherOrder on; </VirtualHost>`, nil},
		{`@; RSA; SSLOpenSSLConfCmd CipherString AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256; SSLOpenSSLConfCmd Ciphersuites TLS_AES_128_GCM_SHA256; </VirtualHost>`, nil},
		{`@; EC384; SSLCipherSuite EECDH+AESGCM:@SECLEVEL=3; </VirtualHost>`, nil},
		{`@; ED; </VirtualHost>`, nil},
		{`@; ECDSA; SSLProtocol all; SSLCipherSuite ECDHE:@SECLEVEL=1; SSLOpenSSLConfCmd MaxProtocol TLSv1.2; SSLOpenSSLConfCmd Options ServerPreference; </VirtualHost>`, nil},
		{`@; RSA; SSLVerifyDepth 2; SSLVerifyClient require; SSLCACertificateFile rsa.crt; </VirtualHost>`, nil},
		{`@; ECDSA; SSLVerifyClient optional_no_ca; </VirtualHost>`, nil},
		{`@; ServerName one.example; RSA; SSLProtocol TLSv1.2; SSLCipherSuite ECDHE-RSA-AES128-GCM-SHA256; SSLOpenSSLConfCmd Groups P-256; </VirtualHost> @; ServerName two.example; ServerAlias *.deep.example; ECDSA; SSLProtocol TLSv1.3; SSLOpenSSLConfCmd Groups X25519; SSLHonorCipherOrder on; Protocols h2; </VirtualHost>`, []string{asRecorded, "", "one.example", "other.example", "two.example", "a.b.deep.example"}},
		{`SSLProtocol all; SSLCipherSuite HIGH:@SECLEVEL=0; SSLHonorCipherOrder on; @; ServerName one.example; RSA; </VirtualHost> @; ServerName two.example; RSA; SSLCipherSuite AES128-SHA:AES256-SHA; SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256; SSLHonorCipherOrder off; </VirtualHost>`, []string{asRecorded, "", "one.example", "two.example"}},
		{`@; ServerName one.example; RSA; SSLCipherSuite ECDHE:AES256-SHA:AES128-SHA; </VirtualHost> @; ServerName two.example; RSA; SSLCipherSuite AES128-SHA:AES256-SHA; SSLHonorCipherOrder on; SSLOpenSSLConfCmd Options PrioritizeChaCha; </VirtualHost>`, []string{asRecorded, "one.example", "two.example"}},
		{`SSLStrictSNIVHostCheck on; @; ServerName one.example; RSA; </VirtualHost> @; ServerName two.example; ECDSA; SSLProtocol TLSv1.2; </VirtualHost>`, []string{asRecorded, "", "one.example", "two.example", "other.example"}},
	}
	var out []*endpoint
	for _, c := range cases {
		out = append(out, &endpoint{system: "Apache httpd " + version, title: strings.ReplaceAll(c.text, "@; ", "<VirtualHost> "), names: c.names,
			start: func(t *testing.T, l *lab) (string, func(*testing.T, string) *policy.Policy) {
				address, conf := httpdAt(t, l, c.text)
				_, port, _ := strings.Cut(address, ":")
				return address, importing(conf, "apache", version, port)
			}})
	}
	return out
}

func httpdAt(t *testing.T, l *lab, text string) (address, conf string) {
	t.Helper()
	path, port := importertest.Program(t, "apache2"), importertest.FreePort(t)
	conf = importertest.HTTPD(t, l.temp(t), port, text)
	if said, ok := importertest.Run(t, path, "-t", "-f", conf); !ok {
		t.Fatalf("httpd refuses the configuration: %s", said)
	}
	importertest.Start(t, "resuming normal operations", path, "-D", "FOREGROUND", "-f", conf)
	importertest.AwaitPort(t, "127.0.0.1:"+port)
	return "127.0.0.1:" + port, conf
}
