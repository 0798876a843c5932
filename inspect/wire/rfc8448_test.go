package wire_test

import (
	"crypto/x509"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Messages of RFC 8448, Section 3 (simple 1-RTT handshake) and Section 5 (HelloRetryRequest).
const (
	rfc8448ClientHello = "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302010000910000000b0009000006736572766572" +
		"ff01000100000a00140012001d0017001800190100010101020103010400230000003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c" +
		"002b0003020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00020101001c00024001"
	rfc8448ServerHello = "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00330024001d0020c9828876112095fe66762bdbf7c672e1" +
		"56d6cc253b833df1dd69b1b04e751f0f002b00020304"
	rfc8448EncryptedExtensions = "080000240022000a00140012001d00170018001901000101010201030104001c0002400100000000"
	rfc8448Certificate         = "0b0001b9000001b50001b0308201ac30820115a003020102020102300d06092a864886f70d01010b0500300e310c300a06035504031303727361301e170d3136" +
		"303733303031323335395a170d3236303733303031323335395a300e310c300a0603550403130372736130819f300d06092a864886f70d010101050003818d00" +
		"30818902818100b4bb498f8279303d980836399b36c6988c0c68de55e1bdb826d3901a2461eafd2de49a91d015abbc9a95137ace6c1af19eaa6af98c7ced4312" +
		"0998e187a80ee0ccb0524b1b018c3e0b63264d449a6d38e22a5fda430846748030530ef0461c8ca9d9efbfae8ea6d1d03e2bd193eff0ab9a8002c47428a6d35a" +
		"8d88d79f7f1e3f0203010001a31a301830090603551d1304023000300b0603551d0f0404030205a0300d06092a864886f70d01010b05000381810085aad2a0e5" +
		"b9276b908c65f73a7267170618a54c5f8a7b337d2df7a594365417f2eae8f8a58c8f8172f9319cf36b7fd6c55b80f21a03015156726096fd335e5e67f2dbf102" +
		"702e608ccae6bec1fc63a42a99be5c3eb7107c3c54e9b9eb2bd5203b1c3b84e0a8b2f759409ba3eac9d91d402dcc0cc8f8961229ac9187b42b4de10000"
	rfc8448CertificateVerify = "0f000084080400805a747c5d88fa9bd2e55ab085a61015b7211f824cd484145ab3ff52f1fda8477b0b7abc90db78e2d33a5c141a078653fa6bef780c5ea248ee" +
		"aaa785c4f394cab6d30bbe8d4859ee511f602957b15411ac027671459e46445c9ea58c181e818e95b8c3fb0bf3278409d3be152a3da5043e063dda65cdf5aea20d53dfacd42f74f3"
	rfc8448HelloRetryRequest = "020000ac0303cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c001301000084003300020017002c007400727" +
		"1dcd04bb88bc3189119398a00000000eefafc76c146b823b096f8aacad365dd0030953f4edf625636e5f21bb2e23fcc654b1b5b40318d10d137abcbb87574e36e8a" +
		"1f025f7dfa5d6e50781b5eda4aa15b0c8be778257d16aa3030e9e7841dd9e4c0342267e8ca0caf571fb2b7cff0f934b0002b00020304"
)

func fromHex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestRFC8448ClientHello(t *testing.T) {
	msg := fromHex(t, rfc8448ClientHello)
	var h wire.ClientHello
	if err := wire.ParseClientHello(msg, &h); err != nil {
		t.Fatal(err)
	}
	if h.LegacyVersion != wire.VersionTLS12 || hex.EncodeToString(h.Random) != "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7" || len(h.SessionID) != 0 {
		t.Errorf("version %s, random %x, session id %x", h.LegacyVersion, h.Random, h.SessionID)
	}
	if got, want := h.CipherSuites.Slice(), []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_AES_256_GCM_SHA384}; !slices.Equal(got, want) {
		t.Errorf("suites %v, want %v", got, want)
	}
	if string(h.ServerName) != "server" {
		t.Errorf("server name %q", h.ServerName)
	}
	var types []wire.ExtensionType
	for e := range h.Extensions.All() {
		types = append(types, e)
	}
	if want := []wire.ExtensionType{0, 0xFF01, 10, 35, 51, 43, 13, 45, 28}; !slices.Equal(types, want) {
		t.Errorf("extensions %v, want %v", types, want)
	}
	if got, want := h.SupportedGroups.Slice(), []wire.NamedGroup{0x1D, 0x17, 0x18, 0x19, 0x100, 0x101, 0x102, 0x103, 0x104}; !slices.Equal(got, want) {
		t.Errorf("groups %v, want %v", got, want)
	}
	if key, ok := h.KeyShares.Find(wire.GroupX25519); !ok || h.KeyShares.Len() != 1 || hex.EncodeToString(key) != "99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c" {
		t.Errorf("%d key shares, x25519 %x", h.KeyShares.Len(), key)
	}
	if got := h.SupportedVersions.Slice(); !slices.Equal(got, []wire.Version{wire.VersionTLS13}) {
		t.Errorf("versions %v", got)
	}
	if h.SignatureSchemes.Len() != 15 || h.SignatureSchemes.At(0) != wire.SchemeECDSASecp256r1SHA256 || h.SignatureSchemes.At(14) != wire.SchemeDSASHA1 {
		t.Errorf("schemes %v", h.SignatureSchemes.Slice())
	}
	if h.RecordSizeLimit != 0x4001 || !slices.Equal(h.PSKModes, []byte{1}) || h.SessionTicket == nil || len(h.SessionTicket) != 0 || h.RenegotiationInfo == nil || len(h.RenegotiationInfo) != 0 {
		t.Errorf("record_size_limit %d, psk modes %v, ticket %v, renegotiation_info %v", h.RecordSizeLimit, h.PSKModes, h.SessionTicket, h.RenegotiationInfo)
	}
	if h.ALPN != nil || h.Cookie != nil || h.PSKIdentities != nil || h.PointFormats != nil || h.EarlyData || h.ExtendedMasterSecret {
		t.Errorf("fields of extensions that are not there: %+v", h)
	}
}

