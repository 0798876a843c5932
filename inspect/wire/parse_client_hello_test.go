package wire_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestRecordedHellosParseToTheLastByte(t *testing.T) {
	for _, r := range recordedHellos(t) {
		t.Run(r.ID, func(t *testing.T) {
			var h wire.ClientHello
			if err := r.parse(&h); err != nil {
				t.Fatal(err)
			}
			if got := string(h.ServerName); got != r.ServerName || (h.ServerName != nil) != r.HasSNI {
				t.Errorf("server name %q, want %q", got, r.ServerName)
			}
			if got := h.ALPN.Strings(); !slices.Equal(got, r.ALPN) {
				t.Errorf("ALPN %q, want %q", got, r.ALPN)
			}
			if got := highestFinal(&h).String(); got != r.MaxVersion {
				t.Errorf("highest version %s, want %s", got, r.MaxVersion)
			}
			if h.SSLv2 != (r.Format == "sslv2") {
				t.Errorf("SSLv2 = %v, format %s", h.SSLv2, r.Format)
			}
			if !h.SSLv2 && (len(h.Random) != 32 || h.CipherSuites.Len() == 0 || len(h.CompressionMethods) == 0) {
				t.Errorf("random of %d bytes, %d suites, %d compression methods", len(h.Random), h.CipherSuites.Len(), len(h.CompressionMethods))
			}
		})
	}
}

// highestFinal is the highest version that is no draft.
func highestFinal(h *wire.ClientHello) wire.Version {
	highest := wire.Version(0)
	for v := range h.SupportedVersions.All() {
		if !wire.IsGREASE(v) && !v.IsDraft() {
			highest = max(highest, v)
		}
	}
	if highest == 0 {
		return h.LegacyVersion
	}
	return highest
}

func TestEveryTruncatedHelloIsRefused(t *testing.T) {
	for _, r := range recordedHellos(t) {
		msg := r.message()
		for n := range msg {
			var h wire.ClientHello
			parse := wire.ParseClientHello
			if r.Format == "sslv2" {
				parse = wire.ParseSSLv2ClientHello
			}
			var e *wire.ParseError
			if err := parse(msg[:n:n], &h); !errors.As(err, &e) {
				t.Fatalf("%s: the first %d of %d bytes: error %v", r.ID, n, len(msg), err)
			}
		}
	}
}

func TestWellFormedHellosCostNoAllocation(t *testing.T) {
	var h wire.ClientHello
	for _, r := range recordedHellos(t) {
		if r.Format == "sslv2" {
			continue // its suites are collected into a list of their own
		}
		msg := r.message()
		allocs := testing.AllocsPerRun(5, func() {
			if err := wire.ParseClientHello(msg, &h); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", r.ID, allocs)
		}
	}
}

func BenchmarkParseClientHello(b *testing.B) {
	msg := hello(b, "chromium-156.0.8078.79-default").message()
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	var h wire.ClientHello
	for b.Loop() {
		if err := wire.ParseClientHello(msg, &h); err != nil {
			b.Fatal(err)
		}
	}
}
