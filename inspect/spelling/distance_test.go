package spelling

import (
	"slices"
	"testing"
)

func TestSlip(t *testing.T) {
	known := slices.Values([]string{"ciphers", "curves", "alpn", "ssl", "ssl_protocols"})
	for word, want := range map[string]string{
		"chiphers": "ciphers", "CURVES": "curves", "curve": "curves", "alp": "alpn", "SSL_PROTOCOL": "ssl_protocols", "sslprotocol": "ssl_protocols",
		"foo": "", "crt": "", "sll": "", "cipher-suites": "", "": "",
	} {
		if got := Slip(word, known); got != want {
			t.Errorf("%q is a slip of %q, want %q", word, got, want)
		}
	}
	if Distance("kitten", "sitting") != 3 || Distance("", "ab") != 2 || Distance("ab", "ab") != 0 {
		t.Error("distances are wrong")
	}
}
