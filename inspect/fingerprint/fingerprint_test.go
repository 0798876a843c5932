package fingerprint_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// hellos parses the recorded ClientHellos; the test is skipped where they are not.
func hellos(tb testing.TB) map[string]*wire.ClientHello {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "facts", "clienthellos.json"))
	if err != nil {
		tb.Skipf("the recorded hellos are not here: %v", err)
	}
	var recorded []struct {
		ID     string `json:"id"`
		Format string `json:"format"`
		Record string `json:"record_hex"`
	}
	if err := json.Unmarshal(b, &recorded); err != nil {
		tb.Fatal(err)
	}
	all := map[string]*wire.ClientHello{}
	for _, r := range recorded {
		record, err := hex.DecodeString(r.Record)
		if err != nil {
			tb.Fatal(err)
		}
		h := new(wire.ClientHello)
		if r.Format == "sslv2" {
			err = wire.ParseSSLv2ClientHello(record[2:], h)
		} else {
			err = wire.ParseClientHello(record[5:], h)
		}
		if err != nil {
			tb.Fatalf("%s: %v", r.ID, err)
		}
		all[r.ID] = h
	}
	return all
}

func TestFormOfFingerprints(t *testing.T) {
	ja3 := regexp.MustCompile(`^[0-9a-f]{32}$`)
	ja4 := regexp.MustCompile(`^t(13|12|11|10|s3|s2|00)[di]\d\d\d\d[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$`)
	shape := regexp.MustCompile(`^s1_[0-9a-f]{16}$`)
	for id, h := range hellos(t) {
		hash, text := fingerprint.JA3(h)
		if !ja3.MatchString(hash) || strings.Count(text, ",") != 4 || string(fingerprint.AppendJA3(nil, h)) != hash {
			t.Errorf("%s: JA3 %s of %s", id, hash, text)
		}
		hash, raw := fingerprint.JA4(h, fingerprint.TCP)
		if !ja4.MatchString(hash) || !strings.HasPrefix(raw, hash[:11]) || string(fingerprint.AppendJA4(nil, h, fingerprint.TCP)) != hash || string(fingerprint.AppendJA4Raw(nil, h, fingerprint.TCP)) != raw {
			t.Errorf("%s: JA4 %s of %s", id, hash, raw)
		}
		if s := fingerprint.Shape(h); !shape.MatchString(s) {
			t.Errorf("%s: shape %s", id, s)
		}
	}
}

func TestChromiumKeepsJA4AndShapeAndChangesJA3(t *testing.T) {
	all := hellos(t)
	one, two := all["chromium-156.0.8078.79-default"], all["chromium-156.0.8078.79-again"]
	a, _ := fingerprint.JA4(one, fingerprint.TCP)
	b, _ := fingerprint.JA4(two, fingerprint.TCP)
	if a != b || !strings.HasPrefix(a, "t13d") || a[8:10] != "h2" {
		t.Errorf("JA4 %s and %s", a, b)
	}
	if a, b := fingerprint.Shape(one), fingerprint.Shape(two); a != b {
		t.Errorf("shapes %s and %s", a, b)
	}
	a, _ = fingerprint.JA3(one)
	b, _ = fingerprint.JA3(two)
	if a == b {
		t.Errorf("JA3 %s twice, although the extensions are in another order", a)
	}
	if a, b := fingerprint.Shape(one), fingerprint.Shape(all["chromium-156.0.8078.79-tls12"]); a == b {
		t.Errorf("shape %s with TLS 1.2 as well", a)
	}
}