func TestRFC8448ServerHello(t *testing.T) {
	var h wire.ServerHello
	if err := wire.ParseServerHello(fromHex(t, rfc8448ServerHello), &h); err != nil {
		t.Fatal(err)
	}
	if h.LegacyVersion != wire.VersionTLS12 || h.Version != wire.VersionTLS13 || h.CipherSuite != wire.TLS_AES_128_GCM_SHA256 || h.HelloRetryRequest || h.Downgrade != wire.DowngradeNone {
		t.Errorf("got %+v", h)
	}
	if h.Group != wire.GroupX25519 || hex.EncodeToString(h.KeyShare) != "c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f" {
		t.Errorf("key share %s %x", h.Group, h.KeyShare)
	}
}

func TestRFC8448HelloRetryRequest(t *testing.T) {
	var h wire.ServerHello
	if err := wire.ParseServerHello(fromHex(t, rfc8448HelloRetryRequest), &h); err != nil {
		t.Fatal(err)
	}
	if !h.HelloRetryRequest || h.Version != wire.VersionTLS13 || h.Group != wire.GroupSecp256r1 || h.KeyShare != nil || len(h.Cookie) != 0x72 {
		t.Errorf("got %+v", h)
	}
}

func TestRFC8448EncryptedFlight(t *testing.T) {
	var e wire.EncryptedExtensions
	if err := wire.ParseEncryptedExtensions(fromHex(t, rfc8448EncryptedExtensions), &e); err != nil {
		t.Fatal(err)
	}
	if e.SupportedGroups.Len() != 9 || e.RecordSizeLimit != 0x4001 || !e.ServerName || e.ALPN != nil {
		t.Errorf("got %+v", e)
	}
	var m wire.Certificate
	if err := wire.ParseCertificate(fromHex(t, rfc8448Certificate), wire.VersionTLS13, &m); err != nil {
		t.Fatal(err)
	}
	if m.Len() != 1 {
		t.Fatalf("%d certificates", m.Len())
	}
	for entry := range m.All() {
		leaf, err := x509.ParseCertificate(entry.DER)
		if err != nil || leaf.Subject.CommonName != "rsa" || entry.OCSP != nil || entry.SCTs != 0 {
			t.Errorf("certificate %v, error %v", leaf, err)
		}
	}
	scheme, signature, err := wire.ParseCertificateVerify(fromHex(t, rfc8448CertificateVerify), wire.VersionTLS13)
	if err != nil || scheme != wire.SchemeRSAPSSRSAESHA256 || len(signature) != 128 {
		t.Errorf("%s, signature of %d bytes, error %v", scheme, len(signature), err)
	}
}

func TestEveryTruncatedRFC8448MessageIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		hex   string
		parse func([]byte) error
	}{
		"ClientHello":       {rfc8448ClientHello, func(b []byte) error { return wire.ParseClientHello(b, new(wire.ClientHello)) }},
		"ServerHello":       {rfc8448ServerHello, func(b []byte) error { return wire.ParseServerHello(b, new(wire.ServerHello)) }},
		"HelloRetryRequest": {rfc8448HelloRetryRequest, func(b []byte) error { return wire.ParseServerHello(b, new(wire.ServerHello)) }},
		"EncryptedExtensions": {rfc8448EncryptedExtensions, func(b []byte) error {
			return wire.ParseEncryptedExtensions(b, new(wire.EncryptedExtensions))
		}},
		"Certificate": {rfc8448Certificate, func(b []byte) error { return wire.ParseCertificate(b, wire.VersionTLS13, new(wire.Certificate)) }},
		"CertificateVerify": {rfc8448CertificateVerify, func(b []byte) error {
			_, _, err := wire.ParseCertificateVerify(b, wire.VersionTLS13)
			return err
		}},
	} {
		msg := fromHex(t, test.hex)
		for n := range msg {
			if test.parse(msg[:n:n]) == nil {
				t.Errorf("%s: the first %d of %d bytes parse", name, n, len(msg))
			}
			if n < 4 {
				continue
			}
			// The same with a header that agrees: the body itself must notice.
			cut := slices.Clone(msg[:n])
			cut[1], cut[2], cut[3] = 0, byte((n-4)>>8), byte(n-4)
			if err := test.parse(cut); err == nil && !endsBeforeExtensions(name, cut) {
				t.Errorf("%s: the first %d of %d bytes parse under a header of that length", name, n, len(msg))
			}
		}
		if test.parse(append(slices.Clone(msg), 0)) == nil {
			t.Errorf("%s: a byte behind the message is not noticed", name)
		}
	}
}

// endsBeforeExtensions reports whether a hello was cut where one of TLS 1.2 may end.
func endsBeforeExtensions(name string, msg []byte) bool {
	switch name {
	case "ClientHello":
		var h wire.ClientHello
		return wire.ParseClientHello(msg, &h) == nil && !h.HasExtensions && len(msg) == 4+2+32+1+8+2
	case "ServerHello", "HelloRetryRequest":
		var h wire.ServerHello
		return wire.ParseServerHello(msg, &h) == nil && !h.HasExtensions && len(msg) == 4+2+32+1+2+1
	}
	return false
}
