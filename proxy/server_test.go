package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

func TestSeveralListeners(t *testing.T) {
	pki := certstest.New(t)
	backend := tlsBackend(t, pki, echo)
	listener := func(name string) *Listener {
		return &Listener{Name: name, Routes: []*Route{{Name: name + "-route", Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
	}
	a, b := listener("a"), listener("")
	r := newRig(t, pki, shortLimits(), a, b)
	for l, want := range map[*Listener]string{a: "a", b: b.Address} {
		c := tls.Client(dialTCP(t, r.at(l)), r.clientConfig())
		exchange(t, c, "x")
		c.Close()
		if record := r.record(); record.Listener != want || record.Route != l.Routes[0].Name {
			t.Errorf("listener %q, route %q, want %q", record.Listener, record.Route, want)
		}
	}
}

func TestStartRefusesWhatCannotBe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, listeners := range map[string][]*Listener{
		"none":           nil,
		"two on one":     {{Name: "a", Address: "127.0.0.1:65000"}, {Name: "b", Address: "127.0.0.1:65000"}},
		"taken":          {{Address: "127.0.0.1:0"}, {Address: taken.Addr().String()}},
		"not an address": {{Address: "nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Server{}
			if err := s.Start(listeners); err == nil {
				t.Error("started")
			}
			if len(s.sockets) > 0 {
				t.Error("a listener stayed open")
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReload(t *testing.T) {
	pki := certstest.New(t)
	certificate := serves(pki.Make(certstest.Healthy, testName))
	speaks := func(text string) *Backend {
		return tlsBackend(t, pki, func(c *tls.Conn) {
			io.WriteString(c, text)
			echo(c)
		})
	}
	listener := func(address string, b *Backend) *Listener {
		return &Listener{Address: address, Routes: []*Route{{Backend: b, GetCertificate: certificate}}}
	}
	old, changed, address := speaks("old"), speaks("new"), freePort(t)
	r := newRig(t, pki, shortLimits(), listener(address, old))
	hear := func(address, want string) *tls.Conn {
		t.Helper()
		c := tls.Client(dialTCP(t, address), r.clientConfig())
		b := make([]byte, len(want))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
			t.Fatalf("the backend says %q (%v), want %q", b, err, want)
		}
		return c
	}
	before := hear(r.address, "old")

	// What cannot be opened changes nothing.
	taken := listen(t, func(net.Conn) {})
	if err := r.server.Reload([]*Listener{listener(address, changed), listener("127.0.0.2:0", changed), listener(taken, changed)}); err == nil {
		t.Fatal("a taken address was opened")
	}
	if len(r.server.sockets) != 1 {
		t.Errorf("addresses after a reload that failed: %v", r.server.sockets)
	}
	hear(r.address, "old").Close()

	// Changed and added.
	next := []*Listener{listener(address, changed), listener("127.0.0.2:0", changed)}
	if err := r.server.Reload(next); err != nil {
		t.Fatal(err)
	}
	if r.server.Addr(next[0]).String() != r.address {
		t.Error("the socket of a changed listener was exchanged")
	}
	hear(r.address, "new").Close()
	added := r.server.Addr(next[1]).String()
	hear(added, "new").Close()
	exchange(t, before, "an open connection goes on")

	// The same again, while connections come: it is no change.
	for range 50 {
		if err := r.server.Reload(next); err != nil {
			t.Fatal(err)
		}
		c := hear(r.address, "new")
		exchange(t, c, "x")
		c.Close()
	}

	// Removed.
	if err := r.server.Reload(next[1:]); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", r.address); err == nil {
		c.Close()
		t.Error("the removed listener still listens")
	}
	exchange(t, before, "and still goes on")
	before.Close()
}

func TestReloadAfterShutdownIsRefused(t *testing.T) {
	pki := certstest.New(t)
	r := broken(t, pki)
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.server.Reload([]*Listener{{Address: "127.0.0.1:0"}}); err == nil {
		t.Error("reloaded")
	}
	if err := r.server.Shutdown(t.Context()); err != nil {
		t.Error("a second Shutdown:", err)
	}
}

// In whatever phase a connection is when the drain time ends, it is cut at once, and its record says so.
func TestShutdownCutsEveryPhase(t *testing.T) {
	pki := certstest.New(t)
	certificate := serves(pki.Make(certstest.Healthy, testName))
	silent := func(reached chan<- struct{}) *Backend {
		return &Backend{Address: listen(t, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 5))
			close(reached)
			io.Copy(io.Discard, c)
		})}
	}
	established := func(reached chan<- struct{}) *Backend {
		return tlsBackend(t, pki, func(c *tls.Conn) {
			c.Read(make([]byte, 1))
			close(reached)
			io.Copy(io.Discard, c)
		})
	}
	for _, tt := range []struct {
		name     string
		listener func(reached chan<- struct{}) *Listener
		client   func(r *rig, reached chan<- struct{})
		backend  bool // the error is the backend leg's, too
	}{
		{"PROXY header", func(chan<- struct{}) *Listener {
			return &Listener{ProxyProtocol: &TrustedPeers{}, Routes: []*Route{{}}}
		}, func(r *rig, reached chan<- struct{}) { r.tcp().Write([]byte("PROXY")); close(reached) }, false},
		{"peek", func(chan<- struct{}) *Listener { return &Listener{Routes: []*Route{{}}} },
			func(r *rig, reached chan<- struct{}) { r.tcp().Write([]byte{22, 3}); close(reached) }, false},
		{"backend handshake", func(reached chan<- struct{}) *Listener {
			return &Listener{Routes: []*Route{{Backend: silent(reached), GetCertificate: certificate}}}
		}, func(r *rig, _ chan<- struct{}) { r.tcp().Write(helloOf(t, r.clientConfig())) }, true},
		{"client handshake", func(reached chan<- struct{}) *Listener {
			return &Listener{Routes: []*Route{{Backend: tlsBackend(t, pki, discard), GetCertificate: certificate}}}
		}, func(r *rig, reached chan<- struct{}) {
			c := r.tcp()
			c.Write(helloOf(t, r.clientConfig()))
			c.Read(make([]byte, 1))
			close(reached)
		}, false},
		{"bad gateway", func(chan<- struct{}) *Listener {
			return &Listener{Routes: []*Route{{Backend: &Backend{Address: freePort(t)}, GetCertificate: certificate}}}
		}, func(r *rig, reached chan<- struct{}) { r.tls(); close(reached) }, true},
		{"transfer", func(reached chan<- struct{}) *Listener {
			return &Listener{Routes: []*Route{{Backend: established(reached), GetCertificate: certificate}}}
		}, func(r *rig, _ chan<- struct{}) { r.tls().Write([]byte("x")) }, false},
		{"passthrough, handshake", func(reached chan<- struct{}) *Listener {
			return &Listener{Mode: Passthrough, Routes: []*Route{{Backend: silent(reached)}}}
		}, func(r *rig, _ chan<- struct{}) { r.tcp().Write(helloOf(t, r.clientConfig())) }, false},
		{"passthrough, transfer", func(reached chan<- struct{}) *Listener {
			return &Listener{Mode: Passthrough, Routes: []*Route{{Backend: established(reached)}}}
		}, func(r *rig, _ chan<- struct{}) { r.tls().Write([]byte("x")) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reached := make(chan struct{})
			limits := Limits{Timeouts: Timeouts{Linger: 100 * time.Millisecond}} // all others at their defaults: only the cut ends it
			r := newRig(t, pki, limits, tt.listener(reached))
			tt.client(r, reached)
			<-reached
			for r.server.Active() == 0 { // accepted?
				select {
				case <-t.Context().Done():
					return
				case <-time.After(time.Millisecond):
				}
			}
			drained, cancel := context.WithCancel(t.Context())
			cancel()
			start := time.Now()
			if err := r.server.Shutdown(drained); !errors.Is(err, context.Canceled) {
				t.Errorf("Shutdown: %v", err)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("the cut took %s", took)
			}
			record := r.record()
			if tt.name != "bad gateway" && (record.ClientLeg.Error == nil || record.ClientLeg.Error.Type != inspect.ErrorShutdown) {
				t.Errorf("client leg: %+v", record.ClientLeg.Error)
			}
			if tt.backend && record.BackendLeg.Error == nil {
				t.Error("no error of the backend leg")
			}
			if r.server.Active() != 0 {
				t.Error("connections are left")
			}
		})
	}
}

// Without a cut, Shutdown waits for what is open and hands over every record.
func TestShutdownDrains(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	c := r.tls()
	exchange(t, c, "x")
	done := make(chan error, 1)
	go func() { done <- r.server.Shutdown(context.Background()) }()
	r.eventually("no new connections", func() bool {
		n, err := net.Dial("tcp", r.address)
		if err == nil {
			n.Close()
		}
		return err != nil
	})
	exchange(t, c, "still")
	select {
	case err := <-done:
		t.Fatal("did not wait:", err)
	default:
	}
	c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for record := r.record(); ; record = r.record() {
		if record.ClientLeg.TLS != nil {
			wantOutcome(t, record, inspect.Success)
			return
		}
	}
}

// The bound on connections is said aloud and recorded, but not once for each that is refused.
func TestConnectionsAreBounded(t *testing.T) {
	pki := certstest.New(t)
	core, logged := observer.New(zapcore.DebugLevel)
	records := make(chan *inspect.Connection, 1000)
	s := &Server{Limits: Limits{Connections: 2}, Log: zap.New(core), OnConnection: func(c *inspect.Connection) { records <- c }}
	backend := tlsBackend(t, pki, echo)
	l := &Listener{Name: "edge", Address: "127.0.0.1:0", Routes: []*Route{{Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
	if err := s.Start([]*Listener{l}); err != nil {
		t.Fatal(err)
	}
	address := s.Addr(l).String()
	config := (&rig{pki: pki}).clientConfig()
	var open []*tls.Conn
	for range 2 {
		c := tls.Client(dialTCP(t, address), config)
		exchange(t, c, "x")
		open = append(open, c)
	}
	const flood = 200
	for range flood {
		c := dialTCP(t, address)
		if _, err := io.ReadAll(c); err != nil && !isReset(err) {
			t.Fatal(err)
		}
		c.Close()
	}
	if s.Refused() != flood {
		t.Errorf("refused %d, want %d", s.Refused(), flood)
	}
	first := <-records
	wantError(t, first.ClientLeg, inspect.ErrorOverloaded, "")
	wantOutcome(t, first, inspect.Failure)
	if first.Listener != "edge" || first.Client.Port == 0 {
		t.Errorf("%+v", first)
	}
	if n := len(records); n > 30 {
		t.Errorf("%d further records of %d refused connections", n, flood)
	}
	if n := logged.FilterMessageSnippet("bound on connections").Len(); n == 0 || n > 30 {
		t.Errorf("said aloud %d times", n)
	}
	exchange(t, open[0], "those that are open go on")
	for _, c := range open {
		c.Close()
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// A consumer that is too slow loses records, which are counted; connections are not held up.
func TestFullQueueDropsRecordsAndCounts(t *testing.T) {
	block, entered := make(chan struct{}), make(chan struct{}, 100)
	s := &Server{Limits: Limits{Queue: 2}, OnConnection: func(*inspect.Connection) {
		entered <- struct{}{}
		<-block
	}}
	l := &Listener{Address: "127.0.0.1:0", Routes: []*Route{{}}}
	if err := s.Start([]*Listener{l}); err != nil {
		t.Fatal(err)
	}
	const connections = 10
	for i := range connections {
		c := dialTCP(t, s.Addr(l).String())
		c.CloseWrite()
		io.ReadAll(c)
		c.Close()
		if i == 0 {
			<-entered
		}
	}
	for s.Dropped() < connections-3 { // one is being consumed, two wait
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			return
		}
	}
	close(block)
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if got := s.Dropped(); got != connections-3 {
		t.Errorf("dropped %d, want %d", got, connections-3)
	}
}

func TestRoutes(t *testing.T) {
	exact, wildcard, fallback := &Route{Name: "exact", ServerNames: []string{"API.example.com"}}, &Route{Name: "wildcard", ServerNames: []string{"*.Example.com"}}, &Route{Name: "default", ServerNames: []string{"*"}}
	all := &Listener{Routes: []*Route{fallback, wildcard, exact}}
	strict := &Listener{Routes: []*Route{wildcard, exact}}
	for name, want := range map[string]string{
		"api.example.com": "exact", "Api.Example.COM": "exact", "www.example.com": "wildcard", "a.b.example.com": "default", "example.com": "default",
		".example.com": "default", "": "default", "*.example.com": "wildcard", "api.example.com.": "default", "127.0.0.1": "default",
	} {
		if got := all.routeFor(name); got == nil || got.Name != want {
			t.Errorf("%q goes to %v, want %s", name, got, want)
		}
		got := strict.routeFor(name)
		if want == "default" && got != nil || want != "default" && (got == nil || got.Name != want) {
			t.Errorf("without a default, %q goes to %v", name, got)
		}
	}
	if (&Listener{Routes: []*Route{{Name: "empty"}}}).routeFor("x").Name != "empty" {
		t.Error("an empty list is a default")
	}
}

// A hostile client cannot fill the memory with protocols of its own invention.
func TestVariantsAreBounded(t *testing.T) {
	r := &Route{}
	r.prepare(&Listener{})
	for i := range 1000 {
		name := strings.Repeat("x", i)
		if c := r.config(name); name != "" && c.NextProtos[0] != name {
			t.Fatalf("variant %q has %q", name, c.NextProtos)
		}
	}
	n := 0
	r.variants.Range(func(any, any) bool { n++; return true })
	if n != maxVariants {
		t.Errorf("%d variants are kept", n)
	}
	if first := r.config("x"); first != r.config("x") {
		t.Error("a variant is made anew")
	}
}
