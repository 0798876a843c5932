package scan

import (
	"crypto/tls"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestLongHellosAreBisectedToTheByte(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		limit int
		does  answer
	}{{"closed beyond 1400", 1400, closes}, {"refused beyond 5000", 5000, alerts}, {"dropped beyond 700", 700, isSilent}} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, nil, func(h *wire.ClientHello) answer {
				if len(h.Raw) > c.limit {
					return c.does
				}
				return goOn
			})
			r := scanned(t, s.address)
			if r.HelloLimit == nil || r.HelloLimit.Answered != c.limit || r.HelloLimit.Failed != c.limit+1 {
				t.Fatalf("limit %+v, want %d; versions %v", r.HelloLimit, c.limit, r.Versions)
			}
			has(t, r, FindingLargeHello)
			if !slices.Contains(r.Versions, "TLSv1.2") || !slices.Contains(r.Versions, "TLSv1.3") {
				t.Errorf("versions %v: a limit on hellos is no refusal of versions", r.Versions)
			}
		})
	}
}

// One hello among those of all lengths that fails by chance is no limit.
func TestAChanceIsNoLimitOfLength(t *testing.T) {
	t.Parallel()
	var once atomic.Bool
	r := scanned(t, serve(t, nil, func(h *wire.ClientHello) answer {
		size := len(h.Raw)
		if size > 1400 || size > 1000 && h.Extensions.Has(wire.ExtensionPadding) && once.CompareAndSwap(false, true) {
			return closes
		}
		return goOn
	}).address)
	if !once.Load() {
		t.Fatal("no hello failed by chance")
	}
	if r.HelloLimit == nil || r.HelloLimit.Answered != 1400 || r.HelloLimit.Failed != 1401 {
		t.Errorf("limit %+v, want 1400", r.HelloLimit)
	}
}

func TestIntolerances(t *testing.T) {
	contains := func(h *wire.ClientHello, t wire.ExtensionType) bool { return h.Extensions.Has(t) }
	for _, c := range []struct {
		tolerance string
		refuses   func(h *wire.ClientHello) bool
	}{
		{ToleranceGREASE, func(h *wire.ClientHello) bool {
			for s := range h.CipherSuites.All() {
				if wire.IsGREASE(s) {
					return true
				}
			}
			return false
		}},
		{ToleranceExtension, func(h *wire.ClientHello) bool { return contains(h, 0xABCD) }},
		{ToleranceFutureVersion, func(h *wire.ClientHello) bool { return h.SupportedVersions.Contains(wire.VersionTLS13 + 1) }},
		{ToleranceLegacyVersion, func(h *wire.ClientHello) bool { return h.LegacyVersion > wire.VersionTLS12 }},
		{ToleranceManySuites, func(h *wire.ClientHello) bool { return h.CipherSuites.Len() > 128 }},
		{TolerancePadded, func(h *wire.ClientHello) bool { return len(h.Raw) == 384 }},
	} {
		t.Run(c.tolerance, func(t *testing.T) {
			s := serve(t, nil, func(h *wire.ClientHello) answer {
				if c.refuses(h) {
					return closes
				}
				return goOn
			})
			r := scanned(t, s.address)
			for name, a := range r.Tolerance {
				if want := map[bool]Reply{true: No, false: Yes}[name == c.tolerance]; a.Reply != want {
					t.Errorf("%s: %+v, want %s", name, a, want)
				}
			}
			has(t, r, FindingIntolerance)
			if want := []string{"TLSv1.3", "TLSv1.2"}; !slices.Equal(r.Versions, want) {
				t.Errorf("versions %v, want %v", r.Versions, want)
			}
		})
	}
}

func TestSuitesAreFoundWhereManyAreNotBorne(t *testing.T) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}
	whole := scanned(t, serve(t, config, func(*wire.ClientHello) answer { return goOn }).address)
	few := scanned(t, serve(t, config, func(h *wire.ClientHello) answer {
		if h.CipherSuites.Len() > 110 {
			return alerts
		}
		return goOn
	}).address)
	if !slices.Equal(whole.Ciphers["TLSv1.2"], few.Ciphers["TLSv1.2"]) || len(few.Ciphers["TLSv1.2"]) == 0 {
		t.Errorf("with a bound on suites %v, without %v", few.Ciphers, whole.Ciphers)
	}
}

