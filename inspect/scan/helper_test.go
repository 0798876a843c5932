package scan

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// answer is what a server does with a hello.
type answer = servertest.Reaction

const (
	goOn     = servertest.Pass
	closes   = servertest.Close
	isSilent = servertest.Silence
)

// Alerts.
var (
	alerts   = servertest.Alert(wire.AlertHandshakeFailure)
	stumbles = servertest.Alert(wire.AlertInternalError)
)

// server is crypto/tls behind something that looks at each hello first.
type server struct {
	address  string
	accepted atomic.Int32
}

// serve starts one. judge sees the hello.
func serve(t *testing.T, config *tls.Config, judge func(hello *wire.ClientHello) answer) *server {
	t.Helper()
	if config == nil {
		config = &tls.Config{}
	}
	if config.Certificates == nil {
		config.Certificates = []tls.Certificate{certificate(t)}
	}
	s := &server{}
	s.address = listen(t, func(c net.Conn) {
		s.accepted.Add(1)
		hello, err := servertest.ReadHello(c)
		if err != nil || hello.Message.SSLv2 {
			return
		}
		if does := judge(&hello.ClientHello); does != goOn {
			servertest.React(c, does)
			return
		}
		conn := tls.Server(servertest.Replayed(c, hello.Raw), config)
		if conn.Handshake() == nil {
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		}
		conn.Close()
	})
	return s
}

func goesOn(*wire.ClientHello) answer { return goOn }

// listen calls handle for each connection, and ends when the test does.
func listen(t *testing.T, handle func(c net.Conn)) string {
	t.Helper()
	return servertest.Serve(t, func(_ int, c net.Conn) { handle(c) })
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	return servertest.ECDSA(t, "localhost").Certificate
}

// scanned scans an address as a command would.
func scanned(t *testing.T, address string) *Report {
	t.Helper()
	s := &Scanner{Client: &probe.Client{Timeouts: probe.Timeouts{Answer: time.Second, Finish: time.Second}}}
	return s.Address(context.Background(), Target{Endpoint: probe.Target{Address: address}, ServerName: "localhost"})
}

// has wants a finding with a severity; "" is any.
func has(t *testing.T, r *Report, id string) {
	t.Helper()
	var ids []string
	for _, f := range r.Findings() {
		if f.ID == id {
			return
		}
		ids = append(ids, f.ID)
	}
	t.Errorf("no finding %s among %v", id, ids)
}
