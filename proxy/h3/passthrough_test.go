package h3

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

// passing is a proxy that passes QUIC on to backends by name.
func passing(t testing.TB, pki *certstest.PKI, backends map[string]*proxy.Backend, edit ...func(*rig)) *rig {
	t.Helper()
	l := &proxy.Listener{Name: "edge", Mode: proxy.Passthrough}
	for name, b := range backends {
		l.Routes = append(l.Routes, &proxy.Route{Name: name, ServerNames: []string{name}, Backend: b})
	}
	return newRig(t, pki, l, edit...)
}

// saying is a backend in HTTP/3 that says who it is.
func saying(t testing.TB, pki *certstest.PKI, name string, edit ...func(*tls.Config)) *proxy.Backend {
	return http3Backend(t, pki, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %d", name, n)
	}, append([]func(*tls.Config){func(c *tls.Config) { c.GetCertificate = serves(pki.Make(certstest.Healthy, name)) }}, edit...)...)
}

func named(name string) func(*tls.Config) { return func(c *tls.Config) { c.ServerName = name } }

func TestQUICPassesThroughByName(t *testing.T) {
	pki := certstest.New(t)
	r := passing(t, pki, map[string]*proxy.Backend{"one.example": saying(t, pki, "one.example"), "two.example": saying(t, pki, "two.example")})
	one, two := r.client(named("one.example")), r.client(named("two.example"))
	for range 2 {
		for name, c := range map[string]*http.Client{"one.example": one, "two.example": two} {
			if _, text := fetch(t, c, http.MethodPost, "https://"+name+"/", strings.NewReader(strings.Repeat("z", 300_000))); text != name+" 300000" {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
	if n := r.udp.Stats().Flows; n != 2 {
		t.Errorf("%d flows are open", n)
	}
	closeClient(one)
	closeClient(two)
	r.udp.sockets[keyOf(r.listener)].relays.close() // nobody else can see that they are over
	for range 2 {
		record := r.record()
		leg := record.ClientLeg
		if !leg.Passthrough || !leg.TLS.Established || leg.Error != nil || record.Event.Outcome != inspect.Success || record.Transport != inspect.TransportQUIC || leg.TLS.Client.ServerName != record.Route || leg.TLS.Version != "TLSv1.3" || leg.TLS.Cipher == "" || !record.BackendLeg.Passthrough {
			t.Errorf("record %+v, leg %+v", record, leg)
		}
		if q := leg.QUIC; q.Version != "v1" || len(q.TransportParameters) == 0 {
			t.Errorf("quic %+v", q)
		}
	}
	r.none()
}

// movingSocket is a client whose address changes without its knowing, as behind a gateway that forgets.
type movingSocket struct {
	net.PacketConn
	second *net.UDPConn
	moved  atomic.Bool
	both   chan datagram
	over   chan struct{}
}

type datagram struct {
	bytes []byte
	from  net.Addr
}

func newMovingSocket(t testing.TB) *movingSocket {
	m := &movingSocket{PacketConn: udpSocket(t), second: udpSocket(t), both: make(chan datagram, 1024), over: make(chan struct{})}
	for _, c := range []net.PacketConn{m.PacketConn, m.second} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			b := make([]byte, 1<<16)
			for {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				select {
				case m.both <- datagram{bytes.Clone(b[:n]), from}:
				case <-m.over:
					return
				}
			}
		}()
		t.Cleanup(func() { c.Close(); <-done })
	}
	return m
}

func (m *movingSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-m.both:
		return copy(b, d.bytes), d.from, nil
	case <-m.over:
		return 0, nil, net.ErrClosed
	}
}

func (m *movingSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	if m.moved.Load() {
		return m.second.WriteTo(b, to)
	}
	return m.PacketConn.WriteTo(b, to)
}

