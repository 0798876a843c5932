package proxy

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// httpFront are the HTTP servers behind all listeners in mode HTTP, one for each version that is spoken over TCP: which of them it is was
// agreed on by ALPN, and nobody may speak the other. Connections come to them with their handshake done.
type httpFront struct {
	h1, h2 *httpServer
}

type httpServer struct {
	*http.Server
	accepted *handover
	handlers handlers // of HTTP/2
}

// The most header bytes of a request.
const maxRequestHeader = 64 << 10

// The most requests that a client may ask at once over HTTP/2. Each may need a connection to the backend.
const maxStreams = 100

func newHTTPFront(limits Limits) *httpFront {
	h1 := new(http.Protocols)
	h1.SetHTTP1(true)
	return &httpFront{newHTTPServer(limits, h1), newHTTPServer(limits, protocolHTTP2())}
}

func protocolHTTP2() *http.Protocols {
	h2 := new(http.Protocols)
	h2.SetUnencryptedHTTP2(true) // which it is above the connections that are handed over
	return h2
}

func newHTTPServer(limits Limits, protocols *http.Protocols) *httpServer {
	s := &httpServer{accepted: &handover{conns: make(chan net.Conn), closed: make(chan struct{})}}
	s.Server = &http.Server{
		Handler:                      http.HandlerFunc(serveRequest),
		Protocols:                    protocols,
		ReadHeaderTimeout:            limits.Timeouts.RequestHeader,
		IdleTimeout:                  limits.Timeouts.Idle,
		MaxHeaderBytes:               maxRequestHeader,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: limits.Timeouts.Idle},
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is the backend's to answer
		ErrorLog:                     discardLog,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, sessionKey{}, conn.(*frontConn).session)
		},
	}
	go func() {
		_ = s.Serve(s.accepted) // until it is shut down
		s.handlers.end()
	}()
	return s
}

// take gives a connection to the server of its protocol; false when that has stopped.
func (f *httpFront) take(conn *frontConn) bool {
	server := f.h1
	if conn.frames != nil {
		server = f.h2
		conn.session.handlers = &server.handlers
		conn.SetReadDeadline(time.Now().Add(server.ReadHeaderTimeout)) // of the preface; who has read that lifts it
	}
	return server.accepted.hand(conn)
}

// http is the server's front, made when the first connection needs it.
func (s *Server) http() *httpFront {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.front == nil {
		s.front = newHTTPFront(s.limits())
	}
	return s.front
}

// How often connections without a request are looked for while draining. net/http takes one that is new for idle after five seconds.
const drainLook = time.Second

// drainHTTP lets requests end and closes connections without any, until ctx is done. Who was accepted before, and asks only now, is answered:
// net/http's own Shutdown would drop a request of HTTP/1 that it has read, and take no connection whose handshake ends later.
func (s *Server) drainHTTP(ctx context.Context) {
	limits := s.limits()
	s.mu.Lock()
	if s.front == nil {
		s.front = newHTTPFront(limits)
	}
	h1, h2 := s.front.h1, s.front.h2
	late := newHTTPServer(limits, protocolHTTP2())
	s.front = &httpFront{h1, late}
	s.mu.Unlock()
	// What is left when ctx ends is cut by the connections.
	s.handling.Go(func() { _ = h2.Shutdown(ctx) })
	time.AfterFunc(limits.Timeouts.ClientHandshake, func() { _ = late.Shutdown(ctx) })
	go func() {
		look := time.NewTicker(drainLook)
		defer look.Stop()
		for s.ctx.Err() == nil {
			h1.SetKeepAlivesEnabled(false) // which closes those that are idle, too
			select {
			case <-look.C:
			case <-s.ctx.Done():
			}
		}
		_ = h1.Close()
		_ = late.Close()
	}()
}

// handover is the listener of an HTTP server: what was accepted elsewhere is handed to it.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

// hand gives a connection to the server; false when that has stopped.
func (h *handover) hand(conn net.Conn) bool {
	select {
	case h.conns <- conn:
		return true
	case <-h.closed:
		return false
	}
}

type sessionKey struct{}

func serveRequest(w http.ResponseWriter, r *http.Request) {
	s := r.Context().Value(sessionKey{}).(*httpSession)
	if s.handlers != nil {
		s.handlers.serve(s, w, r)
		return
	}
	s.serve(w, r)
}
