package scan

import (
	"slices"
	"sync"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// codePoints is all that can be asked about, in the order in which it is offered: what is in use first, strong before weak, so
// that an endpoint that follows its client's order is seen at its best.
type codePoints struct {
	suites    []wire.CipherSuite // TLS 1.2 and older
	modern    []wire.CipherSuite // TLS 1.3
	curves    []wire.NamedGroup  // TLS 1.2 and older, elliptic
	groups    []wire.NamedGroup  // TLS 1.3
	finite    []wire.NamedGroup  // RFC 7919
	schemes   []wire.SignatureScheme
	schemes13 []wire.SignatureScheme // and those of SHA-1 that "MUST NOT be used in any signatures of CertificateVerify messages" (RFC 8446, Section 4.4.3)
}

// registry is made from the tables of package wire when it is asked for first, and never changed.
var registry = sync.OnceValue(func() *codePoints {
	r := &codePoints{}
	for s := range wire.KnownCipherSuites() {
		switch info, _ := s.Info(); {
		case s == 0 || info.Signal(): // TLS_NULL_WITH_NULL_NULL "MUST NOT be negotiated" (RFC 5246, Appendix A.5)
		case info.TLS13():
			r.modern = append(r.modern, s)
		default:
			r.suites = append(r.suites, s)
		}
	}
	for g := range wire.KnownGroups() {
		switch info, _ := g.Info(); {
		case info.Kind == wire.GroupKindExplicit:
		case info.Kind == wire.GroupKindFFDHE:
			r.finite = append(r.finite, g)
			r.groups = append(r.groups, g)
		case info.TLS13:
			r.groups = append(r.groups, g)
			if info.Kind == wire.GroupKindECDHE {
				r.curves = append(r.curves, g)
			}
		case info.Kind == wire.GroupKindECDHE:
			r.curves = append(r.curves, g)
		}
	}
	for s := range wire.KnownSignatureSchemes() {
		r.schemes = append(r.schemes, s)
		if info, _ := s.Info(); info.TLS13 || s == wire.SchemeECDSASHA1 || s == wire.SchemeRSAPKCS1SHA1 { // which some sign with, and must not
			r.schemes13 = append(r.schemes13, s)
		}
	}
	byRank(r.suites, rankOfSuite)
	byRank(r.modern, rankOfModern)
	byRank(r.groups, rankOfGroup)
	byRank(r.curves, rankOfGroup)
	byRank(r.schemes, rankOfScheme)
	byRank(r.schemes13, rankOfScheme)
	return r
})

// byRank sorts code points by their rank, and leaves the order of those of one rank.
func byRank[T comparable](points []T, rank func(T) int) {
	ranks := make(map[T]int, len(points))
	for _, p := range points {
		ranks[p] = rank(p)
	}
	slices.SortStableFunc(points, func(a, b T) int { return ranks[a] - ranks[b] })
}

// Classes of suites, by how likely an endpoint has them.
const (
	classUsual    = iota // certificates of RSA and ECDSA, nothing that was ever odd
	classWeak            // anonymous, NULL, EXPORT, static DH and what few libraries have
	classPreShare        // pre-shared keys, passwords
)

func classOfSuite(s wire.CipherSuite) int {
	info, _ := s.Info()
	switch info.KeyExchange {
	case "PSK", "DHE_PSK", "RSA_PSK", "ECDHE_PSK", "SRP", "ECCPWD":
		return classPreShare
	case "ECDHE", "DHE", "RSA":
	default:
		return classWeak
	}
	usual := (info.Authentication == "RSA" || info.Authentication == "ECDSA") && !info.Export && info.OpenSSL != ""
	switch info.Encryption {
	case "AES", "CHACHA20", "3DES", "RC4", "CAMELLIA":
	default:
		usual = false
	}
	if usual {
		return classUsual
	}
	return classWeak
}

func rankOfSuite(s wire.CipherSuite) int {
	info, _ := s.Info()
	rank := 10000 * classOfSuite(s)
	switch info.KeyExchange {
	case "ECDHE", "ECDHE_PSK":
	case "DHE", "DHE_PSK":
		rank += 1000
	case "RSA":
		rank += 2000
	default:
		rank += 3000
	}
	if info.Authentication == "anon" {
		rank += 4000
	}
	if !info.AEAD {
		rank += 100
	}
	switch info.Encryption {
	case "AES":
	case "CHACHA20":
		rank += 10
	case "CAMELLIA", "ARIA":
		rank += 20
	case "3DES":
		rank += 400
	case "RC4":
		rank += 500
	default:
		rank += 600
	}
	if info.Authentication != "ECDSA" {
		rank++
	}
	if info.Export || info.Encryption == "NULL" {
		rank += 5000
	}
	return rank
}

func rankOfModern(s wire.CipherSuite) int {
	if i := slices.Index([]wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256}, s); i >= 0 {
		return i
	}
	return 10
}

func rankOfGroup(g wire.NamedGroup) int {
	usual := []wire.NamedGroup{
		wire.GroupX25519MLKEM768, wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX448,
		wire.GroupSecP256r1MLKEM768, wire.GroupSecP384r1MLKEM1024,
	}
	if i := slices.Index(usual, g); i >= 0 {
		return i
	}
	info, _ := g.Info()
	switch {
	case info.Kind == wire.GroupKindFFDHE:
		return 20
	case info.Weak:
		return 40
	}
	return 30
}

func rankOfScheme(s wire.SignatureScheme) int {
	info, _ := s.Info()
	rank := 50
	switch info.Kind {
	case wire.SignatureECDSA:
		rank = 0
	case wire.SignatureEdDSA:
		rank = 5
	case wire.SignatureRSAPSSRSAE:
		rank = 10
	case wire.SignatureRSAPSSPSS:
		rank = 15
	case wire.SignatureRSAPKCS1:
		rank = 20
	case wire.SignatureMLDSA:
		rank = 30
	}
	switch info.Hash {
	case "SHA1", "MD5", "SHA224":
		rank += 100
	}
	return rank
}

// few are suites of which every endpoint of the last twenty years has one, for a hello that no middlebox finds too large.
func few() []wire.CipherSuite {
	return []wire.CipherSuite{
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA,
		wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA, wire.TLS_RSA_WITH_RC4_128_SHA, wire.TLS_RSA_WITH_RC4_128_MD5, wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
	}
}

// suitesFor are the suites that can belong to a version. One that came with a later version cannot be spoken in an earlier one
// ("these cipher suites MUST NOT be negotiated in older versions of TLS", RFC 5288, Section 4); one that was withdrawn can.
func suitesFor(v wire.Version) []wire.CipherSuite {
	r := registry()
	if v.IsTLS13() {
		return r.modern
	}
	return slices.DeleteFunc(slices.Clone(r.suites), func(s wire.CipherSuite) bool {
		info, _ := s.Info()
		return info.MinVersion > max(v, wire.VersionTLS10) // those of TLS 1.0 need nothing that SSLv3 has not: Java speaks ECDHE there
	})
}