// A client whose address changes is followed by its connection id, and its backend notices nothing.
func TestQUICPassesThroughForClientsThatMove(t *testing.T) {
	pki := certstest.New(t)
	seen := make(chan string, 2)
	backend := http3Backend(t, pki, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.RemoteAddr
		w.Write([]byte(strings.Repeat("m", 100_000)))
	})
	r := passing(t, pki, map[string]*proxy.Backend{testName: backend})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	socket := newMovingSocket(t)
	transport := &quic.Transport{Conn: socket}
	defer func() { close(socket.over); transport.Close() }()
	conn, err := transport.Dial(ctx, r.address(), r.clientConfig(), patientQUIC())
	if err != nil {
		t.Fatal(err)
	}
	client := (&http3.Transport{}).NewClientConn(conn)
	ask := func() {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if n, err := io.Copy(io.Discard, answer.Body); n != 100_000 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	ask()
	socket.moved.Store(true)
	ask()
	if first, second := <-seen, <-seen; r.udp.Stats().Migrations != 1 || first != second {
		t.Errorf("%d migrations; the backend saw %s and %s", r.udp.Stats().Migrations, first, second)
	}
	conn.CloseWithError(0x100, "")
}

// Whoever saw a client's datagrams and sends them again from elsewhere moves nothing: neither those of the handshake nor what follows it
// keeps the answers from the client.
func TestStrangersDoNotTakeConnections(t *testing.T) {
	pki := certstest.New(t)
	const size = 3 << 20
	backend := http3Backend(t, pki, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, size)) })
	r := passing(t, pki, map[string]*proxy.Backend{testName: backend})
	for _, test := range []struct {
		name string
		long bool
		most uint64 // moves
	}{{"of the handshake", true, 0}, {"of what follows", false, 1 << 30}} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			seen := &copyingSocket{UDPConn: udpSocket(t), long: test.long, first: make(chan []byte, 1)}
			transport := &quic.Transport{Conn: seen}
			defer transport.Close()
			conn, err := transport.Dial(ctx, r.address(), r.clientConfig(), patientQUIC())
			if err != nil {
				t.Fatal(err)
			}
			client := (&http3.Transport{}).NewClientConn(conn)
			stranger, stop := udpSocket(t), make(chan struct{})
			sending := make(chan struct{})
			moves := r.udp.Stats().Migrations
			go func() {
				defer close(sending)
				copied := <-seen.first
				every := time.NewTicker(5 * time.Millisecond)
				defer every.Stop()
				for {
					select {
					case <-every.C:
						stranger.WriteTo(copied, r.address())
					case <-stop:
						return
					}
				}
			}()
			for range 3 {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+testName+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := client.RoundTrip(request)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, answer.Body); n != size || err != nil {
					t.Errorf("%d bytes, %v", n, err)
				}
				answer.Body.Close()
			}
			if n := r.udp.Stats().Migrations - moves; n > test.most {
				t.Errorf("the connection moved %d times", n)
			}
			close(stop)
			<-sending
			conn.CloseWithError(0x100, "")
		})
	}
}

// copyingSocket keeps a copy of the first datagram that goes out, of those with long or short headers.
type copyingSocket struct {
	*net.UDPConn
	long  bool
	first chan []byte
}

func (c *copyingSocket) copied(b []byte) {
	if b[0]&0x80 != 0 == c.long {
		select {
		case c.first <- bytes.Clone(b):
		default:
		}
	}
}

func (c *copyingSocket) WriteTo(b []byte, to net.Addr) (int, error) {
	c.copied(b)
	return c.UDPConn.WriteTo(b, to)
}

func (c *copyingSocket) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (int, int, error) {
	c.copied(b)
	return c.UDPConn.WriteMsgUDP(b, oob, to)
}

