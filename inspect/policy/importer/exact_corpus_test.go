package importer_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/importertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// hello is one that is sent. form is nil where it has the format of SSLv2.
type hello struct {
	id   string
	form *form
	raw  []byte // SSLv2 format: as it goes over the wire
}

// corpus is every recorded hello, each of them changed, and some that are made up. It is the same in every run.
func corpus(t testing.TB, k *keys) []*hello {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 7))
	var hellos, changed []*hello
	for _, h := range recorded(t) {
		if h.form == nil {
			hellos = append(hellos, h)
			continue
		}
		h.form.rekey(k)
		hellos = append(hellos, h)
		f := h.form.clone()
		id := h.id
		for range 1 + r.IntN(3) {
			m := mutations()[r.IntN(len(mutations()))]
			m.apply(f, r, k)
			id += ", " + m.name
		}
		changed = append(changed, &hello{id: id, form: f})
	}
	hellos = append(hellos, changed...)
	for i := range 80 {
		hellos = append(hellos, &hello{id: fmt.Sprintf("made up %d", i), form: madeUp(r, k)})
	}
	return hellos
}

// recorded are the hellos of real programs.
func recorded(t testing.TB) []*hello {
	t.Helper()
	var hellos []*hello
	for _, h := range importertest.Recorded(t) {
		if h.SSLv2() {
			hellos = append(hellos, &hello{id: h.ID, raw: h.Record})
			continue
		}
		hellos = append(hellos, &hello{id: h.ID, form: formOf(&h.Parsed)})
	}
	return hellos
}

// mutation is one way to change a hello. What it needs and does not find it leaves.
type mutation struct {
	name  string
	apply func(*form, *rand.Rand, *keys)
}

