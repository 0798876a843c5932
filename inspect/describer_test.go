package inspect_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestDescriberSaysWhatDescribeHelloSays(t *testing.T) {
	var d inspect.Describer
	for range 2 {
		for _, r := range recordedHellos(t) {
			want := inspect.DescribeHello(r.hello, wire.VersionTLS10, inspect.TransportTCP)
			got := d.Hello(r.hello, wire.VersionTLS10, inspect.TransportTCP)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v\nwant %+v", r.ID, got, want)
			}
		}
	}
}

// remembers reports whether d answers for h from memory: lists are shared then.
func remembers(d *inspect.Describer, known *inspect.Hello, h *wire.ClientHello) bool {
	again := d.Hello(h, wire.VersionTLS10, inspect.TransportTCP)
	return &again.SupportedCiphers[0] == &known.SupportedCiphers[0]
}

// flipped is the hello with one byte of part, which lies in its message, changed.
func flipped(t *testing.T, h *wire.ClientHello, part []byte) *wire.ClientHello {
	t.Helper()
	raw := bytes.Clone(h.Raw)
	at := bytes.Index(raw, part)
	raw[at+len(part)-1] ^= 1
	changed, parse := &wire.ClientHello{}, wire.ParseClientHello
	if h.SSLv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	if err := parse(raw, changed); err != nil {
		t.Fatal(err)
	}
	return changed
}

func TestDescriberTellsHellosApartByAllButTheirRandomParts(t *testing.T) {
	hits, misses := 0, 0
	for _, r := range recordedHellos(t) {
		var d inspect.Describer
		known := d.Hello(r.hello, wire.VersionTLS10, inspect.TransportTCP)
		if !remembers(&d, known, r.hello) {
			t.Errorf("%s: forgotten", r.ID)
		}
		random := [][]byte{r.hello.Random, r.hello.SessionID}
		for _, key := range r.hello.KeyShares.All() {
			random = append(random, key)
		}
		for _, part := range random {
			if len(part) < 8 {
				continue // found elsewhere in the message, too
			}
			hits++
			if !remembers(&d, known, flipped(t, r.hello, part)) {
				t.Errorf("%s: described again though only random bytes differ", r.ID)
			}
		}
		for _, part := range [][]byte{r.hello.ServerName, []byte(r.hello.ALPN), []byte(r.hello.CipherSuites), []byte(r.hello.SignatureSchemes), r.hello.SSLv2CipherKinds, r.hello.SessionTicket} {
			if len(part) < 4 {
				continue
			}
			misses++
			changed := flipped(t, r.hello, part)
			if remembers(&d, known, changed) {
				t.Errorf("%s: taken for the same though %X differs", r.ID, part)
			}
			if got, want := d.Hello(changed, wire.VersionTLS10, inspect.TransportTCP), inspect.DescribeHello(changed, wire.VersionTLS10, inspect.TransportTCP); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %+v\nwant %+v", r.ID, got, want)
			}
		}
		if other := d.Hello(r.hello, wire.VersionTLS12, inspect.TransportTCP); other.RecordVersion == known.RecordVersion {
			t.Errorf("%s: the record's version does not count", r.ID)
		}
		if other := d.Hello(r.hello, wire.VersionTLS10, inspect.TransportQUIC); !r.hello.SSLv2 && other.JA4 == known.JA4 {
			t.Errorf("%s: the transport does not count", r.ID)
		}
	}
	if hits < 200 || misses < 300 {
		t.Errorf("only %d hits and %d misses tried", hits, misses)
	}
}

// TestBytesThatMoveAreNotLeftOut holds two hellos apart in which the same bytes stand at different places around a short
// session id and a key share of one byte, as GREASE has it.
func TestBytesThatMoveAreNotLeftOut(t *testing.T) {
	var d inspect.Describer
	share := func(a, b byte) []byte { return []byte{0, 51, 0, 12, 0, 10, 0x0A, 0x0A, 0, 1, 7, 0, a, 0, 1, b} }
	for _, body := range [][]byte{share(29, 7), share(7, 29), share(23, 29)} {
		for _, id := range [][]byte{nil, {0}, {0, 0}, {19}} {
			h := &wire.ClientHello{}
			if err := wire.ParseClientHello(clientHello(id, joined(offersTLS13, body)...)[5:], h); err != nil {
				t.Fatal(err)
			}
			got, want := d.Hello(h, wire.VersionTLS12, inspect.TransportTCP), inspect.DescribeHello(h, wire.VersionTLS12, inspect.TransportTCP)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v\nwant %+v", got, want)
			}
		}
	}
}

