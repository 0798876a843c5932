package proxy

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// httpSession is one client connection whose requests are read, with the backend legs that they are sent over. These carry the
// client's name and are never used for another client.
type httpSession struct {
	c         *connection
	transport *http.Transport // nil: http1, or a backend in HTTP/3
	http1     *http1Legs      // nil: transport
	proxy     *httputil.ReverseProxy
	from      origin
	front     *frontConn // nil: of another transport
	handlers  *handlers  // that answer its requests; nil: who reads them does
	ending    sync.Once

	dialling sync.Mutex // to a backend in HTTP/3

	mu      sync.Mutex
	waiting *backendLeg    // opened before the first request, and not taken yet
	legs    []*backendLeg  // open
	broken  *backendLeg    // the last one that failed
	asking  []*httpRequest // that are being answered
	closed  bool           // the client's connection is
	over    bool           // the record is handed over
	turns   [4]turn        // answers that sent the client back to where it came from
	record  inspect.HTTP

	doubtful *backendLeg // the first one with whose end an answer ended of which nobody knows whether it is whole
}

// serveHTTP is mode HTTP behind the handshake with the client: its requests are read and sent on.
func (c *connection) serveHTTP() {
	s := c.beginHTTP()
	c.client.session, c.client.closing, c.client.active = s, s.closing, &c.lastActive
	s.front = newFrontConn(c.clientTLS, s)
	c.watchIdle(s.checkIdle, c.firstRest())
	if !c.server.http().take(s.front) {
		s.front.Close()
	}
}

// beginHTTP makes the session, and settles what the record has of the handshakes.
func (c *connection) beginHTTP() *httpSession {
	s := &httpSession{c: c}
	s.from.of(c)
	switch s.record.Protocol = "HTTP/1.1"; c.clientState.NegotiatedProtocol {
	case "h2":
		s.record.Protocol = "HTTP/2.0"
	case "h3":
		s.record.Protocol = "HTTP/3.0"
	}
	if c.backend.established() {
		s.adopt(c.backend)
		s.waiting = c.backend
	} else {
		s.broken = c.backend
		c.discardBackend()
	}
	c.settle()
	s.proxy = &httputil.ReverseProxy{
		Rewrite:        s.rewrite,
		Transport:      s.roundTripper(),
		ModifyResponse: s.answered,
		ErrorHandler:   s.failed,
		ErrorLog:       discardLog,
		BufferPool:     httpBuffers{},
		FlushInterval:  flushAfter,
	}
	return s
}

// How long a piece of an answer may wait for the next one.
const flushAfter = 5 * time.Millisecond

// httpBuffers lends the buffers of the bridge to the copying of bodies.
type httpBuffers struct{}

func (httpBuffers) Get() []byte  { return copyBuffers.Get().(*[copyBuffer]byte)[:] }
func (httpBuffers) Put(b []byte) { copyBuffers.Put((*[copyBuffer]byte)(b)) }

// expire ends the connection, and what is read and written over it.
func (s *httpSession) expire() {
	if s.front != nil {
		s.front.expire()
	} else {
		s.c.conn.Close() // QUIC
	}
}

// The most connections to the backend for one client: as many as it may ask things at once.
const maxLegs = maxStreams

func (s *httpSession) newTransport() *http.Transport {
	limits := s.c.limits.Timeouts
	var protocols http.Protocols
	if b := s.c.route.Backend; b.Plain && b.Protocol == HTTP2 {
		protocols.SetUnencryptedHTTP2(true)
	} else {
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
	}
	return &http.Transport{
		Protocols:              &protocols,
		DialContext:            s.dial,
		DialTLSContext:         s.dial,
		MaxConnsPerHost:        maxLegs,
		MaxIdleConnsPerHost:    maxLegs,
		IdleConnTimeout:        limits.Idle,
		ResponseHeaderTimeout:  limits.Response,
		ExpectContinueTimeout:  continueAfter,
		MaxResponseHeaderBytes: maxResponseHeader,
		DisableCompression:     true, // what the client did not ask for it must not get
	}
}

// legError says that a leg to the backend could not be opened.
type legError struct{ leg *backendLeg }

func (e *legError) Error() string { return "backend leg: " + string(e.leg.err.Type) }

// dial gives the transport a connection to the backend: the one that was opened before the client's handshake, or another.
func (s *httpSession) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	leg, err := s.leg(ctx)
	if err != nil {
		return nil, err
	}
	if leg.protocol == "h2" || leg.tls == nil && s.c.route.Backend.Protocol == HTTP2 {
		leg.tap.batch = newBatch(leg.tap.Conn)
	}
	if leg.tls != nil {
		return leg.tls, nil
	}
	return leg.tap, nil
}

