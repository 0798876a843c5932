package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// QUICClient is what is known of a client over QUIC when its first flight was read, before anything was answered.
type QUICClient struct {
	Client, Server net.Addr
	Began          time.Time     // its first datagram came
	Hello          []byte        // the ClientHello; a part of it, or nothing, where Err says why
	Datagrams      int           // that it came in
	Facts          *inspect.QUIC // for the record, which owns it from then on
	Kept           *Datagrams    // of the connection, what came and comes; nil: nobody wants them

	// Close ends the connection with a TLS alert, which QUIC sends as an error of its own (RFC 9001, Section 4.8), or without
	// one: 0. It may be called more than once, and at any time.
	Close func(alert wire.AlertDescription)
}

// QUICRetry says when a client has to show that its address is its own before anything is done for it (RFC 9000, Section 8.1.2). It
// costs the client a round trip.
type QUICRetry string

// Occasions of a Retry.
const (
	RetryAuto   QUICRetry = "auto" // while many handshakes are open with clients of whom that is not known
	RetryAlways QUICRetry = "always"
	RetryNever  QUICRetry = "never"
)

// QUICNext is what becomes of a client over QUIC.
type QUICNext uint8

// What becomes of it.
const (
	QUICRefused   QUICNext = iota // it was told so, and its record is handed over
	QUICTerminate                 // its handshake is done here: Config, then Established or Failed
	QUICPass                      // its datagrams go to the backend: Pass
)

// QUIC is a client's connection over QUIC, which package proxy/h3 takes through the same phases as a TCP connection goes through:
// the same routes, decisions, certificates and sessions of HTTP. Its methods are called one after the other, but for ServeHTTP,
// Watch and Ended.
type QUIC struct {
	c         *connection
	facts     *inspect.QUIC
	hello     int // datagrams that the hello came in
	admitted  atomic.Bool
	session   *httpSession
	presented []*x509.Certificate // by the client, once they were verified
	settled   chan struct{}       // closed once it is known whether the handshake came to its end
	opened    sync.Once
	opening   chan *backendLeg // what became of the backend leg, where that took longer than the client's handshake could wait

	mu        sync.Mutex // of what follows, and of the observer while datagrams pass
	finished  bool
	described bool
}

// BeginQUIC makes the record of a client whose hello is whole, or never will be (why), finds its route and decides about it. It takes
// no slot for a client that is to be terminated: whether its address is its own may still have to be found out.
func (s *Server) BeginQUIC(l *Listener, client QUICClient, why *inspect.Error) (*QUIC, QUICNext) {
	conn := &quicConn{local: client.Server, remote: client.Client, end: client.Close}
	c := &connection{
		server: s, listener: l, limits: s.limits(), conn: conn, started: client.Began,
		record:         s.newRecord(l, client.Began, addrPort(client.Client), addrPort(client.Server)),
		clientObserver: newObserver(&s.describer),
		source:         client.Client, destination: client.Server,
	}
	c.record.Transport = inspect.TransportQUIC
	c.clientObserver.SetTransport(inspect.TransportQUIC)
	c.client = &tap{Conn: conn, observer: c.clientObserver, peer: inspect.FromClient, self: inspect.FromServer, connection: c}
	q := &QUIC{c: c, facts: client.Facts, hello: client.Datagrams, settled: make(chan struct{})}
	c.quic = q
	if client.Kept != nil {
		c.kept = &client.Kept.kept
	}
	c.client.see(inspect.FromClient, appendRecords(nil, client.Hello))
	return q, q.next(why)
}

// next decides. What is refused has its record handed over here.
func (q *QUIC) next(why *inspect.Error) QUICNext {
	c := q.c
	hello, err := c.clientObserver.ClientHello()
	switch {
	case why != nil:
		if q.admit() {
			c.clientErr = why
			c.failClient()
		}
		return QUICRefused
	case err != nil || hello == nil:
		if q.admit() {
			c.clientErr = &inspect.Error{Type: inspect.ErrorMalformedHello, Phase: inspect.PhasePeek, Message: "the first message is no ClientHello"}
			if err != nil {
				c.clientErr.Message = err.Error()
			}
			c.sendAlert(wire.AlertDecodeError)
			c.failClient()
		}
		return QUICRefused
	}
	c.hello = hello
	route := c.listener.routeFor(c.serverName())
	if route != nil {
		var action Action
		if route.Decide != nil {
			action = route.Decide(hello)
		}
		if !action.Refuse {
			c.route, c.action = route, action
			return q.accepted()
		}
	}
	if q.admit() {
		c.decide() // which refuses it
	}
	return QUICRefused
}

// accepted says what becomes of a client that policy and routes have nothing against.
func (q *QUIC) accepted() QUICNext {
	c := q.c
	unservable := c.action.Unservable != "" || c.hello.EarlyData
	if c.listener.Mode == Passthrough || c.listener.Fallback && unservable {
		if !q.admit() {
			return QUICRefused
		}
		return QUICPass
	}
	if !slices.Contains(c.protocols(), "h3") {
		if q.admit() {
			c.refuse(wire.AlertNoApplicationProtocol, inspect.ErrorNoCommonALPN, "the client does not offer h3, the protocol of HTTP over QUIC")
		}
		return QUICRefused
	}
	return QUICTerminate
}

