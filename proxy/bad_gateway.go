package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// RecordIDHeader carries the id of the record on a page that this proxy made itself.
const RecordIDHeader = "X-Tlstriage-Record"

// protocolForErrorPage is the ALPN protocol to agree on with a client whose backend failed: one in which the failure can be
// told, else what the client asks for first.
func protocolForErrorPage(offered []string) string {
	for _, want := range []string{"http/1.1", "h2", "http/1.0"} {
		for _, p := range offered {
			if p == want {
				return p
			}
		}
	}
	if len(offered) > 0 {
		return offered[0]
	}
	return ""
}

// speaksHTTP reports whether a failure can be told in an ALPN protocol; without one the client's first bytes decide.
func speaksHTTP(protocol string) bool {
	switch protocol {
	case "h2", "http/1.1", "http/1.0", "":
		return true
	}
	return false
}

// badGateway tells a client whose backend leg failed: 502 for HTTP; for anything else the end of the connection without a
// close_notify, which is no clean one. The page names the record only; the diagnosis is the operator's.
func (c *connection) badGateway() {
	limit := c.limits.Timeouts.BadGateway
	late := time.AfterFunc(2*limit, func() { c.conn.Close() }) // whatever the client keeps asking
	defer late.Stop()
	if speaksHTTP(c.clientState.NegotiatedProtocol) {
		page := &pageConn{Conn: c.clientTLS, r: bufio.NewReaderSize(c.clientTLS, 4096)}
		page.SetReadDeadline(time.Now().Add(limit))
		if first, _ := page.r.Peek(8); len(first) > 0 && looksLikeHTTP(first) {
			c.servePage(page)
		}
	}
	c.failClient()
}

func looksLikeHTTP(first []byte) bool {
	for _, method := range []string{"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "PRI * HT"} {
		if n := min(len(method), len(first)); bytes.HasPrefix(first, []byte(method[:n])) {
			return true
		}
	}
	return false
}

// pageConn is the client's connection as the HTTP server sees it: what was peeked is read first, and its end is a
// close_notify, after which the TCP connection lingers, so that a client that is still sending gets to see the page.
type pageConn struct {
	net.Conn
	r *bufio.Reader
}

func (p *pageConn) Read(b []byte) (int, error) { return p.r.Read(b) }

func (p *pageConn) Close() error {
	p.Conn.(*tls.Conn).CloseWrite()
	return p.Conn.SetReadDeadline(time.Unix(1, 0)) // who still reads stops
}

// servePage answers one request (or the streams of one HTTP/2 connection) with 502.
func (c *connection) servePage(conn net.Conn) {
	listener := &oneConn{conn: conn, closed: make(chan struct{})}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // which it is above this connection
	server := &http.Server{
		Handler:           http.HandlerFunc(c.page),
		Protocols:         &protocols,
		ReadHeaderTimeout: c.limits.Timeouts.BadGateway,
		ReadTimeout:       c.limits.Timeouts.BadGateway,
		WriteTimeout:      c.limits.Timeouts.BadGateway,
		IdleTimeout:       c.limits.Timeouts.Linger,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          discardLog,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				listener.Close()
			}
		},
	}
	server.SetKeepAlivesEnabled(false)
	_ = server.Serve(listener) // ends with its only connection
}

func (c *connection) page(w http.ResponseWriter, _ *http.Request) {
	writePage(w, http.StatusBadGateway, c.record.Event.ID)
}

// lateBadGateway writes the page when the backend ended an established leg before its first byte (a TLS 1.3 backend refuses
// our client certificate only then). Only HTTP/1.1 can be told so: agreed on, or spoken where nothing was agreed on.
func (c *connection) lateBadGateway() {
	if p := c.clientState.NegotiatedProtocol; p != "http/1.1" && !(p == "" && c.askedInHTTP.Load()) {
		return
	}
	text := pageText(http.StatusBadGateway, c.record.Event.ID)
	c.client.Conn.SetWriteDeadline(time.Now().Add(c.limits.Timeouts.Linger))
	fmt.Fprintf(c.clientTLS, "HTTP/1.1 502 Bad Gateway\r\n%s: %s\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		RecordIDHeader, c.record.Event.ID, len(text), text)
	c.clientTLS.CloseWrite()
}

// oneConn is a net.Listener for http.Server that accepts one connection and then waits for its end.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