// leg is a connection to the backend that no request was sent over yet.
func (s *httpSession) leg(ctx context.Context) (*backendLeg, error) {
	s.mu.Lock()
	leg, over := s.waiting, s.over
	s.waiting = nil
	s.mu.Unlock()
	if over {
		return nil, net.ErrClosed
	}
	if leg != nil && peerHasClosed(leg.tap.Conn) {
		leg.tap.Close() // the client took its time, and the backend does not wait that long
		leg = nil
	}
	if q, ok := ctx.Value(requestKey{}).(*httpRequest); ok && leg != nil {
		q.early.Store(true)
	}
	if leg == nil {
		how := s.c.how
		how.adopt = nil // the end of the server's context closes it while it is opened; afterwards it is closed with the client's
		how.dialled = func(conn net.Conn) { s.c.server.outgoing.add(conn, s.c.route, s.c.came) }
		leg = s.c.route.Backend.open(s.c.server.ctx, s.c.limits.Timeouts, &s.c.server.describer, how)
		if !leg.established() {
			if leg.tap != nil && s.c.server.outgoing.forget(leg.tap.Conn) {
				leg.err = s.c.loopError()
			}
			s.fail(leg)
			if leg.tap != nil {
				s.discard(leg)
			}
			return nil, &legError{leg}
		}
		if !s.adopt(leg) {
			s.c.server.outgoing.forget(leg.tap.Conn)
			leg.tap.Close()
			return nil, net.ErrClosed
		}
	}
	return leg, nil
}

// discard lingers on a leg that failed. Whoever asked for it may have gone, and the server, too.
func (s *httpSession) discard(leg *backendLeg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		leg.tap.Close()
		return
	}
	s.c.server.handling.Go(func() { linger(leg.tap, s.c.limits.Timeouts.Linger) })
}

// adopt counts a leg that is open, and learns of its end. It reports false when the client's connection is over: the transport goes
// on opening one although nobody waits for it any more.
func (s *httpSession) adopt(leg *backendLeg) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.legs = append(s.legs, leg)
	s.record.BackendConnections++
	defer s.follow(leg)
	leg.tap.closing = func() {
		facts := tcpFacts(leg.tap.Conn)
		s.c.server.outgoing.forget(leg.tap.Conn)
		s.mu.Lock()
		defer s.mu.Unlock()
		if i := slices.Index(s.legs, leg); i >= 0 {
			s.legs = slices.Delete(s.legs, i, i+1)
			if !s.over {
				leg.facts = facts
			}
		}
	}
	return true
}

// fail keeps a leg that failed for the record.
func (s *httpSession) fail(leg *backendLeg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.broken = leg
	}
}

// release counts a request that is answered, and finishes a session whose last one it was.
func (s *httpSession) release(q *httpRequest) {
	s.front.end()
	s.c.lastActive.Store(ticks()) // the last bytes of the answer may have to be written yet, and have the idle time for that
	s.mu.Lock()
	i := slices.Index(s.asking, q)
	n := len(s.asking) - 1
	s.asking[i], s.asking[n] = s.asking[n], nil
	s.asking = s.asking[:n]
	last := s.closed && len(s.asking) == 0
	s.mu.Unlock()
	if last {
		s.finish()
	}
}

// closing is called before the client's connection is closed, behind close_notify.
func (s *httpSession) closing() {
	s.front.readOn()
	s.end()
}

// end is called before the client's connection is closed.
func (s *httpSession) end() {
	s.ending.Do(func() {
		s.c.clientFacts = tcpFacts(s.c.conn)
		s.mu.Lock()
		s.closed = true
		last := len(s.asking) == 0
		s.mu.Unlock()
		if last {
			go s.finish() // whoever closes the connection may hold locks of the HTTP server
		}
	})
}

// finish closes what is open to the backend and hands over the record.
func (s *httpSession) finish() {
	c := s.c
	if s.http1 != nil {
		s.http1.drop()
	}
	s.mu.Lock()
	s.over = true
	open, broken := slices.Clone(s.legs), cmp.Or(s.broken, s.doubtful)
	s.mu.Unlock()
	if broken != nil && broken != c.backend {
		c.record.BackendLeg = broken.describe(&c.server.describer)
		c.backend = broken
	}
	held := slices.Contains(open, c.backend)
	if held {
		c.backend.facts = tcpFacts(c.backend.tap.Conn)
	}
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
	if s.http1 != nil {
		s.http1.end()
	}
	for _, leg := range open {
		leg.tap.Close()
	}
	c.stopWatching()
	slices.SortFunc(s.record.Statuses, func(a, b inspect.HTTPStatus) int { return a.Code - b.Code })
	c.record.HTTP = &s.record
	s.legEnded(held)
	c.record.Event.End = s.ended()
	c.silent = s.front != nil && s.front.read.Load() == 0
	c.finish()
}

// count notes an answer. s.mu is held.
func (s *httpSession) count(status int) {
	for i := range s.record.Statuses {
		if s.record.Statuses[i].Code == status {
			s.record.Statuses[i].Count++
			return
		}
	}
	if len(s.record.Statuses) < maxStatuses {
		s.record.Statuses = append(s.record.Statuses, inspect.HTTPStatus{Code: status, Count: 1})
	}
}