// A set of recorded hellos of one program that differ in an option each: every option shows in the shape.
func TestShapesTellClientsApart(t *testing.T) {
	all := hellos(t)
	shapes := map[string][]string{}
	for id, h := range all {
		s := fingerprint.Shape(h)
		shapes[s] = append(shapes[s], id)
	}
	// The collection has 181 hellos of 171 shapes by its own, stricter count (its notes, caveat 5).
	if len(shapes) < 150 {
		t.Errorf("only %d shapes of %d hellos", len(shapes), len(all))
	}
	t.Logf("%d shapes of %d hellos", len(shapes), len(all))
	for _, pair := range [][2]string{
		{"openssl-3.0.22-s_client-default", "openssl-3.0.22-s_client-tls12"},
		{"openssl-3.0.22-s_client-default", "openssl-3.0.22-s_client-no-sni"},
		{"openssl-3.0.22-s_client-default", "openssl-3.0.22-s_client-p384"},
		{"openssl-3.0.22-s_client-default", "openssl-3.0.22-s_client-sha1-sigalgs"},
		{"openssl-3.0.22-s_client-default", "nss-3.87.1-1+deb12u4-default"},
		{"openssl-0.9.7", "openssl-0.9.7k"},
	} {
		if all[pair[0]] == nil || all[pair[1]] == nil {
			t.Fatalf("%v are not recorded", pair)
		}
		if a, b := fingerprint.Shape(all[pair[0]]), fingerprint.Shape(all[pair[1]]); a == b {
			t.Errorf("%s and %s have one shape", pair[0], pair[1])
		}
	}
}

// change makes a hello again with one field changed.
func change(t *testing.T, h *wire.ClientHello, f func(*wire.ClientHello)) string {
	t.Helper()
	c := *h
	f(&c)
	return fingerprint.Shape(&c)
}

func TestWhatDoesNotChangeTheShape(t *testing.T) {
	h := hellos(t)["chromium-156.0.8078.79-default"]
	want := fingerprint.Shape(h)
	grease := func(from, to uint16, list wire.List[wire.CipherSuite]) wire.List[wire.CipherSuite] {
		all := list.Slice()
		for i, c := range all {
			if uint16(c) == from {
				all[i] = wire.CipherSuite(to)
			}
		}
		return wire.ListOf(all...)
	}
	for name, f := range map[string]func(*wire.ClientHello){
		"random":      func(h *wire.ClientHello) { h.Random = make([]byte, 32) },
		"session id":  func(h *wire.ClientHello) { h.SessionID = nil },
		"server name": func(h *wire.ClientHello) { h.ServerName = []byte("elsewhere.example") },
		"ticket":      func(h *wire.ClientHello) { h.SessionTicket = []byte("ticket") },
		"padding": func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions[:len(h.Extensions):len(h.Extensions)], 0, 21, 0, 1, 0)
		},
		"PSK": func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions[:len(h.Extensions):len(h.Extensions)], 0, 41, 0, 0)
		},
		"early data": func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions[:len(h.Extensions):len(h.Extensions)], 0, 42, 0, 0)
		},
		"GREASE suite": func(h *wire.ClientHello) {
			h.CipherSuites = grease(uint16(h.CipherSuites.At(0)), 0xFAFA, h.CipherSuites)
		},
		"second ECH": func(h *wire.ClientHello) { h.ECH = []byte("other bytes") },
		"GREASE at end": func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions[:len(h.Extensions):len(h.Extensions)], 0x5A, 0x5A, 0, 0)
		},
	} {
		if got := change(t, h, f); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for name, f := range map[string]func(*wire.ClientHello){
		"legacy version": func(h *wire.ClientHello) { h.LegacyVersion = wire.VersionTLS11 },
		"suites":         func(h *wire.ClientHello) { h.CipherSuites = h.CipherSuites[:len(h.CipherSuites)-2] },
		"no GREASE":      func(h *wire.ClientHello) { h.CipherSuites = h.CipherSuites[2:] },
		"extensions": func(h *wire.ClientHello) {
			h.Extensions = append(h.Extensions[:len(h.Extensions):len(h.Extensions)], 0x12, 0x34, 0, 0)
		},
		"groups":             func(h *wire.ClientHello) { h.SupportedGroups = wire.ListOf(wire.GroupX25519) },
		"key shares":         func(h *wire.ClientHello) { h.KeyShares = nil },
		"versions":           func(h *wire.ClientHello) { h.SupportedVersions = wire.ListOf(wire.VersionTLS13) },
		"schemes":            func(h *wire.ClientHello) { h.SignatureSchemes = h.SignatureSchemes[2:] },
		"schemes cert":       func(h *wire.ClientHello) { h.SignatureSchemesCert = wire.ListOf(wire.SchemeEd25519) },
		"ALPN":               func(h *wire.ClientHello) { h.ALPN = wire.ProtocolNamesOf("h2") },
		"point formats":      func(h *wire.ClientHello) { h.PointFormats = []byte{0, 1} },
		"compression":        func(h *wire.ClientHello) { h.CompressionMethods = []byte{1, 0} },
		"PSK modes":          func(h *wire.ClientHello) { h.PSKModes = []byte{0} },
		"record size limit":  func(h *wire.ClientHello) { h.RecordSizeLimit = 0x4001 },
		"cert compression":   func(h *wire.ClientHello) { h.CompressCertificate = nil },
		"format":             func(h *wire.ClientHello) { h.SSLv2 = true },
		"extensions missing": func(h *wire.ClientHello) { h.HasExtensions = false },
	} {
		if got := change(t, h, f); got == want {
			t.Errorf("%s does not show in the shape", name)
		}
	}
}

