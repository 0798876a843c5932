package certs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
)

// FuzzLeaf asks for a leaf under any name that a client may send: it is either refused as no server name, or minted so that a
// client that asked for this name accepts it.
func FuzzLeaf(f *testing.F) {
	a, err := certs.NewAuthority(certs.AuthorityOptions{CacheSize: 8})
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"a.example", "A.EXAMPLE.", "::1", "[::ffff:192.0.2.1]", "*.example", "_x.example", "a..b", "\x00", "xn--", "192.0.2.1.", "1.2.3", "::1%lo", "", strings.Repeat("a.", 126) + "a"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		leaf, err := a.Leaf([]string{name})
		if err != nil {
			if !errors.Is(err, certs.ErrServerName) || len(err.Error()) > 2000 {
				t.Fatalf("%q: %v", name, err)
			}
			return
		}
		asked := strings.Trim(name, "[]")
		if strings.HasPrefix(asked, "*.") {
			asked = "any" + asked[1:]
		}
		if err := verifies(leaf, a.Certificate(), asked); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
	})
}
