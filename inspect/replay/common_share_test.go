package replay

import (
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// What losers have in common in their key shares is named, where it is that.
func TestKeySharesAreNamed(t *testing.T) {
	has := func(g wire.NamedGroup) func([]wire.NamedGroup) bool {
		return func(shares []wire.NamedGroup) bool { return slices.Contains(shares, g) }
	}
	for _, test := range []struct {
		name string
		lost func(shares []wire.NamedGroup) bool
		want string
	}{
		{"x25519 among the shares", has(wire.GroupX25519), "all send a key share of x25519"},
		{"more than one share", func(shares []wire.NamedGroup) bool { return len(shares) > 1 }, "all send a key share of X25519MLKEM768|all send more than one key share"},
		{"secp256r1 has to be first", func(shares []wire.NamedGroup) bool { return len(shares) > 0 && shares[0] != wire.GroupSecp256r1 }, "none sends a key share of secp256r1 first|all send a key share of x25519"},
		{"nobody is asked for another share", func(shares []wire.NamedGroup) bool {
			return len(shares) > 0 && !slices.Contains(shares, wire.GroupX25519)
		}, "none sends a key share of x25519, the group that was chosen with the others: they have to be asked"},
	} {
		subjects := samples(t, "all")
		answers := make([]Answer, len(subjects))
		lost := 0
		for i, s := range subjects {
			shares := sharesOf(s)
			choice := Choice{Version: HighestVersion(s.View), Cipher: s.View.CipherSuites.At(0).String()}
			switch {
			case test.lost(shares):
				answers[i] = refused("connection reset")
				lost++
				continue
			case len(shares) > 0:
				choice.Version, choice.Curve = "TLSv1.3", shares[0].String()
				if slices.Contains(shares, wire.GroupX25519) {
					choice.Curve = wire.GroupX25519.String()
				}
			}
			answers[i] = taken(choice)
		}
		_, _, common := Losses(subjects, Side{Answers: answers})
		ok := false
		for _, want := range strings.Split(test.want, "|") {
			ok = ok || len(common) == 1 && strings.HasPrefix(common[0].Sentence, want)
		}
		if !ok || lost == 0 {
			t.Errorf("%s, %d lost: %+v", test.name, lost, common)
		}
	}
}

// Key shares mean nothing to an endpoint that speaks TLS 1.2 alone; the curve of its certificate does.
func TestKeySharesOfOlderVersionsAreNotNamed(t *testing.T) {
	subjects := samples(t, "go-p384,curl-default,openssl-1.0.2n,openssl-3.0.22-s_client-default,java-httpclient")
	answers := make([]Answer, len(subjects))
	lost := 0
	for i, s := range subjects {
		answers[i] = taken(Choice{Version: "TLSv1.2", Cipher: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Curve: "secp384r1"})
		if !s.View.SupportedGroups.Contains(wire.GroupSecp256r1) {
			answers[i] = refused("alert handshake_failure (40)")
			lost++
		}
	}
	_, _, common := Losses(subjects, Side{Answers: answers})
	if lost != 1 || len(common) != 1 || !strings.HasPrefix(common[0].Sentence, "none offers secp256r1, which all offer that are taken") {
		t.Errorf("%d lost: %+v", lost, common)
	}
}