func TestJA4OfTheDefinition(t *testing.T) {
	// The example of the definition's own text: a hello of a browser over TCP.
	h := &wire.ClientHello{
		LegacyVersion:     wire.VersionTLS12,
		CipherSuites:      wire.ListOf[wire.CipherSuite](0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
		Extensions:        extensions(0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B, 0xFF01, 0x000B, 0x000A, 0x0015),
		SignatureSchemes:  wire.ListOf[wire.SignatureScheme](0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601),
		SupportedVersions: wire.ListOf[wire.Version](0x0304, 0x0303),
		ALPN:              wire.ProtocolNamesOf("h2", "http/1.1"),
	}
	hash, raw := fingerprint.JA4(h, fingerprint.TCP)
	if want := "t13d1516h2_8daaf6152771_e5627efa2ab1"; hash != want {
		t.Errorf("JA4 %s, want %s", hash, want)
	}
	if want := "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601"; raw != want {
		t.Errorf("JA4_r %s, want %s", raw, want)
	}
}

// extensions makes a block of empty extensions.
func extensions(types ...uint16) wire.Extensions {
	var b wire.Extensions
	for _, t := range types {
		b = append(b, byte(t>>8), byte(t), 0, 0)
	}
	return b
}

func TestJA4Rules(t *testing.T) {
	many := make([]wire.CipherSuite, 150)
	for i := range many {
		many[i] = wire.CipherSuite(0xC000 + i)
	}
	base := wire.ClientHello{LegacyVersion: wire.VersionTLS12, CipherSuites: wire.ListOf(wire.TLS_AES_128_GCM_SHA256)}
	for _, test := range []struct {
		name      string
		transport byte
		hello     func(h *wire.ClientHello)
		want      string // the beginning of the raw form
	}{
		{"no extensions", 't', func(h *wire.ClientHello) {}, "t12i010000_1301_"},
		{"no suites", 't', func(h *wire.ClientHello) { h.CipherSuites = nil }, "t12i000000__"},
		{"QUIC", 'q', func(h *wire.ClientHello) { h.SupportedVersions = wire.ListOf(wire.VersionTLS13) }, "q13i010000_"},
		{"DTLS", 'd', func(h *wire.ClientHello) { h.LegacyVersion = wire.VersionDTLS12 }, "dd2i010000_"},
		{"GREASE version", 't', func(h *wire.ClientHello) {
			h.SupportedVersions = wire.ListOf[wire.Version](0xFAFA, 0x0304, 0x0303)
		}, "t13i"},
		{"versions in another order", 't', func(h *wire.ClientHello) { h.SupportedVersions = wire.ListOf[wire.Version](0x0301, 0x0303, 0x0302) }, "t12i"},
		{"supported_versions below legacy_version", 't', func(h *wire.ClientHello) { h.SupportedVersions = wire.ListOf[wire.Version](0x0301) }, "t10i"},
		{"draft", 't', func(h *wire.ClientHello) { h.SupportedVersions = wire.ListOf[wire.Version](0x7F1C, 0x0303) }, "t00i"},
		{"SSLv3", 't', func(h *wire.ClientHello) { h.LegacyVersion = wire.VersionSSLv3 }, "ts3i"},
		{"more than 99", 't', func(h *wire.ClientHello) { h.CipherSuites = wire.ListOf(many...) }, "t12i990000_"},
		{"SNI and ALPN count but do not show", 't', func(h *wire.ClientHello) {
			h.Extensions = extensions(0, 16, 0x1A1A, 10)
			h.ALPN = wire.ProtocolNamesOf("http/1.1")
		}, "t12d0103h1_1301_000a"},
		{"one-letter ALPN", 't', func(h *wire.ClientHello) { h.ALPN = wire.ProtocolNamesOf("a") }, "t12i0100aa_"},
		{"ALPN of bytes", 't', func(h *wire.ClientHello) { h.ALPN = wire.ProtocolNamesOf("\xab\xcd") }, "t12i0100ad_"},
		{"ALPN half alphanumeric", 't', func(h *wire.ClientHello) { h.ALPN = wire.ProtocolNamesOf("0\xab") }, "t12i01003b_"},
		{"ALPN with odd middle", 't', func(h *wire.ClientHello) { h.ALPN = wire.ProtocolNamesOf("h\xff2") }, "t12i0100h2_"},
		{"GREASE among the schemes", 't', func(h *wire.ClientHello) {
			h.Extensions = extensions(13)
			h.SignatureSchemes = wire.ListOf[wire.SignatureScheme](0x2A2A, 0x0804, 0x0403)
		}, "t12i010100_1301_000d_0804,0403"},
	} {
		h := base
		test.hello(&h)
		hash, raw := fingerprint.JA4(&h, test.transport)
		if !strings.HasPrefix(raw, test.want) {
			t.Errorf("%s: %s, want %s…", test.name, raw, test.want)
		}
		if !h.HasExtensions && len(h.Extensions) == 0 && !strings.HasSuffix(hash, "_000000000000") {
			t.Errorf("%s: %s, want zeros for no extensions", test.name, hash)
		}
	}
}

func FuzzFingerprints(f *testing.F) {
	for id, h := range hellos(f) {
		if strings.HasPrefix(id, "chromium") || strings.HasPrefix(id, "nss") {
			f.Add(h.Raw)
		}
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		var h wire.ClientHello
		_ = wire.ParseClientHello(msg, &h)
		if ja3, _ := fingerprint.JA3(&h); len(ja3) != 32 {
			t.Errorf("JA3 %q", ja3)
		}
		if ja4, _ := fingerprint.JA4(&h, fingerprint.TCP); len(ja4) != 36 {
			t.Errorf("JA4 %q", ja4)
		}
		if s := fingerprint.Shape(&h); len(s) != 19 {
			t.Errorf("shape %q", s)
		}
	})
}

