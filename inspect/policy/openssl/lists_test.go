package openssl

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// TestListsAreReadAsOpenSSLReadsThem holds lists of groups, of signature algorithms and of TLS 1.3 suites against libssl: made of
// known names in several spellings, unknown ones, empty elements, doubles and space.
func TestListsAreReadAsOpenSSLReadsThem(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 22))
	groups := []string{"secp256R1", "p-256", "curve25519", "FFDHE2048", "GC256A", "X25519MLKEM768", "0x001d", "?P-256"}
	for _, row := range groupTable() {
		groups = append(groups, row.names...)
	}
	schemes := []string{
		"RSA+SHA256", "ECDSA+SHA256", "RSA-PSS+SHA384", "PSS+SHA512", "SHA384+ECDSA", "DSA+SHA1", "RSA+sha512", "rsa+SHA256", "RSA+MD5", "RSA-PSS+SHA1", "RSA", "RSA+", "+SHA1",
		"RSA+SHA256+SHA1", "ED25519", "ed25519", "ed448", "ecdsa_secp256r1_sha256", "ECDSA_SECP384R1_SHA384", "ecdsa_sha1", "rsa_pkcs1_sha1", "rsa_pkcs1_sha224", "rsa_pss_pss_sha256",
		"rsa_pss_rsae_sha512", "dsa_sha256", "RSA + SHA1",
	}
	suites := []string{
		"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256", "tls_aes_128_gcm_sha256",
		"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "FOO",
	}
	make1 := func(words []string) *string {
		var parts []string
		for range 1 + r.IntN(4) {
			word := words[r.IntN(len(words))]
			switch r.IntN(25) {
			case 0:
				word = ""
			case 1:
				word = " " + word
			case 2:
				word += "\t"
			}
			parts = append(parts, word)
		}
		s := strings.Join(parts, ":")
		return &s
	}
	level0, cipher := 0, "ALL"
	var questions []question
	for range 2000 {
		questions = append(questions, question{Groups: make1(groups), Level: &level0, Hello: true})
		questions = append(questions, question{Schemes: make1(schemes), Level: &level0, Hello: true})
		questions = append(questions, question{CipherSuites: make1(suites), Cipher: &cipher})
	}
	accepted := map[string]int{}
	for i, want := range askOpenSSL(t, questions) {
		q := questions[i]
		var err error
		switch {
		case q.Groups != nil:
			var got []wire.NamedGroup
			if *q.Groups == "" {
				continue // our word for the default
			}
			got, err = Groups(*q.Groups, Options{})
			if h, sent := helloOf(t, want); err == nil && sent && !slices.Equal(got, h.SupportedGroups.Slice()) {
				t.Errorf("groups %q: %v, OpenSSL %v", *q.Groups, got, h.SupportedGroups.Slice())
			}
			accepted["groups"] += count(err)
		case q.Schemes != nil:
			var got []wire.SignatureScheme
			if *q.Schemes == "" {
				continue
			}
			got, err = SignatureAlgorithms(*q.Schemes, Options{})
			if h, sent := helloOf(t, want); err == nil && sent && !slices.Equal(got, h.SignatureSchemes.Slice()) {
				t.Errorf("signature algorithms %q: %v, OpenSSL %v", *q.Schemes, got, h.SignatureSchemes.Slice())
			}
			accepted["schemes"] += count(err)
		default:
			var got Expansion
			got, err = Ciphers(cipher, Options{TLS13Suites: *q.CipherSuites, NoTLS13Suites: *q.CipherSuites == ""})
			if err == nil && want.Error == "" && !slices.EqualFunc(got.All(), want.Ciphers, func(a wire.CipherSuite, b uint16) bool { return uint16(a) == b }) {
				t.Errorf("ciphersuites %q: %v, OpenSSL %04x", *q.CipherSuites, got.TLS13, want.Ciphers)
			}
			accepted["suites"] += count(err)
		}
		if (err != nil) != (want.Error != "") {
			t.Errorf("%+v: we say %v, OpenSSL %q", deref(q), err, want.Error)
		}
		var typed *Error
		if err != nil && !errors.As(err, &typed) {
			t.Errorf("%v is not an *Error", err)
		}
	}
	for _, what := range []string{"groups", "schemes", "suites"} {
		if n := accepted[what]; n < 200 || n > 1950 {
			t.Errorf("%d of 2000 lists of %s were accepted: the lists do not cover the language", n, what)
		}
	}
}

func count(err error) int {
	if err == nil {
		return 1
	}
	return 0
}

func deref(q question) string {
	for _, s := range []*string{q.Groups, q.Schemes, q.CipherSuites} {
		if s != nil {
			return *s
		}
	}
	return ""
}

func TestGroupsOfOtherReleases(t *testing.T) {
	tests := []struct {
		version, list string
		want          []wire.NamedGroup
	}{
		{"1.1.1", "auto", []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX448, wire.GroupSecp521r1, wire.GroupSecp384r1}},
		{"1.1.1", "prime256v1:X448", []wire.NamedGroup{wire.GroupSecp256r1, wire.GroupX448}},
		{"1.1.1", "secp256r1", nil},
		{"1.1.1", "ffdhe2048", nil},
		{"3.0", "X25519MLKEM768:X25519", nil},
		{"3.3", "?X25519MLKEM768:X25519", []wire.NamedGroup{wire.GroupX25519}},
		{"3.5.1", "X25519MLKEM768:x25519", []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519}},
		{"3.5", "?nothing:*X25519MLKEM768 / *X25519:P-256:-P-256", []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519}},
		{"3.5", "DEFAULT:-X448:-X25519", []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupFfdhe2048, wire.GroupFfdhe3072}},
		{"3.5", "nothing", nil},
		{"2.0", "P-256", nil},
	}
	for _, test := range tests {
		got, err := Groups(test.list, Options{Version: test.version})
		if !slices.Equal(got, test.want) || (err != nil) != (test.want == nil) {
			t.Errorf("%s, %q: %v, %v", test.version, test.list, got, err)
		}
	}
}
