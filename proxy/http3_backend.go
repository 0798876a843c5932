package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// HTTP3Dialer connects to a backend over QUIC and does the handshake. Its error is a *QUICError for what happened in the handshake.
type HTTP3Dialer func(ctx context.Context, to HTTP3Dial) (*HTTP3Conn, error)

// HTTP3Dial says what a HTTP3Dialer connects to, and how.
type HTTP3Dial struct {
	Address   string // host:port
	TLS       *tls.Config
	Dial      time.Duration // for resolving
	Handshake time.Duration
	Idle      time.Duration
	MaxHeader int // bytes of an answer's header

	// Observe is given the handshake messages that are in the clear for whoever saw the first packet. The bytes are not kept.
	Observe func(from inspect.Side, message []byte)
	Kept    *Datagrams // is given its ends, and all that goes both ways; nil: nobody wants it
}

// How much longer than a request may take to be answered a connection to the backend without a packet is kept.
const http3IdleMargin = 5 * time.Second

// HTTP3Conn is a connection to a backend in HTTP/3.
type HTTP3Conn struct {
	http.RoundTripper
	State  tls.ConnectionState
	Remote net.Addr
	Facts  *inspect.QUIC
	Done   context.Context // ends with the connection; its cause is a *QUICError
	Close  func()
}

// QUICError is how a connection to a backend failed.
type QUICError struct{ QUICEnd }

func (e *QUICError) Error() string { return e.Text }

// Unwrap is what crypto/tls said, or the alert of the peer in the form that crypto/tls has for it.
func (e *QUICError) Unwrap() error {
	if e.Alerts && e.Remote {
		return &net.OpError{Op: "remote error", Err: alertError(e.Alert)}
	}
	return e.TLS
}

// Timeout makes of a time that ran out what it is on other legs.
func (e *QUICError) Timeout() bool { return e.Type == inspect.ErrorTimeout }

// Temporary is false: nothing is tried again.
func (e *QUICError) Temporary() bool { return false }

type alertError uint8

func (a alertError) Error() string { return "tls: " + wire.AlertDescription(a).String() }

var errNoHTTP3 = errors.New("proxy: nothing here speaks HTTP/3 to backends")

// openHTTP3 is open for a backend that is asked in HTTP/3.
func (b *Backend) openHTTP3(ctx context.Context, limits Timeouts, describer *inspect.Describer, how opening) *backendLeg {
	leg := &backendLeg{backend: b, started: time.Now(), name: how.verified, sentName: how.sent, address: how.address, observer: newObserver(describer)}
	leg.observer.SetTransport(inspect.TransportQUIC)
	if b.HTTP3 == nil {
		leg.err = &inspect.Error{Type: inspect.ErrorUnsupported, Message: errNoHTTP3.Error(), Phase: inspect.PhaseDial}
		return leg
	}
	address := how.address
	if address == "" {
		address = b.Address
	}
	var kept *Datagrams
	if how.kept {
		kept = newDatagrams(how.keyLog)
		if leg.kept = &kept.kept; how.keyLog != nil {
			how.keyLog = leg.kept
		}
	}
	config := leg.config(how)
	config.NextProtos = []string{"h3"}
	config.MinVersion = tls.VersionTLS13 // RFC 9001, Section 4.2
	began := time.Now()
	conn, err := b.HTTP3(ctx, HTTP3Dial{
		Address: address, TLS: config, Dial: limits.Dial, Handshake: limits.BackendHandshake, Idle: max(limits.Idle, limits.Response) + http3IdleMargin, MaxHeader: maxResponseHeader,
		Observe: func(from inspect.Side, message []byte) {
			leg.observer.Feed(from, appendRecords(nil, message), time.Now())
		},
		Kept: kept,
	})
	leg.took = time.Since(began)
	if err != nil {
		leg.quicError(err)
		return leg
	}
	leg.http3, leg.remote = conn, conn.Remote
	leg.tap = &tap{Conn: &quicConn{remote: conn.Remote, local: conn.Remote, end: func(wire.AlertDescription) { conn.Close() }}}
	leg.state, leg.protocol = &conn.State, conn.State.NegotiatedProtocol
	if how.adopt != nil {
		how.adopt(leg.tap)
	}
	leg.remember(conn.State)
	if leg.request != nil && !how.unsettled {
		leg.settleHTTP3(ctx, limits)
	}
	return leg
}

// maxResponseHeader bounds the header of a backend's answer.
const maxResponseHeader = 256 << 10

// settleHTTP3 waits for what a backend that asked for a certificate has to say of the answer: as in TLS 1.3 over TCP, a refusal
// comes when the handshake is done on our side.
func (l *backendLeg) settleHTTP3(ctx context.Context, limits Timeouts) {
	timer := time.NewTimer(min(limits.BackendHandshake, limits.Settle))
	defer timer.Stop()
	select {
	case <-l.http3.Done.Done():
		l.quicError(context.Cause(l.http3.Done))
	case <-timer.C:
	case <-ctx.Done():
	}
}

