package wire_test

import (
	"bytes"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// message makes a handshake message.
func message(t wire.HandshakeType, body ...byte) []byte {
	return append([]byte{byte(t), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// extension makes an extension.
func extension(t wire.ExtensionType, body ...byte) []byte {
	return append([]byte{byte(t >> 8), byte(t), byte(len(body) >> 8), byte(len(body))}, body...)
}

// clientHello makes a ClientHello with one suite and the given extensions.
func clientHello(extensions ...[]byte) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 0x01, 1, 0)
	block := bytes.Join(extensions, nil)
	body = append(body, byte(len(block)>>8), byte(len(block)))
	return message(wire.HandshakeTypeClientHello, append(body, block...)...)
}

func TestErrorsOfExtensions(t *testing.T) {
	for _, test := range []struct {
		name string
		t    wire.ExtensionType
		body []byte
		want string
	}{
		{"list of names too long", wire.ExtensionServerName, []byte{0, 9, 0, 0, 1, 'a'}, "wire: client_hello: extensions: server_name: length 9 exceeds remaining 4"},
		{"name too long", wire.ExtensionServerName, []byte{0, 4, 0, 0, 2, 'a'}, "wire: client_hello: extensions: server_name: host_name: length 2 exceeds remaining 1"},
		{"no name", wire.ExtensionServerName, []byte{0, 3, 0, 0, 0}, "wire: client_hello: extensions: server_name: host_name: empty"},
		{"nothing", wire.ExtensionServerName, nil, "wire: client_hello: extensions: server_name: needs 2 bytes, has 0"},
		{"bytes behind the list", wire.ExtensionServerName, []byte{0, 4, 0, 0, 1, 'a', 'b'}, "wire: client_hello: extensions: server_name: 1 bytes after the end"},
		{"half a group", wire.ExtensionSupportedGroups, []byte{0, 3, 0, 29, 0}, "wire: client_hello: extensions: supported_groups: length 3 is no multiple of 2"},
		{"no groups", wire.ExtensionSupportedGroups, []byte{0, 0}, "wire: client_hello: extensions: supported_groups: empty"},
		{"empty protocol", wire.ExtensionALPN, []byte{0, 3, 0, 1, 'a'}, "wire: client_hello: extensions: application_layer_protocol_negotiation: protocol_name: empty"},
		{"protocol too long", wire.ExtensionALPN, []byte{0, 3, 5, 'h', '2'}, "wire: client_hello: extensions: application_layer_protocol_negotiation: protocol_name: length 5 exceeds remaining 2"},
		{"share too long", wire.ExtensionKeyShare, []byte{0, 5, 0, 29, 0, 2, 1}, "wire: client_hello: extensions: key_share: key_exchange: length 2 exceeds remaining 1"},
		{"identity without age", wire.ExtensionPreSharedKey, []byte{0, 3, 0, 1, 'i', 0, 0}, "wire: client_hello: extensions: pre_shared_key: obfuscated_ticket_age: needs 4 bytes, has 0"},
		{"no binders", wire.ExtensionPreSharedKey, []byte{0, 7, 0, 1, 'i', 0, 0, 0, 0}, "wire: client_hello: extensions: pre_shared_key: binders: needs 2 bytes, has 0"},
		{"flag with content", wire.ExtensionExtendedMasterSecret, []byte{1}, "wire: client_hello: extensions: extended_master_secret: 1 bytes after the end"},
		{"empty cookie", wire.ExtensionCookie, []byte{0, 0}, "wire: client_hello: extensions: cookie: empty"},
		{"record size of one byte", wire.ExtensionRecordSizeLimit, []byte{1}, "wire: client_hello: extensions: record_size_limit: needs 2 bytes, has 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// What stands before and behind a malformed extension is read all the same.
			msg := clientHello(extension(wire.ExtensionSupportedVersions, 2, 3, 4), extension(test.t, test.body...), extension(wire.ExtensionECPointFormats, 1, 0))
			var h wire.ClientHello
			err := wire.ParseClientHello(msg, &h)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if !h.SupportedVersions.Contains(wire.VersionTLS13) || !bytes.Equal(h.PointFormats, []byte{0}) || h.Extensions.Len() != 3 {
				t.Errorf("versions %v, point formats %v, %d extensions", h.SupportedVersions, h.PointFormats, h.Extensions.Len())
			}
		})
	}
}

func TestErrorsOfTheHelloItself(t *testing.T) {
	good := clientHello(extension(wire.ExtensionSupportedVersions, 2, 3, 4))
	for _, test := range []struct {
		name   string
		damage func(b []byte) []byte
		want   string
	}{
		{"another message", func(b []byte) []byte { b[0] = 2; return b }, "wire: client_hello: header: type 2, want 1"},
		{"cut", func(b []byte) []byte { return b[:len(b)-3] }, "wire: client_hello: header: length 50 exceeds remaining 47"},
		{"trailing", func(b []byte) []byte { return append(b, 0) }, "wire: client_hello: header: 1 bytes after the end"},
		{"session id", func(b []byte) []byte { b[38] = 33; return b }, "wire: client_hello: legacy_session_id: length 33 exceeds remaining 15"},
		{"suites", func(b []byte) []byte { b[40] = 200; return b }, "wire: client_hello: cipher_suites: length 200 exceeds remaining 13"},
		{"half a suite", func(b []byte) []byte { b[40] = 3; return b }, "wire: client_hello: cipher_suites: length 3 is no multiple of 2"},
		{"extensions", func(b []byte) []byte { b[45], b[46] = 2, 0; return b }, "wire: client_hello: extensions: length 512 exceeds remaining 7"},
		{"extension", func(b []byte) []byte { b[50] = 9; return b }, "wire: client_hello: extensions: supported_versions: length 9 exceeds remaining 3"},
	} {
		var h wire.ClientHello
		err := wire.ParseClientHello(test.damage(bytes.Clone(good)), &h)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
}

func TestDuplicateExtensionsAreKeptAndTheFirstCounts(t *testing.T) {
	msg := clientHello(extension(wire.ExtensionServerName, 0, 4, 0, 0, 1, 'a'), extension(wire.ExtensionServerName, 0, 4, 0, 0, 1, 'b'))
	var h wire.ClientHello
	if err := wire.ParseClientHello(msg, &h); err != nil {
		t.Fatal(err)
	}
	if twice, ok := h.Extensions.Duplicate(); !ok || twice != wire.ExtensionServerName || string(h.ServerName) != "a" || h.Extensions.Len() != 2 {
		t.Errorf("%s twice: %v, server name %q", twice, ok, h.ServerName)
	}
}

func TestServerKeyExchangeForms(t *testing.T) {
	vector16 := func(b ...byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b...) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	ecdh := []byte{3, 0, 29, 2, 'p', 'k'}
	dh := join(vector16(0, 0xC5, 1), vector16(2), vector16(9, 9))
	signature := vector16('s', 'i', 'g')
	scheme := []byte{4, 3}
	for _, test := range []struct {
		name    string
		version wire.Version
		suite   wire.CipherSuite
		body    []byte
		want    wire.ServerKeyExchange
	}{
		{"ECDHE of TLS 1.2", wire.VersionTLS12, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, join(ecdh, scheme, signature), wire.ServerKeyExchange{Group: wire.GroupX25519, PublicKey: []byte("pk"), Signed: true, SignatureScheme: 0x0403}},
		{"ECDHE of TLS 1.0", wire.VersionTLS10, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, join(ecdh, signature), wire.ServerKeyExchange{Group: wire.GroupX25519, PublicKey: []byte("pk"), Signed: true}},
		{"ECDHE, anonymous", wire.VersionTLS12, wire.TLS_ECDH_anon_WITH_AES_128_CBC_SHA, ecdh, wire.ServerKeyExchange{Group: wire.GroupX25519, PublicKey: []byte("pk")}},
		{"DHE of TLS 1.2", wire.VersionTLS12, wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, join(dh, scheme, signature), wire.ServerKeyExchange{Prime: []byte{0, 0xC5, 1}, PrimeBits: 16, PublicKey: []byte{9, 9}, Signed: true, SignatureScheme: 0x0403}},
		{"DHE, anonymous", wire.VersionSSLv3, wire.TLS_DH_anon_WITH_RC4_128_MD5, dh, wire.ServerKeyExchange{Prime: []byte{0, 0xC5, 1}, PrimeBits: 16, PublicKey: []byte{9, 9}}},
		{"PSK", wire.VersionTLS12, wire.TLS_PSK_WITH_AES_128_CBC_SHA, vector16('h'), wire.ServerKeyExchange{PSKHint: []byte("h")}},
		{"ECDHE_PSK", wire.VersionTLS12, wire.TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA, join(vector16('h'), ecdh), wire.ServerKeyExchange{PSKHint: []byte("h"), Group: wire.GroupX25519, PublicKey: []byte("pk")}},
		{"DHE_PSK", wire.VersionTLS12, wire.TLS_DHE_PSK_WITH_AES_128_CBC_SHA, join(vector16('h'), dh), wire.ServerKeyExchange{PSKHint: []byte("h"), Prime: []byte{0, 0xC5, 1}, PrimeBits: 16, PublicKey: []byte{9, 9}}},
		{"RSA_EXPORT", wire.VersionTLS10, wire.TLS_RSA_EXPORT_WITH_RC4_40_MD5, join(vector16(0x80, 0, 0), vector16(3), signature), wire.ServerKeyExchange{Modulus: []byte{0x80, 0, 0}, ModulusBits: 24, Signed: true}},
		{"explicit curve", wire.VersionTLS12, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, join([]byte{1, 1, 7, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1, 'q'}, scheme, signature), wire.ServerKeyExchange{ExplicitCurve: true, Group: wire.GroupArbitraryExplicitPrimeCurves, PublicKey: []byte("q"), Signed: true, SignatureScheme: 0x0403}},
	} {
		t.Run(test.name, func(t *testing.T) {
			msg := message(wire.HandshakeTypeServerKeyExchange, test.body...)
			var got wire.ServerKeyExchange
			if err := wire.ParseServerKeyExchange(msg, test.version, test.suite, &got); err != nil {
				t.Fatal(err)
			}
			same := got.Group == test.want.Group && got.ExplicitCurve == test.want.ExplicitCurve && bytes.Equal(got.PublicKey, test.want.PublicKey) && bytes.Equal(got.Prime, test.want.Prime) &&
				got.PrimeBits == test.want.PrimeBits && bytes.Equal(got.Modulus, test.want.Modulus) && got.ModulusBits == test.want.ModulusBits && bytes.Equal(got.PSKHint, test.want.PSKHint) &&
				got.Signed == test.want.Signed && got.SignatureScheme == test.want.SignatureScheme
			if !same {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			for n := range msg {
				cut := bytes.Clone(msg[:n])
				if n >= 4 {
					cut[1], cut[2], cut[3] = 0, 0, byte(n-4)
				}
				if wire.ParseServerKeyExchange(cut, test.version, test.suite, &got) == nil {
					t.Errorf("the first %d of %d bytes parse", n, len(msg))
				}
			}
		})
	}
}

func TestCertificateRequestForms(t *testing.T) {
	names := []byte{0, 7, 0, 2, 0x30, 0, 0, 1, 0x31}
	for _, test := range []struct {
		name    string
		version wire.Version
		body    []byte
		schemes int
		types   int
	}{
		{"TLS 1.0", wire.VersionTLS10, append([]byte{2, 1, 64}, names...), 0, 2},
		{"TLS 1.2", wire.VersionTLS12, append([]byte{2, 1, 64, 0, 4, 4, 3, 8, 4}, names...), 2, 2},
		{"TLS 1.3", wire.VersionTLS13, append(append([]byte{0, 0, 23}, extension(wire.ExtensionSignatureAlgorithms, 0, 4, 4, 3, 8, 4)...), extension(wire.ExtensionCertificateAuthorities, names...)...), 2, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			msg := message(wire.HandshakeTypeCertificateRequest, test.body...)
			var m wire.CertificateRequest
			if err := wire.ParseCertificateRequest(msg, test.version, &m); err != nil {
				t.Fatal(err)
			}
			var authorities [][]byte
			for name := range m.Authorities() {
				authorities = append(authorities, name)
			}
			if m.SignatureSchemes.Len() != test.schemes || len(m.Types) != test.types || len(authorities) != 2 || !bytes.Equal(authorities[0], []byte{0x30, 0}) || !bytes.Equal(authorities[1], []byte{0x31}) {
				t.Errorf("%d schemes, types %v, authorities %x", m.SignatureSchemes.Len(), m.Types, authorities)
			}
			for n := range msg {
				if wire.ParseCertificateRequest(msg[:n], test.version, &m) == nil {
					t.Errorf("the first %d of %d bytes parse", n, len(msg))
				}
			}
		})
	}
}

func TestCertificateEntriesOfTLS13(t *testing.T) {
	entry := func(der string, extensions ...[]byte) []byte {
		block := bytes.Join(extensions, nil)
		b := append([]byte{0, 0, byte(len(der))}, der...)
		return append(append(b, 0, byte(len(block))), block...)
	}
	list := append(entry("leaf", extension(wire.ExtensionStatusRequest, 1, 0, 0, 4, 'o', 'c', 's', 'p'), extension(wire.ExtensionSCT, 0, 6, 0, 1, 'x', 0, 1, 'y')), entry("issuer")...)
	msg := message(wire.HandshakeTypeCertificate, append([]byte{0, 0, 0, byte(len(list))}, list...)...)
	var m wire.Certificate
	if err := wire.ParseCertificate(msg, wire.VersionTLS13, &m); err != nil {
		t.Fatal(err)
	}
	var got []wire.CertificateEntry
	for e := range m.All() {
		got = append(got, e)
	}
	if len(got) != 2 || string(got[0].DER) != "leaf" || string(got[0].OCSP) != "ocsp" || got[0].SCTs != 2 || string(got[1].DER) != "issuer" || got[1].OCSP != nil {
		t.Errorf("got %+v", got)
	}

	// The chain up to a malformed entry is kept.
	msg[len(msg)-len(entry("issuer"))+2]++
	if err := wire.ParseCertificate(msg, wire.VersionTLS13, &m); err == nil || m.Len() != 1 {
		t.Errorf("%d certificates, error %v", m.Len(), err)
	}
}

func TestDowngradeSentinels(t *testing.T) {
	for tail, want := range map[string]wire.Downgrade{"DOWNGRD\x01": wire.DowngradeFromTLS13, "DOWNGRD\x00": wire.DowngradeFromTLS12, "DOWNGRD\x02": wire.DowngradeNone} {
		body := append([]byte{3, 3}, make([]byte, 24)...)
		body = append(append(body, tail...), 0, 0xC0, 0x2F, 0)
		var h wire.ServerHello
		if err := wire.ParseServerHello(message(wire.HandshakeTypeServerHello, body...), &h); err != nil || h.Downgrade != want || h.HasExtensions {
			t.Errorf("%q: %d, want %d; %v", tail, h.Downgrade, want, err)
		}
	}
}
