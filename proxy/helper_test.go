package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/leaktest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// No test may leave a goroutine behind: a connection that does not end is one.
func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long a test waits for what must come. Nothing that works comes near it, even on a machine with much else to do.
const patience = time.Minute

const testName = "api.example.com"

// shortLimits leave time for everything that only waits for the processor. A test of what becomes of one that is not in time sets that time.
func shortLimits() Limits {
	return Limits{Timeouts: Timeouts{
		ProxyProtocol: 30 * time.Second, ClientHello: 30 * time.Second, Dial: 30 * time.Second, BackendHandshake: 30 * time.Second, Settle: 30 * time.Second,
		ClientHandshake: 30 * time.Second, RequestHeader: 30 * time.Second, Response: 30 * time.Second, BadGateway: 30 * time.Second, Idle: 30 * time.Second, Linger: 200 * time.Millisecond,
	}}
}

// rig is a server with one or more listeners, the records it gave, and the certificates around it.
type rig struct {
	t       testing.TB
	server  *Server
	pki     *certstest.PKI
	records chan *inspect.Connection
	address string // of the first listener
}

// newRig starts a server. Listeners without an address get one on the loopback.
func newRig(t testing.TB, pki *certstest.PKI, limits Limits, listeners ...*Listener) *rig {
	t.Helper()
	r := &rig{t: t, pki: pki, records: make(chan *inspect.Connection, 1024)}
	r.server = &Server{Limits: limits, OnConnection: func(c *inspect.Connection) { r.records <- c }}
	for i, l := range listeners {
		if l.Address == "" {
			l.Address = []string{"127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"}[i]
		}
	}
	if err := r.server.Start(listeners); err != nil {
		t.Fatal(err)
	}
	r.address = r.at(listeners[0])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.server.Shutdown(ctx)
	})
	return r
}

func (r *rig) at(l *Listener) string { return r.server.Addr(l).String() }

// record is the next record.
func (r *rig) record() *inspect.Connection {
	r.t.Helper()
	select {
	case c := <-r.records:
		return c
	case <-time.After(patience):
		r.t.Fatal("no record came")
		return nil
	}
}

// none asserts that no further record is there once the server has ended.
func (r *rig) none() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		r.t.Error("connections did not end by themselves:", err)
	}
	select {
	case c := <-r.records:
		r.t.Errorf("one record too many: %+v", c)
	default:
	}
}

// tcp connects to the first listener.
func (r *rig) tcp() *net.TCPConn { r.t.Helper(); return dialTCP(r.t, r.address) }

func dialTCP(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// clientConfig is a client that trusts the test's root.
func (r *rig) clientConfig(edit ...func(*tls.Config)) *tls.Config {
	config := &tls.Config{ServerName: testName, RootCAs: r.pki.Roots()}
	for _, e := range edit {
		e(config)
	}
	return config
}

// tls connects to the first listener; the handshake has succeeded.
func (r *rig) tls(edit ...func(*tls.Config)) *tls.Conn {
	r.t.Helper()
	c, err := r.try(edit...)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) try(edit ...func(*tls.Config)) (*tls.Conn, error) {
	r.t.Helper()
	c := tls.Client(r.tcp(), r.clientConfig(edit...))
	return c, c.Handshake()
}

// tlsClient is a client above a connection of the test's own.
func tlsClient(c net.Conn, r *rig) *tls.Conn { return tls.Client(c, r.clientConfig()) }

func protocols(p ...string) func(*tls.Config) { return func(c *tls.Config) { c.NextProtos = p } }

func only(version uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version }
}

func named(name string) func(*tls.Config) { return func(c *tls.Config) { c.ServerName = name } }

// serves is a GetCertificate for one chain.
func serves(c *certstest.Chain) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := c.TLS()
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
}

