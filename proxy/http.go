package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// httpFront is the HTTP server behind all listeners in mode HTTP. Connections come to it with their handshake done.
type httpFront struct {
	server   *http.Server
	accepted *handover
}

// The most header bytes of a request.
const maxRequestHeader = 64 << 10

func newHTTPFront(limits Limits) *httpFront {
	f := &httpFront{accepted: &handover{conns: make(chan net.Conn), closed: make(chan struct{})}}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	f.server = &http.Server{
		Handler:           http.HandlerFunc(serveRequest),
		Protocols:         &protocols,
		ReadHeaderTimeout: limits.Timeouts.RequestHeader,
		IdleTimeout:       limits.Timeouts.Idle,
		MaxHeaderBytes:    maxRequestHeader,
		ErrorLog:          discardLog,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, sessionKey{}, conn.(*tls.Conn).NetConn().(*tap).session)
		},
	}
	go func() { _ = f.server.Serve(f.accepted) }() // until it is shut down
	return f
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

// drainHTTP lets requests end and closes connections without any, until ctx is done.
func (s *Server) drainHTTP(ctx context.Context) {
	s.mu.Lock()
	front := s.front
	s.mu.Unlock()
	if front != nil {
		s.handling.Go(func() { _ = front.server.Shutdown(ctx) }) // what is left when ctx ends is cut by the connections
	}
}

// handover is the listener of an httpFront: what was accepted elsewhere is handed to it.
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
	r.Context().Value(sessionKey{}).(*httpSession).serve(w, r)
}
