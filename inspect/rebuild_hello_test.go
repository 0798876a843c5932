package inspect_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// recordedHello is a hello of a program that has a name.
type recordedHello struct {
	ID     string `json:"id"`
	Format string `json:"format"`
	Hex    string `json:"record_hex"`
	hello  *wire.ClientHello
	stream []byte // as it came, record header included
}

// recordedHellos reads the recorded ClientHellos.
func recordedHellos(tb testing.TB) []recordedHello {
	tb.Helper()
	b, err := os.ReadFile(shared(tb, "facts", "clienthellos.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []recordedHello
	if err := json.Unmarshal(b, &all); err != nil {
		tb.Fatal(err)
	}
	for i := range all {
		r := &all[i]
		if r.stream, err = hex.DecodeString(r.Hex); err != nil {
			tb.Fatal(err)
		}
		r.hello = parseRecorded(tb, r.Format, r.stream)
	}
	if len(all) < 150 {
		tb.Fatalf("only %d hellos recorded", len(all))
	}
	return all
}

func parseRecorded(tb testing.TB, format string, stream []byte) *wire.ClientHello {
	tb.Helper()
	h := new(wire.ClientHello)
	var err error
	if format == "sslv2" {
		err = wire.ParseSSLv2ClientHello(bytes.Clone(stream[2:]), h)
	} else {
		err = wire.ParseClientHello(bytes.Clone(stream[5:]), h)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// throughJSON is a hello as a recording has it.
func throughJSON(t *testing.T, h *inspect.Hello) *inspect.Hello {
	t.Helper()
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	read := new(inspect.Hello)
	if err := json.Unmarshal(b, read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestRecordedHelloNegotiatesAsTheOriginal(t *testing.T) {
	var policies []*policy.Policy
	for _, name := range []string{
		"aws/ELBSecurityPolicy-2016-08", "aws/ELBSecurityPolicy-TLS13-1-2-2021-06", "aws/ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
		"mozilla/intermediate-5.7", "gcp/MODERN", "azure/AppGwSslPolicy20220101S",
	} {
		p, err := policy.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	accepted, refused := 0, 0
	for _, r := range recordedHellos(t) {
		described := inspect.DescribeHello(r.hello, wire.VersionTLS10, inspect.TransportTCP)
		for _, withBytes := range []bool{true, false} {
			if !withBytes {
				described.Message.Raw = nil
			}
			rebuilt, err := throughJSON(t, described).ClientHello()
			if err != nil {
				t.Errorf("%s: %v", r.ID, err)
				continue
			}
			for _, p := range policies {
				want, got := policy.Negotiate(r.hello, p), policy.Negotiate(rebuilt, p)
				if got != want {
					t.Errorf("%s, bytes %v, %s:\n%+v\n%+v", r.ID, withBytes, p.Name, got, want)
				}
				if want.Accepted {
					accepted++
				} else {
					refused++
				}
			}
			if _, want := fingerprint.JA4(r.hello, fingerprint.TCP); want != described.JA4Raw {
				t.Errorf("%s: ja4_r %s, want %s", r.ID, described.JA4Raw, want)
			}
			_, ja3 := fingerprint.JA3(rebuilt)
			_, ja4 := fingerprint.JA4(rebuilt, fingerprint.TCP)
			if ja3 != described.JA3String || ja4 != described.JA4Raw {
				t.Errorf("%s, bytes %v: ja3 %s, ja4 %s\nof the original %s, %s", r.ID, withBytes, ja3, ja4, described.JA3String, described.JA4Raw)
			}
		}
	}
	if accepted < 100 || refused < 100 {
		t.Errorf("%d accepted, %d refused: the policies tell nothing", accepted, refused)
	}
}

func TestHelloThatCannotBeRebuilt(t *testing.T) {
	whole := func() *inspect.Hello {
		return inspect.DescribeHello(recordedHellos(t)[0].hello, wire.VersionTLS10, inspect.TransportTCP)
	}
	t.Run("cut short", func(t *testing.T) {
		h := whole()
		h.Message.Complete = false
		if _, err := h.ClientHello(); !errors.Is(err, inspect.ErrHelloIncomplete) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("bytes that do not parse", func(t *testing.T) {
		h := whole()
		h.Message.Raw = h.Message.Raw[:len(h.Message.Raw)-1]
		var malformed *wire.ParseError
		if _, err := h.ClientHello(); !errors.As(err, &malformed) {
			t.Errorf("got %v", err)
		}
	})
	for field, spoil := range map[string]func(*inspect.Hello){
		"legacy_version":            func(h *inspect.Hello) { h.LegacyVersion = "TLSv9" },
		"supported_ciphers":         func(h *inspect.Hello) { h.SupportedCiphers[1] = "TLS_NO_SUCH" },
		"supported_groups":          func(h *inspect.Hello) { h.SupportedGroups[0] = "no_such_group" },
		"signature_algorithms":      func(h *inspect.Hello) { h.SignatureAlgorithms[0] = "no_such_scheme" },
		"signature_algorithms_cert": func(h *inspect.Hello) { h.SignatureAlgorithmsCert = []string{"no_such_scheme"} },
		"key_share_groups":          func(h *inspect.Hello) { h.KeyShareGroups = []string{"no_such_group"} },
		"extensions":                func(h *inspect.Hello) { h.Extensions[0] = "no_such_extension" },
		"compression_methods":       func(h *inspect.Hello) { h.CompressionMethods[0] = "zip" },
		"ec_point_formats":          func(h *inspect.Hello) { h.ECPointFormats[0] = "no_such_format" },
		"psk_key_exchange_modes":    func(h *inspect.Hello) { h.PSKKeyExchangeModes = []string{"no_such_mode"} },
	} {
		t.Run(field, func(t *testing.T) {
			h := whole()
			h.Message.Raw = nil
			if _, err := h.ClientHello(); err != nil {
				t.Fatalf("before: %v", err)
			}
			spoil(h)
			var unknown *inspect.UnknownNameError
			if _, err := h.ClientHello(); !errors.As(err, &unknown) || unknown.Field != field {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRebuiltSSLv2HelloHasItsKinds(t *testing.T) {
	seen := 0
	for _, r := range recordedHellos(t) {
		if r.Format != "sslv2" {
			continue
		}
		seen++
		described := inspect.DescribeHello(r.hello, wire.VersionSSLv2, inspect.TransportTCP)
		described.Message.Raw = nil
		rebuilt, err := described.ClientHello()
		if err != nil {
			t.Errorf("%s: %v", r.ID, err)
			continue
		}
		if !rebuilt.SSLv2 || !bytes.Equal(rebuilt.SSLv2CipherKinds, r.hello.SSLv2CipherKinds) || !bytes.Equal(rebuilt.CipherSuites, r.hello.CipherSuites) {
			t.Errorf("%s: kinds %X, suites %X; want %X, %X", r.ID, rebuilt.SSLv2CipherKinds, rebuilt.CipherSuites, r.hello.SSLv2CipherKinds, r.hello.CipherSuites)
		}
	}
	if seen == 0 {
		t.Error("no hello in the SSLv2 format is recorded")
	}
}