// admit takes a slot among the open connections; false: there is none, or the server is about to end.
func (q *QUIC) admit() bool {
	s := q.c.server
	limit := int64(q.c.limits.Connections)
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		q.c.conn.Close()
		return false
	}
	s.handling.Add(1)
	s.open[q.c] = struct{}{}
	cut := s.cutting
	s.mu.Unlock()
	if s.active.Add(1) > limit {
		s.mu.Lock()
		delete(s.open, q.c)
		s.mu.Unlock()
		s.active.Add(-1)
		s.overloaded(q.c.listener, q.c.conn, limit)
		s.handling.Done()
		return false
	}
	q.admitted.Store(true)
	if cut {
		q.c.abort()
	}
	return true
}

// QUICLink stands in the context of a QUIC handshake, and leads to its connection once that is known.
type QUICLink struct{ q atomic.Pointer[QUIC] }

// Context is a context that leads to the link.
func (l *QUICLink) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, connectionKey{}, l)
}

// Attach says whose handshake it is.
func (l *QUICLink) Attach(q *QUIC) { l.q.Store(q) }

// connectionIn is the connection whose handshake a context belongs to; nil: none.
func connectionIn(ctx context.Context) *connection {
	switch v := ctx.Value(connectionKey{}).(type) {
	case *connection:
		return v
	case *QUICLink:
		if q := v.q.Load(); q != nil {
			return q.c
		}
	}
	return nil
}

// Errors of Config.
var (
	errOverloaded = errors.New("proxy: the bound on connections is reached, or the server is about to end")
	errCut        = errors.New("proxy: cut at the end of draining")
)

// backendPatience is how long a client's handshake waits for the backend leg. Over TCP a client sees that its connection stands, and waits as
// long as it takes; over QUIC it sees nothing, and gives up before a backend that does not answer is known for one.
const backendPatience = time.Second

// open opens the backend leg, or leaves it to Opened to say what became of it.
func (q *QUIC) open() {
	c := q.c
	opened := make(chan *backendLeg, 1)
	limits, how := c.limits.Timeouts, c.how
	go func() { opened <- c.route.Backend.open(c.server.ctx, limits, &c.server.describer, how) }()
	patience := time.NewTimer(backendPatience)
	defer patience.Stop()
	select {
	case c.backend = <-opened:
	case <-patience.C:
		q.opening = opened
	}
}

// Opened waits until the backend leg is open or has failed. It is to be called before Established or Failed of a connection that is
// admitted.
func (q *QUIC) Opened() {
	q.opened.Do(func() {
		if q.opening != nil {
			q.c.backend = <-q.opening
		}
	})
}

// Config opens the backend leg, as it is for a TCP connection, and gives the configuration with which the client's handshake goes on.
// chi is what crypto/tls reads in the hello; where it differs from what was decided about, the client is refused. The client waits for
// the backend, but not for long.
func (q *QUIC) Config(chi *tls.ClientHelloInfo) (*tls.Config, error) {
	c := q.c
	if !q.admit() {
		return nil, errOverloaded
	}
	if !sameView(chi, c.hello) {
		return nil, errViewsDiffer
	}
	c.how = opening{source: c.source, destination: c.destination, adopt: c.adopt, keyLog: c.server.KeyLog, kept: c.kept != nil, unsettled: true, protocols: c.route.Backend.offers("h3")}
	c.how.verified, c.how.sent = c.route.Backend.nameFor(c.serverName())
	q.open()
	if c.wasCut() {
		return nil, errCut
	}
	config := c.logging(c.route.config("h3"))
	if c.route.ClientAuth != tls.NoClientCert {
		// Of a connection of QUIC nobody can ask what was presented before the handshake is done.
		config = config.Clone()
		verify := config.VerifyConnection
		config.VerifyConnection = func(state tls.ConnectionState) error {
			q.presented = state.PeerCertificates
			if verify == nil {
				return nil
			}
			return verify(state)
		}
	}
	return config, nil
}

// Admitted reports whether the connection has a slot, so that its record must be handed over: by Failed, or by Ended after Established.
func (q *QUIC) Admitted() bool { return q.admitted.Load() }

// Established begins the session of HTTP behind a handshake that was done.
func (q *QUIC) Established(state tls.ConnectionState) {
	c := q.c
	q.mu.Lock()
	q.described = true // what its handshake showed in the clear is in the record now
	q.mu.Unlock()
	c.clientTook = time.Since(c.started)
	c.clientState = &state
	c.hello = nil
	c.client.detach()
	q.session = c.beginHTTP()
	c.watchIdle(q.session.checkIdle, c.firstRest())
	close(q.settled)
}

// ServeHTTP answers a request of the client.
func (q *QUIC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	<-q.settled
	if q.session != nil {
		q.session.serve(w, r)
	}
}

// Requests is the number of requests that are being answered.
func (q *QUIC) Requests() int {
	q.session.mu.Lock()
	defer q.session.mu.Unlock()
	return len(q.session.asking)
}
