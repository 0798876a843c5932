package h3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

func answering(t testing.TB, pki *certstest.PKI) *proxy.Backend {
	return httpBackend(t, pki, true, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("well")) })
}

// works asserts that a good client is served, and takes its record.
func (r *rig) works() {
	r.t.Helper()
	c := r.client()
	if _, text := fetch(r.t, c, http.MethodGet, "https://"+testName+"/", nil); text != "well" {
		r.t.Errorf("the good client got %q", text)
	}
	closeClient(c)
}

// hurried lets hellos wait for a moment only: long enough for one that comes in two datagrams, one behind the other.
func hurried(r *rig) {
	r.tcp.Limits.Timeouts.ClientHello, r.udp.Limits.Timeouts.ClientHello = 2*time.Second, 2*time.Second
}

func TestHalfAHelloHasARecord(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki), hurried)
	c := newRawClient(t, r.address())
	whole := hello(t, r.clientConfig())
	if len(whole) < 1200 {
		t.Fatalf("a hello of %d bytes fits one datagram", len(whole))
	}
	c.send(c.initial(0, whole[:1000], 1200))
	record := r.record()
	m := record.ClientLeg.TLS.Client
	if e := record.ClientLeg.Error; e == nil || e.Type != inspect.ErrorIncompleteHello || e.Phase != inspect.PhasePeek || m == nil || m.Message.Complete || m.Message.Size != len(whole) || len(m.Message.Raw) != 1000 || record.ClientLeg.QUIC.Datagrams != 1 {
		t.Errorf("error %+v, hello %+v, quic %+v", record.ClientLeg.Error, m, record.ClientLeg.QUIC)
	}
	if b := c.answer(50 * time.Millisecond); b != nil {
		t.Errorf("%d bytes were sent for half a hello", len(b))
	}
	r.works()
}

func TestAHelloInPiecesIsPutTogether(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki))
	c := newRawClient(t, r.address())
	whole := hello(t, r.clientConfig())
	// Backwards, with pieces that overlap.
	for at := len(whole); at > 0; at -= 200 {
		from := max(0, at-250)
		c.send(c.initial(from, whole[from:at], 1200))
	}
	await(t, "an answer with the server's hello", func() bool {
		b := c.answer(patience)
		return b != nil && c.read([][]byte{c.initial(0, whole, 1200)}, b).Stats(quicwire.FromServer).Opened > 0
	})
}

func TestDatagramsThatAreTooSmallAreTold(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki), hurried)
	c := newRawClient(t, r.address())
	c.send(c.initial(0, hello(t, r.clientConfig(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} })), 600))
	record := r.record()
	if e, q := record.ClientLeg.Error, record.ClientLeg.QUIC; e == nil || e.Type != inspect.ErrorTimeout || q.ShortDatagrams != 1 || q.Datagrams != 1 {
		t.Errorf("error %+v, quic %+v", e, q)
	}
	if b := c.answer(50 * time.Millisecond); b != nil {
		t.Errorf("%d bytes answer a datagram that is to be discarded", len(b))
	}
	r.works()
}

func TestOtherVersionsAreToldWhichOnesAreSpoken(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki), hurried)
	for _, test := range []struct {
		name    string
		version quicwire.Version
		record  bool
	}{{"draft-29", quicwire.VersionDraft29, true}, {"one that exists to be refused", 0x1a2a3a4a, false}} {
		c := newRawClient(t, r.address())
		b := c.initial(0, []byte("whatever"), 1200)
		copy(b[1:], []byte{byte(test.version >> 24), byte(test.version >> 16), byte(test.version >> 8), byte(test.version)})
		c.send(b)
		var h quicwire.Header
		if _, err := quicwire.ParseHeader(c.answer(patience), &h); err != nil || h.Type != quicwire.PacketVersionNegotiation || !slices.Contains(h.Versions, quicwire.Version1) {
			t.Errorf("%s: %v, answer %+v", test.name, err, h)
		}
		if !test.record {
			continue
		}
		record := r.record()
		if e, q := record.ClientLeg.Error, record.ClientLeg.QUIC; e == nil || e.Type != inspect.ErrorNoCommonVersion || q.Version != "draft-29" || !slices.Contains(q.ServerVersions, "v1") {
			t.Errorf("%s: error %+v, quic %+v", test.name, e, q)
		}
	}
	r.works()
	if record := r.record(); record.ClientLeg.Error != nil {
		t.Errorf("a record too many: %+v", record.ClientLeg)
	}
	r.none()
}