func TestHelloThatWasNotParsedIsDescribedEachTime(t *testing.T) {
	var d inspect.Describer
	for _, suite := range []wire.CipherSuite{0x1301, 0x1302} {
		h := &wire.ClientHello{LegacyVersion: wire.VersionTLS12, CipherSuites: wire.ListOf(suite), Random: make([]byte, 32)}
		if got := d.Hello(h, 0, inspect.TransportTCP).SupportedCiphers; !slices.Equal(got, []string{suite.String()}) {
			t.Errorf("%v", got)
		}
	}
}

func TestCallersDoNotMeetInADescription(t *testing.T) {
	var d inspect.Describer
	r := recordedHellos(t)[0]
	one, two := d.Hello(r.hello, wire.VersionTLS10, inspect.TransportTCP), d.Hello(r.hello, wire.VersionTLS10, inspect.TransportTCP)
	one.Message.Records, one.Message.Segments, one.Message.Raw, one.ServerName = 9, 9, nil, "spoilt"
	one.Certificate, one.Retry = &inspect.Certificate{}, &inspect.Hello{}
	if want := inspect.DescribeHello(r.hello, wire.VersionTLS10, inspect.TransportTCP); !reflect.DeepEqual(two, want) {
		t.Errorf("got %+v", two)
	}
}

func TestDescriberMayBeSharedByConnections(t *testing.T) {
	var d inspect.Describer
	hellos := recordedHellos(t)
	chain := identity(t, "api.example.com").Certificate
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range hellos {
				r := hellos[(i*20+j)%len(hellos)]
				if got := d.Hello(r.hello, wire.VersionTLS10, inspect.TransportTCP); got.Message.Size != len(r.hello.Raw) {
					t.Errorf("%s: %d bytes", r.ID, got.Message.Size)
				}
				if got := d.Certificates(chain); got[0].Subject != "CN=api.example.com" {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
	all.Wait()
}

func TestDescriberForgets(t *testing.T) {
	var d inspect.Describer
	held := heapOf(func() any {
		for i := range 20_000 {
			name := fmt.Sprintf("%05d.%s", i, strings.Repeat("x", 200))
			n := len(name)
			sni := append([]byte{0, 0, 0, byte(n + 5), 0, byte(n + 3), 0, 0, byte(n)}, name...)
			h := &wire.ClientHello{}
			if err := wire.ParseClientHello(clientHello(nil, sni...)[5:], h); err != nil {
				t.Fatal(err)
			}
			if got := d.Hello(h, wire.VersionTLS12, inspect.TransportTCP); got.ServerName != name {
				t.Fatalf("got %s", got.ServerName)
			}
			d.Certificates([][]byte{h.Raw})
		}
		return &d
	})
	t.Logf("%d bytes held", held)
	if held > 16<<20 {
		t.Errorf("%d bytes held", held)
	}
}

func TestDescriberHoldsLittleOfHugeHellos(t *testing.T) {
	var d inspect.Describer
	held := heapOf(func() any {
		for i := range 300 {
			body := append([]byte{3, 3}, make([]byte, 33)...)
			suites := bytes.Repeat([]byte{0xEE, byte(i)}, 7000) // no registry knows them: each name is a string of its own
			body = append(append(body, byte(len(suites)>>8), byte(len(suites)&0xFF)), suites...)
			h := &wire.ClientHello{}
			if err := wire.ParseClientHello(message(1, append(body, 1, 0)...), h); err != nil {
				t.Fatal(err)
			}
			d.Hello(h, wire.VersionTLS12, inspect.TransportTCP)
		}
		return &d
	})
	t.Logf("%d bytes held", held)
	if held > 40<<20 {
		t.Errorf("%d bytes held", held)
	}
}

func TestDescriberRemembersChains(t *testing.T) {
	var d inspect.Describer
	one, two := identity(t, "one").Certificate[0], identity(t, "two").Certificate[0]
	for range 2 {
		for _, chain := range [][][]byte{{one}, {two}, {one, two}, {two, one}, {}, {[]byte("no certificate")}, {one[:10], one[10:]}} {
			if got, want := d.Certificates(chain), inspect.Certificates(chain); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		}
	}
}
