package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/qlogwriter"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

// link leads from a connection of quic-go to what the tap read of its hello. quic-go tells the connection's first id to nobody but its
// tracer, which is therefore where the two meet.
type link struct {
	proxy.QUICLink
	socket  *socket
	addr    netip.AddrPort
	checked bool // the address is the client's own

	mu     sync.Mutex
	q      *proxy.QUIC // nil: no flow was found
	flow   *flow
	conn   *quic.Conn           // nil: not accepted yet
	shook  *tls.ConnectionState // the handshake is done, and the backend is waited for
	state  linkState
	closed bool // by us
	alert  wire.AlertDescription

	rejected bool // before any request
}

type linkState uint8

const (
	linkHandshaking linkState = iota
	linkEstablished
	linkOver
)

type linkKey struct{}

// newLink is quic-go's ConnContext.
func (s *socket) newLink(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	l := &link{socket: s, addr: addrPort(info.RemoteAddr), checked: info.AddrVerified}
	if s.isStopped() {
		return nil, errNotTapped
	}
	if !l.checked {
		s.server.handshakes.Add(1)
	}
	s.links.Add(1)
	context.AfterFunc(ctx, func() { l.over(context.Cause(ctx)) })
	// Where it finds no server, httputil.ReverseProxy does not abort an answer that its backend cut, which then looks whole.
	ctx = context.WithValue(ctx, http.ServerContextKey, s.server.inPlace)
	return l.Context(context.WithValue(ctx, linkKey{}, l)), nil
}

// traceFlow is quic-go's Tracer, which traces nothing.
func traceFlow(ctx context.Context, _ bool, id quic.ConnectionID) qlogwriter.Trace {
	if l, ok := ctx.Value(linkKey{}).(*link); ok {
		l.find(id.Bytes())
	}
	return nil
}

// find takes the flow that the tap has read.
func (l *link) find(id []byte) {
	f := l.socket.hellos.take(l.addr, id)
	if f == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.q, l.flow = f.q, f
	if l.checked {
		l.socket.unchecked.shown(l.addr)
	}
	l.Attach(f.q)
	f.attach(l)
}

// configFor is the GetConfigForClient of all listeners.
func configFor(chi *tls.ClientHelloInfo) (*tls.Config, error) {
	l, ok := chi.Context().Value(linkKey{}).(*link)
	if !ok {
		return nil, errNotTapped
	}
	l.mu.Lock()
	q := l.q
	l.mu.Unlock()
	if q == nil {
		return nil, errNotTapped
	}
	return q.Config(chi)
}

// accept takes connections from quic-go as soon as they have answered the client.
func (s *socket) accept() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		conn, err := s.listener.Accept(ctx)
		if err != nil {
			return // the listener was closed
		}
		l, ok := conn.Context().Value(linkKey{}).(*link)
		if !ok {
			_ = conn.CloseWithError(0, "")
			continue
		}
		go l.serve(conn)
	}
}

// serve waits for the end of a handshake, and answers the requests that follow.
func (l *link) serve(conn *quic.Conn) {
	select {
	case <-conn.HandshakeComplete():
	case <-conn.Context().Done():
	}
	select {
	case <-conn.HandshakeComplete():
	default:
		return
	}
	l.mu.Lock()
	q := l.q
	state := conn.ConnectionState().TLS
	l.shook = &state
	l.uncount()
	l.mu.Unlock()
	if q == nil {
		return
	}
	q.Opened()
	if l.establish(conn) {
		err := l.socket.server.http.ServeQUICConn(conn) // any other error is the connection's, which over is told
		if errors.Is(err, http.ErrServerClosed) && conn.Context().Err() == nil {
			// The end began while its handshake was done. No request was looked at: the client may send them again (RFC 9114, Section 8.1).
			l.mu.Lock()
			l.rejected = true
			l.mu.Unlock()
			_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeRequestRejected), "")
		}
		_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
}

// establish begins the session behind a handshake that was done.
func (l *link) establish(conn *quic.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != linkHandshaking || l.q == nil || !l.q.Admitted() {
		return l.state == linkEstablished
	}
	l.state, l.conn = linkEstablished, conn
	l.socket.unchecked.checked(l.addr)
	l.uncount()
	l.q.Established(*l.shook)
	l.socket.add(l)
	if l.closed {
		go l.close(l.alert)
	}
	return true
}

// uncount takes the connection out of the count of handshakes. l.mu is held.
func (l *link) uncount() {
	if !l.checked {
		l.checked = true
		l.socket.server.handshakes.Add(-1)
	}
}