func TestGarbageIsNoConnection(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki), hurried)
	c := newRawClient(t, r.address())
	sealed := c.initial(0, hello(t, r.clientConfig())[:500], 1200)
	for i := range 400 {
		b := make([]byte, 1+i*3)
		rand.Read(b)
		c.send(b)
		damaged := bytes.Clone(c.again().initial(0, []byte("x"), 1200)) // its keys are right, its bytes are not
		damaged[200+i] ^= 1
		c.send(damaged)
		c.send(sealed[:1+i*len(sealed)/400])
	}
	r.works()
	for {
		// What is left of the good hello that was cut is no hello, either.
		if record := r.record(); record.Event.Outcome == inspect.Success {
			break
		} else if e := record.ClientLeg.Error; e == nil || e.Phase != inspect.PhasePeek {
			t.Errorf("a record of %+v", record.ClientLeg)
		}
	}
	if n := r.tcp.Active(); n > 1 {
		t.Errorf("%d connections are open", n)
	}
}

// A flood of beginnings costs no more than its bounds, and a good client is served in it.
func TestFloodsOfHalfHellosAreBounded(t *testing.T) {
	pki := certstest.New(t)
	const limit = 64
	r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) { r.udp.Limits.Hellos = limit })
	c := newRawClient(t, r.address())
	part := hello(t, r.clientConfig())[:900]
	ctx, cancel := context.WithCancel(t.Context())
	flooding := make(chan struct{})
	go func() {
		defer close(flooding)
		every := time.NewTicker(200 * time.Microsecond)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				c = c.again()
				c.send(c.initial(0, part, 1200))
			case <-ctx.Done():
				return
			}
		}
	}()
	sock := r.udp.sockets[keyOf(r.listener)]
	await(t, "more beginnings than there is room for", func() bool { return r.udp.Stats().Evicted > 10*limit })
	r.works()
	sock.hellos.mu.Lock()
	if n := len(sock.hellos.flows); n > limit || sock.hellos.order.Len() != n {
		t.Errorf("%d beginnings are kept, %d in order", n, sock.hellos.order.Len())
	}
	sock.hellos.mu.Unlock()
	cancel()
	<-flooding
}

// However large the certificate is: to an address that has not shown itself, three times as much is sent as came from there.
func TestAmplificationIsLimited(t *testing.T) {
	for _, test := range []struct {
		name string
		more int // certificates above the leaf
	}{{"small chain", 0}, {"large chain", 12}} {
		t.Run(test.name, func(t *testing.T) {
			pki := certstest.New(t)
			r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) {
				chain := pki.Make(certstest.Healthy, testName).TLS()
				for range test.more {
					chain.Certificate = append(chain.Certificate, pki.Root.Certificate.Raw)
				}
				r.listener.Routes[0].GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return chain, nil }
				r.udp.Limits.Timeouts.ClientHandshake, r.udp.Limits.Timeouts.Dial, r.udp.Limits.Timeouts.BackendHandshake = 2*time.Second, time.Second, time.Second
			})
			c := newRawClient(t, r.address())
			b := c.initial(0, hello(t, r.clientConfig(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }), c.header.SourceID...), 1200)
			c.send(b)
			got := 0
			for answer := c.answer(patience); answer != nil; answer = c.answer(3 * time.Second) {
				got += len(answer)
			}
			if got == 0 || got > 3*len(b) {
				t.Errorf("%d bytes answer %d: %.2f times as much", got, len(b), float64(got)/float64(len(b)))
			}
			if record := r.record(); record.ClientLeg.Error == nil || record.ClientLeg.Error.Type != inspect.ErrorTimeout || record.ClientLeg.Error.Phase != inspect.PhaseHandshake {
				t.Errorf("error %+v", record.ClientLeg.Error)
			}
		})
	}
}

