package wire_test

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestNamesOfCodePoints(t *testing.T) {
	for _, test := range []struct {
		got  interface{ String() string }
		want string
	}{
		{wire.VersionSSLv2, "SSLv2"}, {wire.VersionSSLv3, "SSLv3"}, {wire.VersionTLS10, "TLSv1.0"}, {wire.VersionTLS13, "TLSv1.3"},
		{wire.Version(0x7F17), "TLSv1.3-draft23"}, {wire.VersionDTLS12, "DTLSv1.2"}, {wire.VersionDTLS10, "DTLSv1.0"}, {wire.Version(0x1A2B), "0x1A2B"},
		{wire.CipherSuite(0xC02F), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, {wire.EmptyRenegotiationInfoSCSV, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"},
		{wire.CipherSuite(0x1A1A), "0x1A1A"}, {wire.NamedGroup(0x11EC), "X25519MLKEM768"}, {wire.NamedGroup(29), "x25519"}, {wire.NamedGroup(23), "secp256r1"},
		{wire.SignatureScheme(0x0804), "rsa_pss_rsae_sha256"}, {wire.SignatureScheme(0xBEEF), "0xBEEF"},
		{wire.ExtensionALPN, "application_layer_protocol_negotiation"}, {wire.ExtensionType(21), "padding"}, {wire.ExtensionType(0x0ABC), "0x0ABC"},
		{wire.AlertHandshakeFailure, "handshake_failure"}, {wire.AlertDescription(231), "alert(231)"}, {wire.AlertLevel(2), "fatal"}, {wire.AlertLevel(3), "level(3)"},
		{wire.ContentType(22), "handshake"}, {wire.ContentType(99), "content_type(99)"}, {wire.HandshakeType(1), "client_hello"}, {wire.HandshakeType(99), "handshake_type(99)"},
		{wire.SSLv2CipherKind(0x0700C0), "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"}, {wire.SSLv2CipherKind(0x000039), "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"}, {wire.SSLv2CipherKind(0x123456), "0x123456"},
		{wire.CertificateCompressionAlgorithm(2), "brotli"}, {wire.CertificateCompressionAlgorithm(9), "0x0009"},
	} {
		if got := test.got.String(); got != test.want {
			t.Errorf("%#v: %s, want %s", test.got, got, test.want)
		}
	}
}

func TestEveryNameLeadsBack(t *testing.T) {
	for v := range 1 << 16 {
		if c := wire.CipherSuite(v); true {
			// Of two unregistered code points with one name the first is found.
			if got, ok := wire.CipherSuiteByName(c.String()); !ok || got != c && got.String() != c.String() {
				t.Errorf("suite %s leads to %#x, %v", c, uint16(got), ok)
			}
		}
		if g := wire.NamedGroup(v); true {
			if got, ok := wire.NamedGroupByName(g.String()); !ok || got != g {
				t.Errorf("group %s leads to %#x, %v", g, uint16(got), ok)
			}
		}
		if s := wire.SignatureScheme(v); true {
			if got, ok := wire.SignatureSchemeByName(s.String()); !ok || got != s {
				t.Errorf("scheme %s leads to %#x, %v", s, uint16(got), ok)
			}
		}
		if e := wire.ExtensionType(v); true {
			if got, ok := wire.ExtensionTypeByName(e.String()); !ok || got != e {
				t.Errorf("extension %s leads to %#x, %v", e, uint16(got), ok)
			}
		}
		if got, ok := wire.VersionByName(wire.Version(v).String()); !ok || got != wire.Version(v) {
			t.Errorf("version %s leads to %#x, %v", wire.Version(v), uint16(got), ok)
		}
		if v < 1<<8 {
			if d := wire.AlertDescription(v); true {
				if got, ok := wire.AlertByName(d.String()); !ok || got != d {
					t.Errorf("alert %s leads to %d, %v", d, got, ok)
				}
			}
		}
	}
}

func TestNamesThatPeopleType(t *testing.T) {
	for name, want := range map[string]wire.CipherSuite{
		"ECDHE-RSA-AES128-GCM-SHA256": 0xC02F, "tls_ecdhe_rsa_with_aes_128_gcm_sha256": 0xC02F, "AES128-SHA": 0x002F, "DES-CBC3-SHA": 0x000A,
		"SSL_RSA_WITH_RC4_128_MD5": 0x0004, "ECDHE-ECDSA-CHACHA20-POLY1305": 0xCCA9, "TLS_AES_128_GCM_SHA256": 0x1301, "0x1301": 0x1301, "EXP-RC4-MD5": 0x0003,
	} {
		if got, ok := wire.CipherSuiteByName(name); !ok || got != want {
			t.Errorf("suite %s: %s, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "aes128-sha", "TLS_NO_SUCH_SUITE", "0x", "0x12345", "SSL_"} {
		if got, ok := wire.CipherSuiteByName(name); ok {
			t.Errorf("suite %q is %s", name, got)
		}
	}
	for name, want := range map[string]wire.NamedGroup{
		"x25519": 29, "X25519": 29, "P-256": 23, "prime256v1": 23, "secp256r1": 23, "CurveP384": 24, "x25519mlkem768": 0x11EC, "ffdhe2048": 0x100, "GROUP-X25519": 29,
	} {
		if got, ok := wire.NamedGroupByName(name); !ok || got != want {
			t.Errorf("group %s: %s, %v", name, got, ok)
		}
	}
	for name, want := range map[string]wire.SignatureScheme{
		"rsa_pkcs1_sha256": 0x0401, "RSA+SHA256": 0x0401, "ECDSA+SHA384": 0x0503, "rsa_pss_rsae_sha256": 0x0804, "RSA-PSS+SHA256": 0x0804, "ed25519": 0x0807, "ECDSAWithP256AndSHA256": 0x0403,
	} {
		if got, ok := wire.SignatureSchemeByName(name); !ok || got != want {
			t.Errorf("scheme %s: %s, %v", name, got, ok)
		}
	}
	for name, want := range map[string]wire.Version{
		"TLSv1.2": 0x0303, "TLS 1.2": 0x0303, "tls1.2": 0x0303, "1.2": 0x0303, "TLSv1_2": 0x0303, "TLS_1_2": 0x0303, "TLSv12": 0x0303, "TLSv1": 0x0301, "TLSv1.0": 0x0301, "1.0": 0x0301,
		"SSLv3": 0x0300, "SSL 3.0": 0x0300, "SSLv2": 0x0002, "TLSv1.3": 0x0304, "1.3": 0x0304, "DTLS 1.2": 0xFEFD, "TLSv1.3-draft28": 0x7F1C, "0x0303": 0x0303,
	} {
		if got, ok := wire.VersionByName(name); !ok || got != want {
			t.Errorf("version %s: %s, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "TLS", "TLSv1.4", "3", "TLSv2", "banana", "TLSv1.3-draft", "TLSv1.3-draft999"} {
		if got, ok := wire.VersionByName(name); ok {
			t.Errorf("version %q is %s", name, got)
		}
	}
	for name, want := range map[string]wire.AlertDescription{
		"handshake_failure": 40, "Handshake Failure": 40, "handshake-failure": 40, "40": 40, "unknown ca": 48, "alert(231)": 231,
	} {
		if got, ok := wire.AlertByName(name); !ok || got != want {
			t.Errorf("alert %s: %s, %v", name, got, ok)
		}
	}
	if got, ok := wire.AlertByName("no such alert"); ok {
		t.Errorf("an alert that is none: %s", got)
	}
}

func TestSuitesAgreeWithCryptoTLS(t *testing.T) {
	suites := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, s := range suites {
		info, ok := wire.CipherSuite(s.ID).Info()
		name := s.Name
		if name != info.Name || !ok {
			t.Errorf("%#x: %s, crypto/tls says %s", s.ID, info.Name, name)
		}
		for _, v := range s.SupportedVersions {
			if wire.Version(v) > info.MaxVersion || wire.Version(v) < info.MinVersion {
				t.Errorf("%s: %s to %s, crypto/tls uses it with %s", name, info.MinVersion, info.MaxVersion, wire.Version(v))
			}
		}
		if got, want := info.ForwardSecrecy, info.TLS13() || strings.Contains(name, "ECDHE"); got != want {
			t.Errorf("%s: forward secrecy %v", name, got)
		}
	}
}

// The facts are generated; the generator's input is read again here, row by row.
func TestFactsAreThoseOfTheRegistry(t *testing.T) {
	b, err := os.ReadFile(shared(t, "facts", "registry", "cipher-suites.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Suites []struct {
			ID      uint16 `json:"id_int"`
			IANA    string `json:"iana_name"`
			OpenSSL string `json:"openssl_name"`
			KX      string `json:"kx"`
			Auth    string `json:"auth"`
			Enc     string `json:"enc"`
			Bits    int    `json:"key_bits"`
			AEAD    bool   `json:"aead"`
			FS      bool   `json:"fs"`
			Export  bool   `json:"export"`
			Max     string `json:"max_version"`
		} `json:"cipher_suites"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, s := range file.Suites {
		if s.IANA == "" {
			continue
		}
		rows++
		info, ok := wire.CipherSuite(s.ID).Info()
		if !ok || info.Name != s.IANA || info.OpenSSL != s.OpenSSL {
			t.Errorf("%#x: %+v, want %s %s", s.ID, info, s.IANA, s.OpenSSL)
		}
		if s.KX == "" {
			if !info.Signal() {
				t.Errorf("%s: %+v is no signal", s.IANA, info)
			}
			continue
		}
		if info.KeyExchange != s.KX || info.Authentication != s.Auth || info.Encryption != s.Enc || info.KeyBits != s.Bits || info.AEAD != s.AEAD || info.ForwardSecrecy != s.FS || info.Export != s.Export || info.MaxVersion.String() != s.Max {
			t.Errorf("%s: %+v, want %+v", s.IANA, info, s)
		}
		if s.OpenSSL != "" {
			if c, ok := wire.CipherSuiteByName(s.OpenSSL); !ok || uint16(c) != s.ID {
				t.Errorf("%s leads to %s", s.OpenSSL, c)
			}
		}
	}
	if rows < 300 {
		t.Errorf("only %d suites in the registry", rows)
	}
}

func TestGroupAndSchemeFacts(t *testing.T) {
	for g, want := range map[wire.NamedGroup]wire.NamedGroupInfo{
		wire.GroupX25519:         {Name: "x25519", Kind: wire.GroupKindECDHE, TLS13: true, ClientShare: 32, ServerShare: 32},
		wire.GroupX25519MLKEM768: {Name: "X25519MLKEM768", Kind: wire.GroupKindHybrid, TLS13: true, PostQuantum: true, ClientShare: 1216, ServerShare: 1120},
		wire.GroupSect163k1:      {Name: "sect163k1", Kind: wire.GroupKindECDHE, Weak: true},
		wire.GroupSecp192r1:      {Name: "secp192r1", Kind: wire.GroupKindECDHE, Weak: true},
		wire.GroupSecp224r1:      {Name: "secp224r1", Kind: wire.GroupKindECDHE},
		wire.GroupFfdhe2048:      {Name: "ffdhe2048", Kind: wire.GroupKindFFDHE, TLS13: true, ClientShare: 256, ServerShare: 256},
		wire.GroupMLKEM768:       {Name: "MLKEM768", Kind: wire.GroupKindKEM, TLS13: true, PostQuantum: true, ClientShare: 1184, ServerShare: 1088},
	} {
		if got, ok := g.Info(); !ok || got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	for s, want := range map[wire.SignatureScheme]wire.SignatureSchemeInfo{
		wire.SchemeRSAPKCS1SHA1:         {Name: "rsa_pkcs1_sha1", Kind: wire.SignatureRSAPKCS1, Hash: "SHA1", TLS13CertificatesOnly: true},
		wire.SchemeECDSASecp256r1SHA256: {Name: "ecdsa_secp256r1_sha256", Kind: wire.SignatureECDSA, Hash: "SHA256", Curve: wire.GroupSecp256r1, TLS13: true},
		wire.SchemeRSAPSSRSAESHA512:     {Name: "rsa_pss_rsae_sha512", Kind: wire.SignatureRSAPSSRSAE, Hash: "SHA512", TLS13: true},
		wire.SchemeEd25519:              {Name: "ed25519", Kind: wire.SignatureEdDSA, TLS13: true},
	} {
		if got, ok := s.Info(); !ok || got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if _, ok := wire.NamedGroup(0x0A0A).Info(); ok {
		t.Error("GREASE has facts")
	}
}

func TestGREASE(t *testing.T) {
	n := 0
	for v := range 1 << 16 {
		if wire.IsGREASE(uint16(v)) {
			n++
			if v>>8 != v&0xFF || v&0xF != 0xA {
				t.Errorf("%#x is no GREASE value", v)
			}
		}
	}
	if n != 16 {
		t.Errorf("%d GREASE values", n)
	}
}

func BenchmarkCipherSuiteByName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := wire.CipherSuiteByName("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"); !ok {
			b.Fatal("not found")
		}
	}
}