func mutations() []mutation {
	return []mutation{
		{"suites shuffled", func(f *form, r *rand.Rand, _ *keys) { shuffle(r, f.suites) }},
		{"half of the suites", func(f *form, r *rand.Rand, _ *keys) { f.suites = half(r, f.suites) }},
		{"suites reversed", func(f *form, _ *rand.Rand, _ *keys) { slices.Reverse(f.suites) }},
		{"one suite", func(f *form, r *rand.Rand, _ *keys) { f.suites = f.suites[r.IntN(len(f.suites)):][:1] }},
		{"suites of TLS 1.2 only", func(f *form, _ *rand.Rand, _ *keys) {
			f.keepSuites(func(i wire.CipherSuiteInfo) bool { return !i.TLS13() })
		}},
		{"no ECDHE", func(f *form, _ *rand.Rand, _ *keys) {
			f.keepSuites(func(i wire.CipherSuiteInfo) bool { return i.KeyExchange != "ECDHE" })
		}},
		{"no RSA certificate", func(f *form, _ *rand.Rand, _ *keys) {
			f.keepSuites(func(i wire.CipherSuiteInfo) bool { return i.Authentication != "RSA" })
		}},
		{"ChaCha20 first", func(f *form, _ *rand.Rand, _ *keys) {
			f.suites = slices.Concat([]wire.CipherSuite{wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}, f.suites)
		}},
		{"fallback signal", func(f *form, _ *rand.Rand, _ *keys) { f.suites = append(f.suites, wire.FallbackSCSV) }},
		{"renegotiation signal", func(f *form, _ *rand.Rand, _ *keys) {
			f.remove(wire.ExtensionRenegotiationInfo)
			f.suites = append(f.suites, wire.EmptyRenegotiationInfoSCSV)
		}},
		{"no renegotiation extension", func(f *form, _ *rand.Rand, _ *keys) { f.remove(wire.ExtensionRenegotiationInfo) }},
		{"groups shuffled", func(f *form, r *rand.Rand, _ *keys) {
			changeGroups(f, func(g []wire.NamedGroup) []wire.NamedGroup { shuffle(r, g); return g })
		}},
		{"half of the groups", func(f *form, r *rand.Rand, _ *keys) {
			changeGroups(f, func(g []wire.NamedGroup) []wire.NamedGroup { return half(r, g) })
		}},
		{"one group", func(f *form, r *rand.Rand, _ *keys) {
			changeGroups(f, func(g []wire.NamedGroup) []wire.NamedGroup { return g[r.IntN(len(g)):][:1] })
		}},
		{"no groups", func(f *form, _ *rand.Rand, _ *keys) { f.remove(wire.ExtensionSupportedGroups) }},
		{"schemes shuffled", func(f *form, r *rand.Rand, _ *keys) {
			changeSchemes(f, func(s []wire.SignatureScheme) []wire.SignatureScheme { shuffle(r, s); return s })
		}},
		{"half of the schemes", func(f *form, r *rand.Rand, _ *keys) {
			changeSchemes(f, func(s []wire.SignatureScheme) []wire.SignatureScheme { return half(r, s) })
		}},
		{"no RSASSA-PSS", func(f *form, _ *rand.Rand, _ *keys) {
			keepSchemes(f, func(s wire.SignatureScheme) bool { return s>>8 != 8 })
		}},
		{"no PKCS #1", func(f *form, _ *rand.Rand, _ *keys) {
			keepSchemes(f, func(s wire.SignatureScheme) bool { return s>>8 == 8 || s&0xFF != 1 })
		}},
		{"SHA-1 only", func(f *form, _ *rand.Rand, _ *keys) {
			changeSchemes(f, func([]wire.SignatureScheme) []wire.SignatureScheme {
				return []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1}
			})
		}},
		{"no schemes", func(f *form, _ *rand.Rand, _ *keys) { f.remove(wire.ExtensionSignatureAlgorithms) }},
		{"no TLS 1.3", func(f *form, _ *rand.Rand, _ *keys) {
			f.remove(wire.ExtensionSupportedVersions, wire.ExtensionKeyShare)
		}},
		{"TLS 1.3 only", func(f *form, _ *rand.Rand, k *keys) {
			f.setVersions(wire.VersionTLS13)
			f.legacy = wire.VersionTLS12
			f.offer13(k)
		}},
		{"TLS 1.3 and the fallback signal", func(f *form, _ *rand.Rand, k *keys) {
			f.setVersions(wire.VersionTLS13, wire.VersionTLS12)
			f.suites = append(f.suites, wire.FallbackSCSV)
			f.offer13(k)
		}},
		{"versions reversed", func(f *form, _ *rand.Rand, _ *keys) {
			if v := f.versions(); v != nil {
				slices.Reverse(v)
				f.setVersions(v...)
			}
		}},
		{"an unknown version before", func(f *form, _ *rand.Rand, _ *keys) {
			if v := f.versions(); v != nil {
				f.setVersions(append([]wire.Version{0x0305, 0x7A7A}, v...)...)
			} else {
				f.legacy = 0x0305
			}
		}},
		{"only old versions listed", func(f *form, _ *rand.Rand, _ *keys) { f.setVersions(wire.VersionTLS11, wire.VersionTLS10) }},
		{"TLS 1.1", func(f *form, _ *rand.Rand, _ *keys) {
			f.legacy = wire.VersionTLS11
			f.remove(wire.ExtensionSupportedVersions)
		}},
		{"TLS 1.0", func(f *form, _ *rand.Rand, _ *keys) {
			f.legacy = wire.VersionTLS10
			f.remove(wire.ExtensionSupportedVersions)
		}},
		{"SSLv3", func(f *form, _ *rand.Rand, _ *keys) {
			f.legacy = wire.VersionSSLv3
			f.remove(wire.ExtensionSupportedVersions)
		}},
		{"no server name", func(f *form, _ *rand.Rand, _ *keys) { f.setName("") }},
		{"localhost", func(f *form, _ *rand.Rand, _ *keys) { f.setName("localhost") }},
		{"LocalHost", func(f *form, _ *rand.Rand, _ *keys) { f.setName("LocalHost") }},
		{"another server name", func(f *form, _ *rand.Rand, _ *keys) { f.setName("other.example") }},
		{"no ALPN", func(f *form, _ *rand.Rand, _ *keys) { f.remove(wire.ExtensionALPN) }},
		{"h2 only", func(f *form, _ *rand.Rand, _ *keys) { f.setProtocols("h2") }},
		{"HTTP/1.1 only", func(f *form, _ *rand.Rand, _ *keys) { f.setProtocols("http/1.1") }},
		{"HTTP/1.1 before h2", func(f *form, _ *rand.Rand, _ *keys) { f.setProtocols("http/1.1", "h2") }},
		{"an unknown protocol", func(f *form, _ *rand.Rand, _ *keys) { f.setProtocols("mqtt") }},
		{"ACME challenge", func(f *form, _ *rand.Rand, _ *keys) { f.setProtocols("acme-tls/1") }},
		{"no share at hand", func(f *form, _ *rand.Rand, _ *keys) { f.keepShares(func(int, wire.NamedGroup) bool { return false }) }},
		{"the last share only", func(f *form, _ *rand.Rand, _ *keys) {
			last := len(f.shares()) - 1
			f.keepShares(func(i int, _ wire.NamedGroup) bool { return i == last })
		}},
		{"a share of P-384", func(f *form, _ *rand.Rand, k *keys) {
			if f.find(wire.ExtensionKeyShare) != nil && slices.Contains(list[wire.NamedGroup](f.find(wire.ExtensionSupportedGroups)), wire.GroupSecp384r1) {
				f.setShares(k, wire.GroupSecp384r1)
			}
		}},
		{"no key_share", func(f *form, _ *rand.Rand, _ *keys) { f.remove(wire.ExtensionKeyShare) }},
		{"no point formats", func(f *form, _ *rand.Rand, _ *keys) { f.remove(wire.ExtensionECPointFormats) }},
		{"no extended master secret", func(f *form, _ *rand.Rand, _ *keys) {
			f.remove(wire.ExtensionExtendedMasterSecret, wire.ExtensionEncryptThenMAC)
		}},
		{"extensions shuffled", func(f *form, r *rand.Rand, _ *keys) {
			shuffle(r, f.extensions)
			// RFC 8446, Section 4.2.11: pre_shared_key MUST be the last.
			slices.SortStableFunc(f.extensions, func(a, b extension) int {
				return boolInt(a.kind == wire.ExtensionPreSharedKey) - boolInt(b.kind == wire.ExtensionPreSharedKey)
			})
		}},
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func shuffle[T any](r *rand.Rand, values []T) {
	r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
}

// half keeps about half of the values, in their order, and never none.
func half[T any](r *rand.Rand, values []T) []T {
	if len(values) == 0 {
		return values
	}
	one := r.IntN(len(values))
	var out []T
	for i, v := range values {
		if i == one || r.IntN(2) == 0 {
			out = append(out, v)
		}
	}
	return out
}

func (f *form) keepSuites(keep func(wire.CipherSuiteInfo) bool) {
	kept := slices.DeleteFunc(slices.Clone(f.suites), func(s wire.CipherSuite) bool {
		info, ok := s.Info()
		return ok && !keep(info)
	})
	if len(kept) > 0 {
		f.suites = kept
	}
}

// offer13 adds what a hello needs for TLS 1.3 where it lacks it (RFC 8446, Section 9.2).
func (f *form) offer13(k *keys) {
	if !slices.Contains(f.suites, wire.TLS_AES_128_GCM_SHA256) {
		f.suites = append([]wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384}, f.suites...)
	}
	if f.find(wire.ExtensionSupportedGroups) == nil {
		setList(f, wire.ExtensionSupportedGroups, []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1})
	}
	if f.find(wire.ExtensionSignatureAlgorithms) == nil {
		setList(f, wire.ExtensionSignatureAlgorithms, []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeRSAPSSRSAESHA256})
	}
	if f.find(wire.ExtensionKeyShare) == nil {
		for _, g := range list[wire.NamedGroup](f.find(wire.ExtensionSupportedGroups)) {
			if k.share[g] != nil {
				f.setShares(k, g)
				return
			}
		}
		f.setShares(k)
	}
}