// A hello and some garbage, as anybody can send them from an address that is not their own, hold nothing for longer than a handshake may
// take, and are no success.
func TestForgedFlowsEndWithTheHandshakeTime(t *testing.T) {
	pki := certstest.New(t)
	backend := saying(t, pki, testName)
	r := passing(t, pki, map[string]*proxy.Backend{testName: backend}, func(r *rig) {
		r.udp.Limits.Timeouts.Idle, r.udp.Limits.Timeouts.ClientHandshake = time.Hour, 2*time.Second
	})
	c := newRawClient(t, r.address())
	c.send(c.initial(0, hello(t, r.clientConfig(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }), c.header.SourceID...), 1200))
	garbage := make([]byte, 60)
	forge := func() {
		for range 4 {
			garbage[0] = 0x40 // what goes on after a handshake
			c.send(garbage)
			ends := quicwire.Header{Type: quicwire.PacketHandshake, Version: quicwire.Version1, DestinationID: []byte("made"), SourceID: c.header.SourceID}
			c.send(c.keys.Seal(nil, &ends, 0, garbage))
		}
	}
	forge()
	if c.answer(patience) == nil {
		t.Fatal("the backend said nothing")
	}
	forge()
	leg := r.record().ClientLeg
	if leg.Error == nil || leg.Error.Type != inspect.ErrorTimeout || leg.TLS.Established {
		t.Errorf("error %+v, %+v", leg.Error, leg.TLS)
	}
	await(t, "the end of the flow", func() bool { return r.udp.Stats().Flows == 0 && r.tcp.Active() == 0 })
	var err error
	if c.to, err = net.ResolveUDPAddr("udp", backend.Address); err != nil {
		t.Fatal(err)
	}
	c.send(c.keys.Seal(nil, &c.header, c.number, quicwire.AppendClose(make([]byte, 1200), 0))) // lest the backend wait for it still
	// A client that is there is not taken for one of these, although it says nothing after its handshake.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	transport := &quic.Transport{Conn: udpSocket(t)}
	defer transport.Close()
	conn, err := transport.Dial(ctx, r.address(), r.clientConfig(), patientQUIC())
	if err != nil {
		t.Fatal(err)
	}
	<-handshakeConfirmed(ctx, conn)
	relays := r.udp.sockets[keyOf(r.listener)].relays
	var flow *relay
	await(t, "a sign of the client", func() bool {
		relays.mu.Lock()
		defer relays.mu.Unlock()
		for flow = range relays.all {
			return flow.present()
		}
		return false
	})
	await(t, "what it sends behind its handshake, be it an acknowledgement only", func() bool {
		flow.watch.Lock()
		defer flow.watch.Unlock()
		return flow.reader == nil || flow.reader.Stats(quicwire.FromClient).OneRTT > 0
	})
	relays.expire(time.Now().Add(time.Minute))
	if n := relays.count(); n != 1 {
		t.Errorf("%d flows", n)
	}
	if _, text := fetch(t, &http.Client{Transport: (&http3.Transport{}).NewClientConn(conn)}, http.MethodGet, "https://"+testName+"/", nil); text != testName+" 0" {
		t.Errorf("%q", text)
	}
	conn.CloseWithError(0x100, "")
}

func TestQUICThatDoesNotPassThrough(t *testing.T) {
	pki := certstest.New(t)
	for _, test := range []struct {
		name    string
		sni     string
		backend *proxy.Backend
		client  func(*tls.Config)
		check   func(*inspect.Connection) bool
	}{
		{"no route", "other.example", saying(t, pki, testName), nil, func(c *inspect.Connection) bool {
			return c.ClientLeg.Error.Type == inspect.ErrorNoRoute && c.BackendLeg == nil
		}},
		{"nothing listens", testName, &proxy.Backend{Address: nobody(t)}, nil, func(c *inspect.Connection) bool {
			return c.BackendLeg.Error != nil && c.BackendLeg.Error.Type == inspect.ErrorRefused
		}},
		{"the backend refuses", testName, saying(t, pki, testName), func(c *tls.Config) { c.NextProtos = []string{"doq"} }, func(c *inspect.Connection) bool {
			return c.ClientLeg.Error.Type == inspect.ErrorAlertSent && c.ClientLeg.TLS.Alerts[0].Code == uint8(wire.AlertNoApplicationProtocol) && c.ClientLeg.QUIC.Close != nil
		}},
		{"nobody answers", testName, &proxy.Backend{Address: udpSocket(t).LocalAddr().String()}, nil, func(c *inspect.Connection) bool {
			return c.ClientLeg.Error.Type == inspect.ErrorTimeout && !c.ClientLeg.TLS.Established
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := passing(t, pki, map[string]*proxy.Backend{testName: test.backend}, func(r *rig) { r.udp.Limits.Timeouts.ClientHandshake = time.Second })
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			transport := &quic.Transport{Conn: udpSocket(t)}
			defer transport.Close()
			config := r.clientConfig(named(test.sni))
			if test.client != nil {
				test.client(config)
			}
			dialled := make(chan struct{})
			go func() {
				defer close(dialled)
				if conn, err := transport.Dial(ctx, r.address(), config, patientQUIC()); err == nil {
					conn.CloseWithError(0, "")
				}
			}()
			record := r.record()
			if record.Event.Outcome != inspect.Failure || !test.check(record) {
				t.Errorf("client leg %+v %+v, backend leg %+v", record.ClientLeg, record.ClientLeg.Error, record.BackendLeg)
			}
			cancel()
			<-dialled
			if n := r.udp.Stats().Flows; n != 0 {
				t.Errorf("%d flows are left", n)
			}
		})
	}
}

