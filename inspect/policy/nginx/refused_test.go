package nginx_test

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/nginx"
)

// TestRefused: a problem says that nginx does not start where `nginx -t` fails, and nowhere else. The cases are those of nginx 1.22
// with OpenSSL 3.0.
func TestRefused(t *testing.T) {
	tests := []struct {
		name, inside, version string
		refused               bool
	}{
		{"nothing", "", "", false},
		{"a cipher string without a match", "ssl_ciphers ECDHE+AESCGM;", "", true},
		{"no cipher string", `ssl_ciphers "";`, "", true},
		{"a protocol that there is not", "ssl_protocols TLSv1.4;", "", true},
		{"a protocol in lower case", "ssl_protocols tlsv1.2;", "", false},
		{"no protocol", "ssl_protocols;", "", true},
		{"protocols of old", "ssl_protocols SSLv2 TLSv1.2;", "", false},
		{"a value in capitals", "ssl_verify_client OFF; ssl_prefer_server_ciphers ON;", "", false},
		{"a group that there is not", "ssl_ecdh_curve X25519:foo;", "", true},
		{"a group of a later OpenSSL", "ssl_ecdh_curve X25519MLKEM768:X25519;", "", false},
		{"a directive twice", "ssl_ciphers HIGH; ssl_ciphers LOW;", "", true},
		{"ssl_protocols twice", "ssl_protocols TLSv1.2; ssl_protocols TLSv1.3;", "", false},
		{"a command that there is not", "ssl_conf_command Foo bar;", "", true},
		{"a value that there is not", "ssl_conf_command MinProtocol TLSv9;", "", true},
		{"a directive that the version given does not have", "http2 on;", "1.24", true},
		{"a directive that went, the version is not given", "ssl on;", "", false},
		{"a certificate that is not here", "ssl_trusted_certificate nowhere.pem;", "", false},
		{"a directive in capitals", "SSL_PROTOCOLS TLSv1;", "", true},
		{"a directive without its underscore", "sslciphers AES128-SHA;", "", true},
		{"a setting inside if", "if ($host) { ssl_protocols TLSv1; }", "", true},
		{"a setting of upstreams inside a location", "location / { proxy_ssl_protocols TLSv1.2; proxy_pass https://10.0.0.1; }", "", false},
		{"a directive of a module", "ssl_dyn_rec_enable on;", "", false},
		{"other directives", "ssi on; set $ssl_x 1; slice 1m; server_name a; sendfile on; add_header X y; root /x;", "", false},
		{"the profile of the machine", "ssl_ciphers PROFILE=SYSTEM;", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := importText(t, "http { server { listen 443 ssl; ssl_certificate rsa.crt; "+test.inside+" } }", test.version)
			got := false
			for _, p := range result.Problems {
				got = got || p.Refused
			}
			if got != test.refused {
				t.Errorf("refused %t, want %t: %+v", got, test.refused, result.Problems)
			}
		})
	}
}

// TestOneLineIsDetected: a configuration is known for what it is whatever its line breaks.
func TestOneLineIsDetected(t *testing.T) {
	for text, want := range map[string]bool{
		"http { server { listen 443 ssl; ssl_ciphers HIGH; } }":            true,
		"server { listen 443 ssl; server_name a; }":                        true,
		"a.example {\n\ttls { protocols tls1.2 }\n\treverse_proxy b:80\n}": false,
		"frontend f\n bind :443 ssl crt x.pem\n mode tcp\n":                false,
	} {
		if got := nginx.Detect("some.conf.txt", []byte(text)); got != want {
			t.Errorf("Detect of %q is %t", text, got)
		}
	}
}
