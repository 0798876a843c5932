package apache_test

import "testing"

// TestRefused: a problem says that httpd does not start where it refuses a directive, and not where that is not certain.
func TestRefused(t *testing.T) {
	tests := []struct {
		name, text string
		refused    bool
	}{
		{"nothing", host(""), false},
		{"a cipher string without a match", host("SSLCipherSuite ECDHE+AESCGM"), true},
		{"a protocol that there is not", host("SSLProtocol TLSv1.4"), true},
		{"no protocol is left", host("SSLProtocol -all"), true},
		{"a flag that is none", host("SSLHonorCipherOrder maybe"), true},
		{"the profile of the machine", host("SSLCipherSuite PROFILE=SYSTEM"), false},
		{"no certificate", "<VirtualHost *:443>\nSSLEngine on\n</VirtualHost>\n", true},
		{"a certificate of mod_md", "MDomain a.example\n<VirtualHost *:443>\nSSLEngine on\n</VirtualHost>\n", false},
		{"a variable that is not known", host("SSLProtocol ${PROTOCOLS}"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := importText(t, test.text, "")
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