// Who cannot be served here goes to the backend untouched, where that is wanted; others on the same socket are served.
func TestFallbackOverQUICPassesThrough(t *testing.T) {
	pki := certstest.New(t)
	backend := saying(t, pki, testName)
	backend.Protocol, backend.HTTP3 = "", nil
	served := saying(t, pki, "served.example")
	unservable := func(*wire.ClientHello) proxy.Action {
		return proxy.Action{Unservable: "group", OwnRejected: inspect.ErrorNoCommonGroup}
	}
	r := newRig(t, pki, &proxy.Listener{Name: "edge", Mode: proxy.HTTP, Fallback: true, Routes: []*proxy.Route{
		{Name: "untouched", ServerNames: []string{testName}, Backend: backend, Decide: unservable},
		{Name: "served", ServerNames: []string{"served.example"}, Backend: served, GetCertificate: serves(pki.Make(certstest.Healthy, "served.example"))},
	}})
	c, other := r.client(), r.client(named("served.example"))
	for range 2 {
		if _, text := fetch(t, c, http.MethodGet, "https://"+testName+"/", nil); text != testName+" 0" {
			t.Errorf("%q", text)
		}
		if _, text := fetch(t, other, http.MethodGet, "https://served.example/", nil); text != "served.example 0" {
			t.Errorf("%q", text)
		}
	}
	if s := r.udp.Stats(); s.Passed != 1 || s.Flows != 1 {
		t.Errorf("%+v", s)
	}
	closeClient(other)
	if record := r.record(); record.Route != "served" || record.ClientLeg.Passthrough {
		t.Errorf("record %+v", record)
	}
}

// A listener that ends does not wait for the idle time of flows on which nothing moves.
func TestQuietFlowsDoNotHoldUpTheEnd(t *testing.T) {
	pki := certstest.New(t)
	r := passing(t, pki, map[string]*proxy.Backend{testName: saying(t, pki, testName)}, func(r *rig) { r.udp.Limits.Timeouts.Idle = time.Hour })
	fetch(t, r.client(), http.MethodGet, "https://"+testName+"/", nil)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.shutdown(ctx)
	if ctx.Err() != nil {
		t.Error("the end waited for the idle time")
	}
	if record := r.record(); record.ClientLeg.Error != nil {
		t.Errorf("error %+v", record.ClientLeg.Error)
	}
}

func TestIdleFlowsExpire(t *testing.T) {
	pki := certstest.New(t)
	r := passing(t, pki, map[string]*proxy.Backend{testName: saying(t, pki, testName)}, func(r *rig) { r.udp.Limits.Timeouts.Idle = 3 * time.Second })
	c := r.client()
	fetch(t, c, http.MethodGet, "https://"+testName+"/", nil)
	record := r.record()
	if record.Event.Outcome != inspect.Success || !record.ClientLeg.TLS.Established {
		t.Errorf("record %+v", record)
	}
	if n := r.udp.Stats().Flows; n != 0 {
		t.Errorf("%d flows are left", n)
	}
	s := r.udp.sockets[keyOf(r.listener)].relays
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID)+len(s.byAddr)+len(s.all) > 0 || s.sizes != [maxID + 1]int{} {
		t.Errorf("tables: %d ids, %d addresses, %d flows, %v", len(s.byID), len(s.byAddr), len(s.all), s.sizes)
	}
}