// close ends the connection; alert 0: in order.
func (l *link) close(alert wire.AlertDescription) {
	l.mu.Lock()
	conn := l.conn
	l.closed, l.alert = true, alert
	l.mu.Unlock()
	if conn != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
}

// over is called when quic-go is done with a connection, whatever became of it.
func (l *link) over(cause error) {
	end := endOf(cause)
	if c := end.Close; c != nil && !end.Remote && c.Code == connectionRefused && !c.Application && l.socket.isStopped() {
		end.Type, end.Text, end.Close = inspect.ErrorShutdown, "the listener ended during the handshake", nil
	}
	l.mu.Lock()
	q := l.q
	l.mu.Unlock()
	if q != nil && q.Admitted() {
		q.Opened()
	}
	l.mu.Lock()
	l.uncount()
	state := l.state
	if l.rejected {
		end.Type, end.Text = inspect.ErrorShutdown, "the listener ended before the first request"
	}
	if l.flow != nil {
		l.flow.release()
	}
	l.state = linkOver
	if state == linkHandshaking && q != nil && q.Admitted() && (l.shook != nil || end.applications) {
		if l.shook == nil {
			// An error of HTTP/3 is not said before the handshake is done: nobody had the time to notice that it was.
			l.shook = &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, NegotiatedProtocol: "h3"}
		}
		q.Established(*l.shook)
		state = linkEstablished
	}
	l.mu.Unlock()
	switch {
	case q == nil || !q.Admitted():
	case state == linkEstablished:
		if end.Type == inspect.ErrorTimeout {
			end.Type, end.Idle = "", true // which is how most clients leave
		}
		q.Ended(end.QUICEnd)
	default:
		q.Failed(end.QUICEnd)
	}
	if state == linkHandshaking {
		l.socket.unchecked.over(l.addr)
	}
	l.socket.links.Add(-1)
	l.socket.remove(l)
}

func (s *socket) add(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[l] = struct{}{}
}

func (s *socket) remove(l *link) {
	s.mu.Lock()
	delete(s.conns, l)
	s.mu.Unlock()
	s.settle()
}

// handler answers requests in the session of their connection.
type handler struct{}

func (handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l, ok := r.Context().Value(linkKey{}).(*link); ok {
		l.mu.Lock()
		q := l.q
		l.mu.Unlock()
		q.ServeHTTP(&answer{w, l}, r)
	}
}

// ended is an end as package proxy takes it, and whether it was one of HTTP/3.
type ended struct {
	proxy.QUICEnd
	applications bool
}

// endOf reads an end from quic-go's error.
func endOf(cause error) ended {
	if cause == nil {
		return ended{}
	}
	e := ended{QUICEnd: proxy.QUICEnd{Type: inspect.ErrorOther, Text: cause.Error()}}
	var transport *quic.TransportError
	var application *quic.ApplicationError
	var idle *quic.IdleTimeoutError
	var slow *quic.HandshakeTimeoutError
	var reset *quic.StatelessResetError
	switch {
	case errors.As(cause, &application):
		e.applications, e.Remote = true, application.Remote
		if code := application.ErrorCode; code == 0 || code == quic.ApplicationErrorCode(http3.ErrCodeNoError) {
			e.Type = ""
			break
		}
		e.Type = inspect.ErrorClosed
		e.Close = inspect.NewQUICClose(side(application.Remote), true, uint64(application.ErrorCode), application.ErrorMessage)
	case errors.As(cause, &transport):
		e.Remote = transport.Remote
		e.Close = inspect.NewQUICClose(side(transport.Remote), false, uint64(transport.ErrorCode), transport.ErrorMessage)
		e.Type = inspect.ErrorClosed
		if transport.ErrorCode == quic.NoError {
			e.Type, e.Close = "", nil
		}
		if transport.ErrorCode.IsCryptoError() {
			e.Alerts, e.Alert = true, wire.AlertDescription(transport.ErrorCode)
			for _, inner := range transport.Unwrap() {
				if inner != nil && !transport.Remote && !errors.Is(inner, net.ErrClosed) {
					e.TLS = inner
				}
			}
		}
	case errors.As(cause, &idle):
		e.Type = inspect.ErrorTimeout
	case errors.As(cause, &slow):
		e.Type = inspect.ErrorTimeout
	case errors.As(cause, &reset):
		e.Type = inspect.ErrorReset
	case errors.Is(cause, context.Canceled):
		e.Type = ""
	case errors.Is(cause, net.ErrClosed):
		e.Type = inspect.ErrorShutdown
	}
	return e
}

func side(remote bool) inspect.Side {
	if remote {
		return inspect.FromClient
	}
	return inspect.FromServer
}

func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		p := u.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}