// A bound on the number of groups is neither a refusal of groups nor one of suites, and nothing is missed for it.
func TestGroupsAreCounted(t *testing.T) {
	t.Parallel()
	config := func() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }
	whole := scanned(t, serve(t, config(), func(*wire.ClientHello) answer { return goOn }).address)
	for _, c := range []struct {
		limit int
		does  answer
	}{{4, alerts}, {4, closes}, {9, alerts}, {13, closes}} {
		r := scanned(t, serve(t, config(), func(h *wire.ClientHello) answer {
			if h.SupportedGroups.Len() > c.limit {
				return c.does
			}
			return goOn
		}).address)
		if r.GroupLimit != c.limit || r.Tolerance[ToleranceManyGroups].Reply != No {
			t.Errorf("more than %d: limit %d, %+v", c.limit, r.GroupLimit, r.Tolerance[ToleranceManyGroups])
		}
		if b := r.BrokenLayer(); b != nil {
			t.Errorf("more than %d: broken %+v", c.limit, b)
		}
		for _, v := range []string{"TLSv1.3", "TLSv1.2"} {
			if slices.Sort(r.GroupsByVersion[v]); len(r.Ciphers[v]) != len(whole.Ciphers[v]) || !slices.Equal(r.GroupsByVersion[v], slices.Sorted(slices.Values(whole.GroupsByVersion[v]))) {
				t.Errorf("more than %d, %s: suites %v, want %v; groups %v, want %v", c.limit, v, r.Ciphers[v], whole.Ciphers[v], r.GroupsByVersion[v], whole.GroupsByVersion[v])
			}
		}
		if a := r.Tolerance[ToleranceManySuites]; a.Reply != Yes {
			t.Errorf("more than %d: many suites %+v", c.limit, a)
		}
		has(t, r, FindingIntolerance)
	}
	if whole.GroupLimit != 0 {
		t.Errorf("a limit of %d groups where there is none", whole.GroupLimit)
	}
	// One group that makes it fail is no number.
	one := scanned(t, serve(t, config(), func(h *wire.ClientHello) answer {
		if h.SupportedGroups.Contains(wire.GroupSecp521r1) {
			return closes
		}
		return goOn
	}).address)
	if one.GroupLimit != 0 {
		t.Errorf("a limit of %d groups where it is one of them", one.GroupLimit)
	}
}

func TestGroupsAreFoundWithoutHelloRetryRequest(t *testing.T) {
	s := serve(t, &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}, func(h *wire.ClientHello) answer {
		if h.Extensions.Has(wire.ExtensionKeyShare) && h.KeyShares.Len() == 0 {
			return alerts
		}
		return goOn
	})
	r := scanned(t, s.address)
	if want := []string{"x25519", "secp256r1"}; !slices.Equal(r.GroupsByVersion["TLSv1.3"], want) {
		t.Errorf("groups %v, want %v", r.GroupsByVersion["TLSv1.3"], want)
	}
	if len(r.Ciphers["TLSv1.3"]) != 3 {
		t.Errorf("ciphers %v, want Go's three", r.Ciphers["TLSv1.3"])
	}
	if r.Retry == nil || r.Retry.Asks.Reply != No {
		t.Errorf("retry %+v", r.Retry)
	}
}

func TestWhatIsNotAnsweredIsNoNo(t *testing.T) {
	t.Parallel()
	var s *server
	s = serve(t, nil, func(*wire.ClientHello) answer {
		if s.accepted.Load() > 40 {
			return isSilent // a rate limiter shuts the door
		}
		return goOn
	})
	r := scanned(t, s.address)
	if len(r.Inconclusive) == 0 {
		t.Error("nothing is said to be inconclusive")
	}
	for v, a := range r.VersionAnswers {
		if a.Reply == No && strings.HasPrefix(a.Evidence, "silence") {
			t.Errorf("%s: silence is taken for a no: %+v", v, a)
		}
	}
	for name, a := range r.Tolerance {
		if a.Reply == No {
			t.Errorf("%s: a shut door is taken for an intolerance: %+v", name, a)
		}
	}
}