func TestLargeChainsReachClients(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) {
		chain := pki.Make(certstest.Healthy, testName).TLS()
		for range 30 {
			chain.Certificate = append(chain.Certificate, pki.Root.Certificate.Raw)
		}
		r.listener.Routes[0].GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return chain, nil }
	})
	r.works()
}

func TestRetry(t *testing.T) {
	t.Run("always", func(t *testing.T) {
		pki := certstest.New(t)
		r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) { r.listener.QUICRetry = proxy.RetryAlways })
		r.works()
		if q := r.record().ClientLeg.QUIC; q.Retries < 1 || !q.Token {
			t.Errorf("quic: %+v", q)
		}
		r.none()
	})
	t.Run("never answered", func(t *testing.T) {
		pki := certstest.New(t)
		r := inHTTPMode(t, pki, answering(t, pki), hurried, func(r *rig) { r.listener.QUICRetry = proxy.RetryAlways })
		c := newRawClient(t, r.address())
		for range retriesTold {
			b := c.initial(0, hello(t, r.clientConfig())[:900], 1200)
			c.send(b)
			answer := c.answer(patience)
			if f := c.read([][]byte{b}, answer); f.Retry() == nil || !f.Retry().Valid || len(answer) > len(b) {
				t.Fatalf("no valid Retry: %d bytes", len(answer))
			}
		}
		if leg := r.record().ClientLeg; leg.Error == nil || leg.Error.Type != inspect.ErrorTimeout || leg.QUIC.Retries != retriesTold || leg.QUIC.Token {
			t.Errorf("error %+v, quic %+v", leg.Error, leg.QUIC)
		}
	})
	t.Run("too small", func(t *testing.T) { // for a Retry, too (RFC 9000, Section 14.1)
		pki := certstest.New(t)
		r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) { r.listener.QUICRetry = proxy.RetryAlways })
		c := newRawClient(t, r.address())
		c.send(c.initial(0, hello(t, r.clientConfig())[:900], 1100))
		await(t, "it", func() bool { return r.udp.Stats().Short == 1 })
		c = c.again()
		b := c.initial(0, hello(t, r.clientConfig())[:900], 1200)
		c.send(b)
		if f := c.read([][]byte{b}, c.answer(patience)); f.Retry() == nil || r.udp.Stats().Retries != 1 {
			t.Errorf("%+v", r.udp.Stats())
		}
	})
	t.Run("under load", func(t *testing.T) {
		pki := certstest.New(t)
		r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) { r.udp.Limits.OpenHandshakes = 4 })
		c := newRawClient(t, r.address())
		oneDatagram := r.clientConfig(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} })
		for range 4 {
			c = c.again()
			c.send(c.initial(0, hello(t, oneDatagram, c.header.SourceID...), 1200))
		}
		await(t, "handshakes of which nobody knows whose they are", func() bool { return r.udp.Stats().Handshakes >= 4 })
		r.works()
		if n := r.udp.Stats().Retries; n == 0 {
			t.Error("nobody was asked for a token")
		}
		for {
			if record := r.record(); record.Event.Outcome == inspect.Success {
				if q := record.ClientLeg.QUIC; !q.Token || q.Retries == 0 {
					t.Errorf("quic: %+v", q)
				}
				break
			}
		}
	})
}