// listen accepts on the loopback until the test ends. handle's connection is closed when it returns.
func listen(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := make(map[net.Conn]bool)
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			running.Go(func() {
				defer func() {
					c.Close()
					mu.Lock()
					delete(open, c)
					mu.Unlock()
				}()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// tlsBackend terminates TLS with a healthy chain and hands the connection to handle; the handshake is done by then.
func tlsBackend(t testing.TB, pki *certstest.PKI, handle func(*tls.Conn), edit ...func(*tls.Config)) *Backend {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{*pki.Make(certstest.Healthy, testName).TLS()}}
	for _, e := range edit {
		e(config)
	}
	return &Backend{Address: listen(t, func(c net.Conn) {
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			handle(s)
		}
	})}
}

// echo sends back what comes, to the end of it, and closes cleanly.
func echo(c *tls.Conn) {
	io.Copy(c, c)
	c.Close()
}

func discard(c *tls.Conn) { io.Copy(io.Discard, c) }

// bridged is a rig with one bridge route to a backend.
func bridged(t testing.TB, pki *certstest.PKI, backend *Backend, edit ...func(*Listener)) *rig {
	t.Helper()
	l := &Listener{Name: "edge", Routes: []*Route{{Name: "default", Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
	for _, e := range edit {
		e(l)
	}
	return newRig(t, pki, shortLimits(), l)
}

// exchange writes and reads the same back.
func exchange(t testing.TB, c net.Conn, text string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != text {
		t.Fatalf("got %q, want %q", got, text)
	}
}

// helloOf is the first flight of crypto/tls with a configuration: one record.
func helloOf(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Client(near, config).Handshake()
	}()
	far.SetDeadline(time.Now().Add(patience))
	buffer := make([]byte, 64<<10)
	n, err := far.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	<-done
	near.Close()
	return buffer[:n]
}

// readAlert reads to the end and gives the alert that came in the clear, which must be all.
func readAlert(t testing.TB, c net.Conn) wire.AlertDescription {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("the alert did not come whole: %v (%x)", err, b)
	}
	if len(b) != 7 || b[0] != byte(wire.ContentTypeAlert) || b[5] != byte(wire.AlertLevelFatal) {
		t.Fatalf("got %x, want a fatal alert", b)
	}
	return wire.AlertDescription(b[6])
}

// wantError checks why a leg ended.
func wantError(t testing.TB, leg *inspect.Leg, kind inspect.ErrorType, phase inspect.Phase) {
	t.Helper()
	switch {
	case leg == nil:
		t.Errorf("no leg, want one that ended with %s in %s", kind, phase)
	case leg.Error == nil:
		t.Errorf("the leg has no error, want %s in %s", kind, phase)
	case leg.Error.Type != kind || leg.Error.Phase != phase:
		t.Errorf("error is %s in %s (%s), want %s in %s", leg.Error.Type, leg.Error.Phase, leg.Error.Message, kind, phase)
	}
}

func wantAlert(t testing.TB, leg *inspect.Leg, code wire.AlertDescription, from inspect.Side) {
	t.Helper()
	if leg == nil || leg.TLS == nil {
		t.Errorf("no TLS in the leg, want an alert %s", code)
		return
	}
	for _, a := range leg.TLS.Alerts {
		if a.Code == uint8(code) && a.From == from {
			return
		}
	}
	t.Errorf("alerts are %+v, want %s from %s", leg.TLS.Alerts, code, from)
}

func wantOutcome(t testing.TB, c *inspect.Connection, want inspect.Outcome) {
	t.Helper()
	if c.Event.Outcome != want {
		t.Errorf("outcome %s, want %s; client %+v, backend %+v", c.Event.Outcome, want, errorOf(c.ClientLeg), errorOf(c.BackendLeg))
	}
}

func errorOf(leg *inspect.Leg) *inspect.Error {
	if leg == nil {
		return nil
	}
	return leg.Error
}

// isReset reports whether the peer ended with a reset.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// closeNotified reports whether an end of a TLS stream was a clean one, by what came below TLS: the tap of the test.
type endWatcher struct {
	net.Conn
	fin bool
}

func (e *endWatcher) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		e.fin = true
	}
	return n, err
}

func certificatePool(list ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool
}

func repeat(text string, n int) string { return strings.Repeat(text, n) }

func sameBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %d bytes, want %d, or they differ", what, len(got), len(want))
	}
}

// serverOf is a TLS server that echoes; the error that ended its handshake (nil: none) is sent to saw.
func serverOf(t testing.TB, config *tls.Config, saw chan<- error) string {
	return listen(t, func(c net.Conn) {
		s := tls.Server(c, config)
		err := s.Handshake()
		select {
		case saw <- err:
		default:
		}
		if err == nil {
			echo(s)
		}
	})
}
