package haproxy_test

import "testing"

// TestRefused: a problem says that HAProxy does not start where `haproxy -c` fails, and nowhere else. The cases are those of HAProxy
// 2.6 with OpenSSL 3.0.
func TestRefused(t *testing.T) {
	tests := []struct {
		name, before, bind string
		refused            bool
	}{
		{"nothing", "", "crt rsa.pem", false},
		{"no certificate", "", "", true},
		{"no certificate and strict-sni", "", "strict-sni", false},
		{"a cipher string without a match", "", "crt rsa.pem ciphers ECDHE+AESCGM", true},
		{"a version that there is not", "", "crt rsa.pem ssl-min-ver TLSv1.4", true},
		{"a version that there is not, in global", "ssl-default-bind-options ssl-min-ver TLSv1.9", "crt rsa.pem", true},
		{"verify with a word that there is not", "", "crt rsa.pem verify foo", true},
		{"an empty list", "", `crt rsa.pem ciphers ""`, true},
		{"curves that there are not", "", "crt rsa.pem curves foo", true},
		{"curves of a later OpenSSL", "", "crt rsa.pem curves X25519MLKEM768:X25519", false},
		{"the profile of the machine", "ssl-default-bind-ciphers PROFILE=SYSTEM", "crt rsa.pem", false},
		{"a certificate that is not here", "", "crt nowhere.pem", false},
		{"a variable that is not known", "", `crt rsa.pem ciphers "${CIPHERS}"`, false},
		{"an alert under a condition that is not known", ".if feature(QUIC)\n.else\n.alert \"no\"\n.endif", "crt rsa.pem", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result := importText(t, "global\n "+test.before+"\nfrontend f\n bind :443 ssl "+test.bind+"\n", "2.6")
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