func TestBrokenLayers(t *testing.T) {
	says := func(text string) func(c net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		}
	}
	for _, c := range []struct {
		name, address, sentence string
		layer                   LayerName
	}{
		{"nothing listens", porttest.FreeAddress(t), "refuses the connection", LayerTCP},
		{"HTTP", listen(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")(c)
		}), "plain HTTP", LayerFirstBytes},
		{"SSH", listen(t, says("SSH-2.0-OpenSSH_9.2\r\n")), "SSH", LayerFirstBytes},
		{"SMTP", listen(t, says("220 mail.example.com ESMTP Postfix\r\n")), "--starttls smtp", LayerFirstBytes},
		{"silence", listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), "takes up no hello", LayerHello},
		{"closed at once", listen(t, func(c net.Conn) {}), "takes up no hello", LayerHello},
		{"an alert to everything", serve(t, nil, func(*wire.ClientHello) answer { return alerts }).address, "handshake_failure", LayerHello},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := scanned(t, c.address)
			b := r.BrokenLayer()
			if b == nil || b.Name != c.layer || !strings.Contains(b.Sentence, c.sentence) {
				t.Fatalf("broken layer %+v, want %s with %q; layers %+v", b, c.layer, c.sentence, r.Layers)
			}
			if len(r.Versions) > 0 {
				t.Errorf("versions %v", r.Versions)
			}
		})
	}
}

// What the application says is made printable once.
func TestAnswersInNoHTTPAreEscapedOnce(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	r := scanned(t, listen(t, func(c net.Conn) {
		conn := tls.Server(c, config)
		if conn.Handshake() == nil {
			_, _ = io.WriteString(conn, "\xffj\x04no")
			_, _ = conn.Read(make([]byte, 1024))
		}
		conn.Close()
	}))
	i := slices.IndexFunc(r.Layers, func(l Layer) bool { return l.Name == LayerApplication })
	if i < 0 || !strings.Contains(r.Layers[i].Sentence, `"\xFFj\x04no"`) {
		t.Errorf("layers %+v", r.Layers)
	}
}

func TestAPROXYHeaderThatIsExpectedIsNamed(t *testing.T) {
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	address := listen(t, func(c net.Conn) {
		line := make([]byte, 0, 107)
		one := make([]byte, 1)
		for len(line) < cap(line) && !strings.HasSuffix(string(line), "\r\n") {
			if _, err := c.Read(one); err != nil {
				return
			}
			if line = append(line, one[0]); len(line) <= 6 && !strings.HasPrefix("PROXY ", string(line)) {
				return
			}
		}
		_ = tls.Server(c, config).Handshake()
	})
	r := scanned(t, address)
	if !r.ProxyHeaderExpected {
		t.Fatalf("layers %+v", r.Layers)
	}
	has(t, r, FindingProxyProtocol)
}

func TestThePrimesArePrimes(t *testing.T) {
	for text, name := range knownPrimes() {
		p, _ := new(big.Int).SetString(text, 10)
		if p.BitLen() <= 3072 && !p.ProbablyPrime(2) {
			t.Errorf("%s is not a prime", name)
		}
	}
	if len(knownPrimes()) != 13 {
		t.Errorf("%d primes, want 13", len(knownPrimes()))
	}
}

func TestNothingIsWrongWithGo(t *testing.T) {
	r := scanned(t, serve(t, nil, func(*wire.ClientHello) answer { return goOn }).address)
	for _, f := range r.Findings() {
		if f.Severity != "info" {
			t.Errorf("%s: %s", f.ID, f.Detail)
		}
	}
	if r.BrokenLayer() != nil || len(r.Inconclusive) > 0 {
		t.Errorf("layers %+v, inconclusive %v", r.Layers, r.Inconclusive)
	}
	if r.Connections > 150 {
		t.Errorf("%d connections", r.Connections)
	}
}

// An endpoint that sends its certificate and resets the connection at the client's Finished has finished no handshake.
func TestResetsAtTheFinishedAreNoHandshakes(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: version, MaxVersion: version}
		r := scanned(t, listen(t, func(c net.Conn) {
			_ = tls.Server(&servertest.Cutter{Conn: c, TCP: c, How: servertest.Reset}, config).Handshake()
		}))
		if b := r.BrokenLayer(); b == nil || b.Name != LayerFinished || !strings.Contains(b.Sentence, "connection reset") {
			t.Errorf("%s: layers %+v", tls.VersionName(version), r.Layers)
		}
	}
}