// changeGroups changes supported_groups, and takes shares away whose groups are no longer listed (RFC 8446, Section 4.2.8).
func changeGroups(f *form, change func([]wire.NamedGroup) []wire.NamedGroup) {
	groups := list[wire.NamedGroup](f.find(wire.ExtensionSupportedGroups))
	if len(groups) == 0 {
		return
	}
	groups = change(groups)
	setList(f, wire.ExtensionSupportedGroups, groups)
	f.keepShares(func(_ int, g wire.NamedGroup) bool { return slices.Contains(groups, g) })
}

func changeSchemes(f *form, change func([]wire.SignatureScheme) []wire.SignatureScheme) {
	if schemes := list[wire.SignatureScheme](f.find(wire.ExtensionSignatureAlgorithms)); len(schemes) > 0 {
		setList(f, wire.ExtensionSignatureAlgorithms, change(schemes))
	}
}

func keepSchemes(f *form, keep func(wire.SignatureScheme) bool) {
	changeSchemes(f, func(all []wire.SignatureScheme) []wire.SignatureScheme {
		kept := slices.DeleteFunc(slices.Clone(all), func(s wire.SignatureScheme) bool { return !keep(s) })
		if len(kept) == 0 {
			return all
		}
		return kept
	})
}

// some picks each value with a probability of one in so many, in random order; never none.
func some[T any](r *rand.Rand, of int, values ...T) []T {
	var out []T
	for _, i := range r.Perm(len(values)) {
		if r.IntN(of) == 0 {
			out = append(out, values[i])
		}
	}
	if out == nil {
		out = append(out, values[r.IntN(len(values))])
	}
	return out
}

// madeUp is a hello whose dimensions are drawn independently of each other.
func madeUp(r *rand.Rand, k *keys) *form {
	f := &form{legacy: wire.VersionTLS12, random: make([]byte, 32), compression: []byte{0}}
	f.suites = some(r, 3,
		wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA,
		wire.TLS_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA)
	f.setName("localhost")
	easy := []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1}
	groups := some(r, 2, append(easy, wire.GroupX448, wire.GroupFfdhe2048, wire.NamedGroup(0x2A2A))...)
	setList(f, wire.ExtensionSupportedGroups, groups)
	setList(f, wire.ExtensionSignatureAlgorithms, some(r, 2, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA512,
		wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASHA1, wire.SchemeEd25519))
	if r.IntN(2) == 0 {
		f.setVersions(some(r, 2, wire.VersionTLS13, wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10)...)
		f.setShares(k, slices.DeleteFunc(slices.Clone(groups), func(g wire.NamedGroup) bool { return !slices.Contains(easy, g) || r.IntN(2) == 0 })...)
	} else {
		f.legacy = []wire.Version{wire.VersionTLS12, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10}[r.IntN(4)]
	}
	if r.IntN(3) == 0 {
		f.setProtocols(some(r, 2, "h2", "http/1.1", "spdy/3.1")...)
	}
	return f
}
