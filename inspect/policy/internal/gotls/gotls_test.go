package gotls

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestDefaultsAreThoseOfTheBuiltInPolicy(t *testing.T) {
	want, err := policy.Lookup("go/go-1.26")
	if err != nil {
		t.Fatal(err)
	}
	got := Config{}.Policy()
	if !slices.Equal(got.CipherSuites, want.CipherSuites) || !slices.Equal(got.Groups, want.Groups) ||
		!slices.Equal(got.Versions, want.Versions) || !slices.Equal(got.SignatureSchemes, want.SignatureSchemes) {
		t.Errorf("got %v %v %v %v\nwant %v %v %v %v", got.Versions, got.CipherSuites, got.Groups, got.SignatureSchemes,
			want.Versions, want.CipherSuites, want.Groups, want.SignatureSchemes)
	}
}

func TestEverySuiteOfTheLibraryIsKnown(t *testing.T) {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		suite, tls13, ok := Suite(s.Name)
		if !ok || uint16(suite) != s.ID || tls13 != (s.SupportedVersions[0] == tls.VersionTLS13) {
			t.Errorf("%s: got %v, TLS 1.3 %v, known %v", s.Name, suite, tls13, ok)
		}
	}
	if _, _, ok := Suite("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"); ok {
		t.Error("a suite that crypto/tls lacks is known")
	}
	if _, _, ok := Suite("ECDHE-RSA-AES128-GCM-SHA256"); ok {
		t.Error("OpenSSL's name is understood; Go does not")
	}
}

func TestReleasesDiffer(t *testing.T) {
	old, newer := Config{Go: "1.21"}.Policy(), Config{Go: "1.23"}.Policy()
	if old.Versions[0] != wire.VersionTLS10 || newer.Versions[0] != wire.VersionTLS12 {
		t.Errorf("lowest versions %v and %v", old.Versions[0], newer.Versions[0])
	}
	for _, s := range []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA} {
		if !slices.Contains(old.CipherSuites, s) || slices.Contains(newer.CipherSuites, s) {
			t.Errorf("%v: in 1.21 %v, in 1.23 %v", s, slices.Contains(old.CipherSuites, s), slices.Contains(newer.CipherSuites, s))
		}
	}
	groups := []wire.NamedGroup{wire.GroupSecp384r1, wire.GroupX25519}
	if got := (Config{Go: "1.24", Groups: groups}).Policy().Groups; !slices.Equal(got, groups) {
		t.Errorf("1.24: %v, want the configured order", got)
	}
	if got := (Config{Groups: groups}).Policy().Groups; got[0] != wire.GroupX25519 {
		t.Errorf("newest: %v, want the library's order", got)
	}
	if old := (Config{Go: "1.17", Client: true}).Policy().Versions[0]; old != wire.VersionTLS10 {
		t.Errorf("a client of 1.17 begins with %v", old)
	}
}

func TestClientsPutTheSuitesOfTLS13Last(t *testing.T) {
	p := Config{Client: true}.Policy()
	if p.CipherSuites[0] != wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 || p.CipherSuites[len(p.CipherSuites)-1] != wire.TLS_CHACHA20_POLY1305_SHA256 {
		t.Errorf("got %v", p.CipherSuites)
	}
	if p := (Config{Client: true, Min: wire.VersionTLS13}).Policy(); len(p.CipherSuites) != 3 {
		t.Errorf("TLS 1.3 alone: got %v", p.CipherSuites)
	}
}