func benchmark(b *testing.B, f func(h *wire.ClientHello)) {
	h := hellos(b)["chromium-156.0.8078.79-default"]
	b.SetBytes(int64(len(h.Raw)))
	b.ReportAllocs()
	for b.Loop() {
		f(h)
	}
}

func BenchmarkJA3(b *testing.B) { benchmark(b, func(h *wire.ClientHello) { fingerprint.JA3(h) }) }

func BenchmarkJA4(b *testing.B) {
	benchmark(b, func(h *wire.ClientHello) { fingerprint.JA4(h, fingerprint.TCP) })
}

func BenchmarkShape(b *testing.B) { benchmark(b, func(h *wire.ClientHello) { fingerprint.Shape(h) }) }

func BenchmarkAppendJA3AndJA4(b *testing.B) {
	var buf [128]byte
	benchmark(b, func(h *wire.ClientHello) {
		fingerprint.AppendJA4(fingerprint.AppendJA3(buf[:0], h), h, fingerprint.TCP)
	})
}

// What a proxy does with every hello: parse it, then both fingerprints and the shape.
func BenchmarkParseAndFingerprint(b *testing.B) {
	benchmark(b, func(h *wire.ClientHello) {
		var parsed wire.ClientHello
		if err := wire.ParseClientHello(h.Raw, &parsed); err != nil {
			b.Fatal(err)
		}
		fingerprint.JA3(&parsed)
		fingerprint.JA4(&parsed, fingerprint.TCP)
	})
}