// Bounds on what a record keeps of a connection's requests.
const (
	maxStatuses = 32
	maxFailures = 16
)

// note keeps a request that failed. s.mu is held.
func (s *httpSession) note(f inspect.HTTPFailure) {
	if len(s.record.Failures) == maxFailures {
		s.record.FailuresMore++
		return
	}
	f.Message = inspect.Bounded(f.Message)
	s.record.Failures = append(s.record.Failures, f)
}

// legFailure is what the client is told of a leg that could not be opened.
func legFailure(leg *backendLeg) inspect.HTTPFailure {
	f := inspect.HTTPFailure{Type: inspect.HTTPBackendLeg, Status: http.StatusBadGateway}
	if leg.err != nil && leg.err.Type == inspect.ErrorTimeout {
		f.Status = http.StatusGatewayTimeout
	}
	return f
}

// failed is called for a request that the backend did not answer.
func (s *httpSession) failed(_ http.ResponseWriter, r *http.Request, err error) {
	q := requestOf(r)
	var unopened *legError
	f := inspect.HTTPFailure{Type: inspect.HTTPOther, Status: http.StatusBadGateway, Message: err.Error()}
	switch {
	case q.stalled.Load() == stalledBackend:
		f.Type, f.Status, f.Message = inspect.HTTPTimeout, http.StatusGatewayTimeout, "the backend took nothing more of the request for the idle time"
	case errors.As(err, &unopened):
		f = legFailure(unopened.leg)
	case q.isLate():
		f.Type, f.Status = inspect.HTTPSlowRequest, http.StatusRequestTimeout
	case r.Context().Err() != nil: // the client has gone
		q.aborted = true
		panic(http.ErrAbortHandler)
	case q.unread.Load() != nil: // what failed is the client's body, not the backend
		if unread := *q.unread.Load(); transportErrorType(unread) == inspect.ErrorOther {
			f.Type, f.Status, f.Message = inspect.HTTPBadRequest, http.StatusBadRequest, unread.Error()
			break
		}
		q.aborted = true
		panic(http.ErrAbortHandler)
	default:
		f.Type = s.failureType(err)
		if f.Type == inspect.HTTPTimeout {
			f.Status = http.StatusGatewayTimeout
		}
	}
	if q.hijacked {
		q.fail(f)
		return
	}
	q.page(f)
}

// failureType tells the ways in which a backend fails to answer. An alert is put into the record of its leg, too, be it the backend's or
// that of crypto/tls about what the backend sent: the wish to renegotiate, what cannot be decrypted.
func (s *httpSession) failureType(err error) inspect.HTTPFailureType {
	result := &inspect.Error{Type: inspect.ErrorAlertReceived, Message: err.Error(), Phase: inspect.PhaseTransfer}
	from := inspect.FromServer
	code, ok := remoteAlert(err)
	if !ok {
		if code, ok = localAlert(err); !ok {
			return s.failureOf(err)
		}
		result.Type, from = inspect.ErrorAlertSent, inspect.FromClient
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	leg := s.c.backend // the one in the record
	leg.alerts = append(leg.alerts, newAlert(code, from))
	leg.err = result
	return inspect.HTTPAlert
}

// failureOf tells the ways in which a connection to the backend fails that are not told by an alert.
func (s *httpSession) failureOf(err error) inspect.HTTPFailureType {
	if errors.Is(err, errSpeaksHTTP2) {
		return inspect.HTTPSpeaksHTTP2
	}
	switch transportErrorType(err) {
	case inspect.ErrorTimeout:
		return inspect.HTTPTimeout
	case inspect.ErrorReset:
		return inspect.HTTPReset
	case inspect.ErrorClosed, inspect.ErrorShutdown:
		return inspect.HTTPClosed
	}
	if errors.Is(err, errNotRepeatable) {
		return inspect.HTTPClosed
	}
	var stream streamError
	if errors.As(err, &stream) {
		return inspect.HTTPStreamReset
	}
	for _, known := range errorWords {
		if strings.Contains(err.Error(), known.words) {
			return known.means
		}
	}
	return inspect.HTTPBadResponse
}

// streamError is the form in which net/http lets out that a stream of HTTP/2 was reset.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "stream reset" }

// errorWords are errors of net/http that have no exported type.
var errorWords = [...]struct {
	words string
	means inspect.HTTPFailureType
}{
	{"server closed idle connection", inspect.HTTPClosed},
	{"server sent GOAWAY", inspect.HTTPClosed},
	{"graceful shutdown GOAWAY", inspect.HTTPClosed},
	{"client connection lost", inspect.HTTPClosed},
	{"response headers exceeded", inspect.HTTPLargeHeader},
	{"response header list larger", inspect.HTTPLargeHeader},
}
