package scan

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// answer is what a server does with a hello.
type answer int

const (
	goOn answer = iota
	closes
	isSilent
	alerts   // handshake_failure
	stumbles // internal_error
)

// server is crypto/tls behind something that looks at each hello first.
type server struct {
	t        *testing.T
	address  string
	accepted atomic.Int32
}

// serve starts one. judge sees the hello and the bytes of its message.
func serve(t *testing.T, config *tls.Config, judge func(hello *wire.ClientHello) answer) *server {
	t.Helper()
	if config == nil {
		config = &tls.Config{}
	}
	if config.Certificates == nil {
		config.Certificates = []tls.Certificate{certificate(t)}
	}
	s := &server{t: t}
	s.address = listen(t, func(c net.Conn) {
		s.accepted.Add(1)
		head, message := readHello(c)
		var hello wire.ClientHello
		if len(message) == 0 || wire.ParseClientHello(message, &hello) != nil {
			return
		}
		switch answered := judge(&hello); answered {
		case closes:
			return
		case isSilent:
			_, _ = io.Copy(io.Discard, c) // until the client gives up
			return
		case alerts, stumbles:
			_, _ = c.Write([]byte{21, 3, 1, 0, 2, 2, map[bool]byte{false: byte(wire.AlertHandshakeFailure), true: byte(wire.AlertInternalError)}[answered == stumbles]})
			_, _ = io.Copy(io.Discard, c)
			return
		}
		conn := tls.Server(&replayed{Conn: c, head: bytes.NewReader(head)}, config)
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				handle(c)
			}()
		}
	}()
	return l.Addr().String()
}

// readHello reads records until the first handshake message is whole.
func readHello(c net.Conn) (head, message []byte) {
	for {
		header := make([]byte, 5)
		if _, err := io.ReadFull(c, header); err != nil || header[0] != 22 {
			return append(head, header...), nil
		}
		payload := make([]byte, int(header[3])<<8|int(header[4]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return head, nil
		}
		head = append(append(head, header...), payload...)
		message = append(message, payload...)
		if len(message) >= 4 {
			if n := 4 + int(message[1])<<16 + int(message[2])<<8 + int(message[3]); len(message) >= n {
				return head, message[:n]
			}
		}
	}
}

// replayed is a connection of which the beginning was read already.
type replayed struct {
	net.Conn
	head *bytes.Reader
}

func (r *replayed) Read(b []byte) (int, error) {
	n, err := r.head.Read(b)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	return r.Conn.Read(b)
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
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
