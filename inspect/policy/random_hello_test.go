package policy_test

import (
	"crypto/ecdh"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// helloForm is what a made-up hello offers. Nil lists leave their extension out.
type helloForm struct {
	legacy    wire.Version
	versions  []wire.Version
	suites    []wire.CipherSuite
	groups    []wire.NamedGroup
	shares    []wire.NamedGroup // of groups whose shares are easy to make
	noShares  bool              // no key_share at all
	schemes   []wire.SignatureScheme
	protocols []string
	name      string
}

func vector16(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func extension(kind wire.ExtensionType, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(kind)), vector16(body)...)
}

// record is the form as a TLS record.
func (f helloForm) record(t testing.TB) []byte {
	t.Helper()
	var extensions []byte
	if f.name != "" {
		host := append([]byte{0}, vector16([]byte(f.name))...)
		extensions = append(extensions, extension(wire.ExtensionServerName, vector16(host))...)
	}
	if f.groups != nil {
		extensions = append(extensions, extension(wire.ExtensionSupportedGroups, vector16(wire.ListOf(f.groups...)))...)
		extensions = append(extensions, extension(wire.ExtensionECPointFormats, []byte{1, 0})...)
	}
	if f.schemes != nil {
		extensions = append(extensions, extension(wire.ExtensionSignatureAlgorithms, vector16(wire.ListOf(f.schemes...)))...)
	}
	if f.protocols != nil {
		extensions = append(extensions, extension(wire.ExtensionALPN, vector16(wire.ProtocolNamesOf(f.protocols...)))...)
	}
	if f.versions != nil {
		list := wire.ListOf(f.versions...)
		extensions = append(extensions, extension(wire.ExtensionSupportedVersions, append([]byte{byte(len(list))}, list...))...)
	}
	if f.versions != nil && !f.noShares {
		var shares []byte
		for _, g := range f.shares {
			shares = binary.BigEndian.AppendUint16(shares, uint16(g))
			shares = append(shares, vector16(share(t, g))...)
		}
		extensions = append(extensions, extension(wire.ExtensionKeyShare, vector16(shares))...)
		extensions = append(extensions, extension(wire.ExtensionPSKKeyExchangeModes, []byte{1, 1})...)
	}
	body := binary.BigEndian.AppendUint16(nil, uint16(f.legacy))
	body = append(body, make([]byte, 32)...)
	body = append(body, 0)
	body = append(body, vector16(wire.ListOf(f.suites...))...)
	body = append(body, 1, 0)
	if extensions != nil {
		body = append(body, vector16(extensions)...)
	}
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{22, 3, 1}, vector16(message)...)
}

// share makes a key share that a server accepts.
func share(t testing.TB, g wire.NamedGroup) []byte {
	curve := map[wire.NamedGroup]ecdh.Curve{
		wire.GroupX25519: ecdh.X25519(), wire.GroupSecp256r1: ecdh.P256(), wire.GroupSecp384r1: ecdh.P384(), wire.GroupSecp521r1: ecdh.P521(),
	}[g]
	if curve == nil {
		t.Fatalf("no key share for %v", g)
	}
	key, err := curve.GenerateKey(randomSource{})
	if err != nil {
		t.Fatal(err)
	}
	return key.PublicKey().Bytes()
}

// randomSource is no secret: the keys are never used.
type randomSource struct{}

func (randomSource) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return len(p), nil
}

// some picks each value with probability 1/of, in random order; never none.
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

// randomHello is a hello whose dimensions are drawn independently, so that most of them have little in common with
// any endpoint.
func randomHello(r *rand.Rand) helloForm {
	f := helloForm{
		legacy: []wire.Version{wire.VersionTLS12, wire.VersionTLS12, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10, 0x0304}[r.IntN(6)],
		suites: some(r, 3,
			wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
			wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, wire.TLS_RSA_WITH_AES_128_CBC_SHA,
			wire.TLS_RSA_WITH_AES_256_GCM_SHA384, wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
			wire.TLS_PSK_WITH_AES_128_CBC_SHA, wire.EmptyRenegotiationInfoSCSV),
		name: "localhost",
	}
	if r.IntN(10) == 0 {
		f.suites = append(f.suites, wire.FallbackSCSV)
	}
	easy := []wire.NamedGroup{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1}
	if r.IntN(8) != 0 {
		f.groups = some(r, 2, append(easy, wire.GroupX448, wire.GroupSecp224r1, wire.NamedGroup(0x0100), 0x2A2A)...)
	}
	if r.IntN(8) != 0 {
		f.schemes = some(r, 2, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA512, wire.SchemeRSAPKCS1SHA1,
			wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASHA1, wire.SchemeEd25519, wire.SchemeRSAPSSPSSSHA256)
	}
	if r.IntN(2) == 0 {
		f.legacy = wire.VersionTLS12
		f.versions = some(r, 2, wire.VersionTLS13, wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10, 0x3A3A)
		for _, g := range f.groups {
			for _, e := range easy {
				if g == e && r.IntN(2) == 0 {
					f.shares = append(f.shares, g)
				}
			}
		}
		f.noShares = r.IntN(12) == 0
	}
	if r.IntN(3) == 0 {
		f.protocols = some(r, 2, "h2", "http/1.1", "spdy/3.1")
	}
	return f
}