// What is refused is told so in one small packet, with the TLS alert.
func TestRefusalsAreAlerts(t *testing.T) {
	pki := certstest.New(t)
	backend := answering(t, pki)
	refusing := func(hello *wire.ClientHello) proxy.Action {
		return proxy.Action{Policy: &inspect.PolicyOutcome{Name: "strict", RejectedBy: "version"}, Refuse: true, Alert: wire.AlertProtocolVersion}
	}
	for _, test := range []struct {
		name  string
		edit  func(*proxy.Listener)
		hello func(*tls.Config)
		alert wire.AlertDescription
		want  inspect.ErrorType
	}{
		{"policy", func(l *proxy.Listener) { l.Routes[0].Decide = refusing }, nil, wire.AlertProtocolVersion, inspect.ErrorPolicy},
		{"no route", func(l *proxy.Listener) { l.Routes[0].ServerNames = []string{"other.example"} }, nil, wire.AlertUnrecognizedName, inspect.ErrorNoRoute},
		{"no h3", nil, func(c *tls.Config) { c.NextProtos = []string{"doq", "h3-29"} }, wire.AlertNoApplicationProtocol, inspect.ErrorNoCommonALPN},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := inHTTPMode(t, pki, backend, func(r *rig) {
				if test.edit != nil {
					test.edit(r.listener)
				}
			})
			config := r.clientConfig(func(c *tls.Config) {
				c.CurvePreferences = []tls.CurveID{tls.X25519}
				if test.hello != nil {
					test.hello(c)
				}
			})
			c := newRawClient(t, r.address())
			b := c.initial(0, hello(t, config), 1200)
			for range 2 { // it is repeated for who did not hear it
				c.send(b)
				answer := c.answer(patience)
				end := c.read([][]byte{b}, answer).Close()
				if end == nil || len(answer) > 100 {
					t.Fatalf("%d bytes without a CONNECTION_CLOSE", len(answer))
				}
				if alert, ok := end.Alert(); !ok || wire.AlertDescription(alert) != test.alert {
					t.Errorf("closed with %s", end.CodeName())
				}
			}
			record := r.record()
			leg := record.ClientLeg
			if leg.Error == nil || leg.Error.Type != test.want || len(leg.TLS.Alerts) != 1 || wire.AlertDescription(leg.TLS.Alerts[0].Code) != test.alert || leg.TLS.Client == nil || !leg.TLS.Client.Message.Complete {
				t.Errorf("error %+v, alerts %+v", leg.Error, leg.TLS.Alerts)
			}
			if leg.TLS.Client.RecordVersion != "" || !strings.HasPrefix(leg.TLS.Client.JA4, "q") {
				t.Errorf("hello %+v", leg.TLS.Client)
			}
			r.none()
		})
	}
}

// Connections that begin at the same time from one address are told apart, also where all of them are asked to show it, however many
// they are.
func TestConnectionsOfOneAddressAreToldApart(t *testing.T) {
	for _, test := range []struct {
		retry proxy.QUICRetry
		n     int
	}{{proxy.RetryNever, 12}, {proxy.RetryAlways, 80}} {
		t.Run(string(test.retry), func(t *testing.T) {
			pki := certstest.New(t)
			backend := answering(t, pki)
			l := &proxy.Listener{Name: "edge", Mode: proxy.HTTP, QUICRetry: test.retry}
			n := test.n
			for i := range n {
				name := fmt.Sprintf("site%d.example", i)
				l.Routes = append(l.Routes, &proxy.Route{Name: name, ServerNames: []string{name}, Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, name))})
			}
			r := newRig(t, pki, l)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			transport := &quic.Transport{Conn: udpSocket(t)}
			defer transport.Close()
			var dialling sync.WaitGroup
			for i := range n {
				dialling.Go(func() {
					conn, err := transport.Dial(ctx, r.address(), r.clientConfig(named(fmt.Sprintf("site%d.example", i))), &quic.Config{HandshakeIdleTimeout: patience})
					if err != nil {
						t.Errorf("site%d: %v", i, err)
						return
					}
					<-handshakeConfirmed(ctx, conn)
					conn.CloseWithError(0x100, "")
				})
			}
			dialling.Wait()
			for range n {
				if record := r.record(); record.Event.Outcome != inspect.Success || record.Route != record.ClientLeg.TLS.Client.ServerName {
					t.Errorf("route %s, name %s, error %+v", record.Route, record.ClientLeg.TLS.Client.ServerName, record.ClientLeg.Error)
				}
			}
			r.none()
		})
	}
}