// quicError says why the leg failed.
func (l *backendLeg) quicError(err error) {
	var e *QUICError
	if !errors.As(err, &e) {
		l.err = dialError(err)
		return
	}
	if e.Close != nil {
		// What the peer is on this leg, is the server.
		e.Close.From = inspect.FromClient
		if e.Remote {
			e.Close.From = inspect.FromServer
		}
	}
	l.closedBy = e.Close
	switch {
	case e.Type == inspect.ErrorRefused, e.Type == inspect.ErrorUnreachable:
		l.err = &inspect.Error{Type: e.Type, Message: e.Text, Phase: inspect.PhaseDial}
	case e.Alerts && e.Remote:
		l.alerts = append(l.alerts, newAlert(e.Alert, inspect.FromServer))
		l.err = &inspect.Error{Type: inspect.ErrorAlertReceived, Message: e.Text, Phase: inspect.PhaseHandshake}
	case e.TLS != nil:
		if e.Alerts {
			l.alerts = append(l.alerts, newAlert(e.Alert, inspect.FromClient))
		}
		l.err = &inspect.Error{Type: inspect.ErrorAlertSent, Message: e.Text, Phase: inspect.PhaseHandshake}
		var refused *backendCertificateError
		if errors.As(e.TLS, &refused) {
			l.err.Type, l.err.Message = inspect.ErrorCertificate, e.TLS.Error()
			l.revocation = revocationIn(e.TLS)
		}
	default:
		l.err = &inspect.Error{Type: e.Type, Message: e.Text, Phase: inspect.PhaseHandshake}
	}
}

// describeQUIC adds to the leg what only QUIC has.
func (l *backendLeg) describeQUIC(leg *inspect.Leg) {
	if a, ok := l.remote.(*net.UDPAddr); ok {
		leg.Address, leg.Port = a.IP.String(), a.Port
	}
	if l.backend.Protocol != HTTP3 {
		return
	}
	leg.QUIC = &inspect.QUIC{Close: l.closedBy}
	if l.http3 != nil {
		*leg.QUIC = *l.http3.Facts
		leg.QUIC.Close = l.closedBy
	}
	if leg.TLS == nil || leg.TLS.Client == nil {
		return
	}
	leg.TLS.Client.RecordVersion = ""
	if m := leg.TLS.Client.Message; m != nil {
		m.Records, m.Segments = 0, 0
	}
}

// http3Legs sends requests to a backend in HTTP/3: over one connection for each client, as long as it lasts.
type http3Legs struct{ s *httpSession }

// roundTripper is how requests are sent on.
func (s *httpSession) roundTripper() http.RoundTripper {
	backend := s.c.route.Backend
	if backend.Protocol == HTTP3 {
		return http3Legs{s}
	}
	h2 := s.c.backend.protocol == "h2" || backend.Plain && backend.Protocol == HTTP2
	if !h2 && canPeek {
		s.http1 = newHTTP1Legs(s)
		return again{s.http1}
	}
	s.transport = s.newTransport()
	if h2 {
		return again{newGate(repeats{s.transport, s.c.limits.Timeouts.Response})}
	}
	return again{stoppable{s.transport}}
}

// RoundTrip sends a request. A connection that turns out to be closed is opened anew once, where nothing of the request is lost by that.
func (h http3Legs) RoundTrip(r *http.Request) (*http.Response, error) {
	for again := false; ; again = true {
		leg, err := h.leg()
		if err != nil {
			return nil, err
		}
		answer, err := h.send(leg, r)
		if err == nil {
			return answer, nil
		}
		var closed *QUICError
		gone := leg.http3.Done.Err() != nil
		if gone && errors.As(context.Cause(leg.http3.Done), &closed) {
			err = closed
		}
		if again || !gone || r.Context().Err() != nil || closed != nil && closed.Alerts || !repeatable(r) {
			return nil, err
		}
	}
}

// repeatable reports whether a request may be sent twice (RFC 9110, Section 9.2.2), and can be.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0
	}
	return false
}

// send sends a request over a leg, and does not wait for ever for the answer to begin.
func (h http3Legs) send(leg *backendLeg, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	requestOf(r).stoppedBy(func() { cancel(errStalled) })
	inTime := answerTime(h.s.c.limits.Timeouts.Response, requestOf(r).whenSent, func() { cancel(os.ErrDeadlineExceeded) })
	answer, err := leg.http3.RoundTrip(r.WithContext(ctx))
	if !inTime() {
		if err == nil {
			answer.Body.Close()
		}
		return nil, os.ErrDeadlineExceeded
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	answer.Body = &cancelledBody{answer.Body, cancel}
	return answer, nil
}

// cancelledBody lets go of the request's context with the body.
type cancelledBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *cancelledBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// leg is the connection that requests are sent over: the one that is open, or another.
func (h http3Legs) leg() (*backendLeg, error) {
	s := h.s
	s.mu.Lock()
	s.waiting = nil
	for _, leg := range s.legs {
		if leg.http3 != nil && leg.http3.Done.Err() == nil {
			s.mu.Unlock()
			return leg, nil
		}
	}
	over := s.over
	s.mu.Unlock()
	if over {
		return nil, net.ErrClosed
	}
	s.dialling.Lock() // what comes at the same time shares one connection
	defer s.dialling.Unlock()
	s.mu.Lock()
	for _, leg := range s.legs {
		if leg.http3 != nil && leg.http3.Done.Err() == nil {
			s.mu.Unlock()
			return leg, nil
		}
	}
	s.mu.Unlock()
	how := s.c.how
	how.adopt = nil
	leg := s.c.route.Backend.open(s.c.server.ctx, s.c.limits.Timeouts, &s.c.server.describer, how)
	if !leg.established() {
		s.fail(leg)
		return nil, &legError{leg}
	}
	if !s.adopt(leg) {
		leg.tap.Close()
		return nil, net.ErrClosed
	}
	return leg, nil
}

// follow learns of the end of a connection by the backend.
func (s *httpSession) follow(leg *backendLeg) {
	if leg.http3 != nil {
		context.AfterFunc(leg.http3.Done, func() { leg.tap.Close() })
	}
}
