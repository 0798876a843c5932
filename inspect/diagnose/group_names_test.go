package diagnose

import (
	"slices"
	"testing"
)

// OpenSSL refuses a list with an unknown group or one that stands twice, and with it the whole configuration.
func TestGroupsAreNamedAsOpenSSLReadsThem(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{[]string{"secp384r1"}, []string{"secp384r1", "X25519", "prime256v1"}},
		{[]string{"x25519", "secp256r1"}, []string{"X25519", "prime256v1"}},
		{[]string{"X25519MLKEM768", "sect163k1", "x448"}, []string{"X448", "X25519", "prime256v1"}},
		{[]string{"secp521r1", "secp521r1"}, []string{"secp521r1", "X25519", "prime256v1"}},
	} {
		if got := openSSLGroups(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.in, got, c.want)
		}
	}
}