// A refused client is told so again for what may be its first datagram, and not for anything smaller: the answers stay below what came.
func TestRefusalsDoNotAmplify(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki))
	c := newRawClient(t, r.address())
	whole := hello(t, r.clientConfig(func(c *tls.Config) { c.NextProtos, c.CurvePreferences = []string{"doq"}, []tls.CurveID{tls.X25519} }))
	b := c.initial(0, whole, 1200)
	c.send(b)
	refusal := c.answer(patience)
	if c.read([][]byte{b}, refusal).Close() == nil {
		t.Fatal("no refusal")
	}
	header := []byte{0xc0, 0, 0, 0, 1, byte(len(c.header.DestinationID))}
	tiny := append(append(header, c.header.DestinationID...), 0, 0, 0)
	for range 100 {
		c.send(tiny)
	}
	c.send(b) // the one that is answered
	got := 0
	for answer := c.answer(patience); answer != nil; answer = c.answer(time.Second) {
		got += len(answer)
	}
	if got != len(refusal) {
		t.Errorf("%d bytes answer 100 datagrams of %d bytes and one of %d; one refusal has %d", got, len(tiny), len(b), len(refusal))
	}
	r.record()
	r.none()
}

// A token that nobody gave out lifts no limit.
func TestForgedTokensLiftNoLimit(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki), func(r *rig) {
		l := &r.udp.Limits.Timeouts
		l.ClientHandshake, l.Dial, l.BackendHandshake = 2*time.Second, time.Second, time.Second
	})
	c := newRawClient(t, r.address())
	c.header.Token = bytes.Repeat([]byte{0x5a}, 90)
	b := c.initial(0, hello(t, r.clientConfig(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }), c.header.SourceID...), 1200)
	c.send(b)
	got := 0
	for answer := c.answer(patience); answer != nil; answer = c.answer(3 * time.Second) {
		got += len(answer)
	}
	if got == 0 || got > 3*len(b) {
		t.Errorf("%d bytes answer %d", got, len(b))
	}
	r.record()
}

// What is over is not kept, although its ids are for a while.
func TestConnectionsThatAreOverAreLetGo(t *testing.T) {
	pki := certstest.New(t)
	r := inHTTPMode(t, pki, answering(t, pki))
	for range 5 {
		r.works()
		r.record()
	}
	h := r.udp.sockets[keyOf(r.listener)].hellos
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.flows) != 5 {
		t.Errorf("%d flows are known", len(h.flows))
	}
	for _, f := range h.flows {
		if f.q != nil || f.link != nil || f.reader != nil || f.held != nil || !f.linked {
			t.Errorf("a connection that is over is kept: %+v", f)
		}
	}
}

// What a server answers in the clear is in the record over QUIC, too.
func TestHandshakesAreReadOn(t *testing.T) {
	pki := certstest.New(t)
	short := func(r *rig) {
		l := &r.udp.Limits.Timeouts
		l.ClientHandshake, l.Dial, l.BackendHandshake = 2*time.Second, time.Second, time.Second
	}
	backend := answering(t, pki)
	r := inHTTPMode(t, pki, backend)
	r.works()
	if h := r.record().ClientLeg.TLS.Handshake.History; h != "Cs" {
		t.Errorf("history %q", h)
	}
	r = inHTTPMode(t, pki, backend, short)
	// A key share that the server cannot use makes it ask for another hello.
	c := newRawClient(t, r.address())
	whole := hello(t, r.clientConfig(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }), c.header.SourceID...)
	share := []byte{0x00, 0x33, 0x00, 0x26, 0x00, 0x24, 0x00, 0x1d} // key_share with one entry of x25519
	at := bytes.Index(whole, share)
	if at < 0 {
		t.Fatal("no key share")
	}
	whole[at+6], whole[at+7] = 0x2a, 0x2a
	c.send(c.initial(0, whole, 1200))
	leg := r.record().ClientLeg
	if leg.TLS.Handshake.History != "Cj" || !leg.TLS.HelloRetryRequest || leg.TLS.Established || leg.Error == nil || leg.Error.Type != inspect.ErrorTimeout {
		t.Errorf("history %q, %+v, error %+v", leg.TLS.Handshake.History, leg.TLS, leg.Error)
	}
}
