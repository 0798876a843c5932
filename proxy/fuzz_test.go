package proxy

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// FuzzClient sends any bytes in any segments to a server with a backend. Each connection ends by itself and gives one record.
func FuzzClient(f *testing.F) {
	pki := certstest.New(f)
	limits := Limits{Timeouts: Timeouts{
		ProxyProtocol: 100 * time.Millisecond, ClientHello: 100 * time.Millisecond, Dial: time.Second, BackendHandshake: time.Second,
		ClientHandshake: 100 * time.Millisecond, BadGateway: 100 * time.Millisecond, Idle: 100 * time.Millisecond, Linger: 20 * time.Millisecond,
	}}
	backend := tlsBackend(f, pki, echo)
	route := func() *Route {
		return &Route{Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}
	}
	listeners := []*Listener{
		{Name: "bridge", Routes: []*Route{route()}},
		{Name: "passthrough", Mode: Passthrough, Routes: []*Route{route()}},
		{Name: "header", ProxyProtocol: &TrustedPeers{}, Fallback: true, Routes: []*Route{route()}},
	}
	r := newRig(f, pki, limits, listeners...)

	hello := helloOf(f, &tls.Config{ServerName: testName, NextProtos: []string{"h2"}})
	f.Add([]byte{}, uint8(0), uint8(0))
	f.Add(hello, uint8(0), uint8(0))
	f.Add(hello, uint8(1), uint8(7))
	f.Add(fragmented(hello, 9), uint8(0), uint8(3))
	f.Add(append([]byte("PROXY TCP4 192.0.2.9 198.51.100.1 51234 443\r\n"), hello...), uint8(2), uint8(0))
	f.Add([]byte(v2Signature+"\x21\x11\x00\x0c\xc0\x00\x02\x09\xc6\x33\x64\x01\xc8\x22\x01\xbb"), uint8(2), uint8(1))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint8(1), uint8(0))
	f.Add(withExtension(hello, 42, nil), uint8(2), uint8(0))
	f.Add(append(append([]byte{}, hello...), 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 2, 0, 0), uint8(0), uint8(100))
	f.Fuzz(func(t *testing.T, b []byte, which, segment uint8) {
		if len(b) > 100_000 {
			return
		}
		l := listeners[int(which)%len(listeners)]
		conn, err := net.Dial("tcp", r.at(l))
		if err != nil {
			t.Skip(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		size := int(segment)
		if size == 0 {
			size = 1 << 20
		}
		(&slicer{conn.(*net.TCPConn), max(size, len(b)/64)}).Write(b)
		conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
			t.Errorf("the connection ended with %v", err)
		}
		select {
		case c := <-r.records:
			if c.Listener != l.Name || c.ClientLeg == nil || c.Event.ID == "" || c.Event.Outcome == "" {
				t.Errorf("record %+v", c)
			}
			if c.Event.Outcome == inspect.Failure && c.ClientLeg.Error == nil && errorOf(c.BackendLeg) == nil {
				t.Errorf("a failure without a reason: %+v", c.ClientLeg)
			}
		case <-time.After(patience):
			t.Fatal("no record came")
		}
		select {
		case c := <-r.records:
			t.Errorf("a second record: %+v", c)
		default:
		}
	})
}
