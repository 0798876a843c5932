package proxy

import (
	"crypto/tls"
	"io"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
)

// Whether a client left without a byte is in the record: with the certificate that it was shown, that is all that is to be known of one that
// looks at it behind the handshake.
func TestSilentClientsAreRecorded(t *testing.T) {
	pki := certstest.New(t)
	answer := "HTTP/1.1 204 No Content\r\n\r\n"
	greet := func(c *tls.Conn) { io.WriteString(c, answer); io.Copy(io.Discard, c) }
	serve := func(c *tls.Conn) { io.ReadFull(c, make([]byte, 4)); greet(c) }
	leaves := func(c *tls.Conn) {}
	asks := func(c *tls.Conn) {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+testName+"\r\n\r\n")
		io.ReadFull(c, make([]byte, len(answer)))
	}
	for _, tt := range []struct {
		name    string
		mode    Mode
		backend func(*tls.Conn)
		client  func(*tls.Conn)
		offers  []string
		silent  bool
	}{
		{"bridge", Bridge, discard, leaves, nil, true},
		{"bridge, data", Bridge, serve, asks, nil, false},
		{"bridge, data of the backend", Bridge, greet, func(c *tls.Conn) { io.ReadFull(c, make([]byte, len(answer))) }, nil, false},
		{"bridge, the backend ends", Bridge, func(*tls.Conn) {}, func(c *tls.Conn) { io.Copy(io.Discard, c) }, nil, false},
		{"http", HTTP, discard, leaves, nil, true},
		{"http, data", HTTP, serve, asks, nil, false},
		{"http, HTTP/2", HTTP, discard, leaves, []string{"h2"}, true},
		{"http, HTTP/2, data", HTTP, discard, func(c *tls.Conn) {
			io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
			io.ReadFull(c, make([]byte, 1))
		}, []string{"h2"}, false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+", "+tls.VersionName(version), func(t *testing.T) {
				r := bridged(t, pki, tlsBackend(t, pki, tt.backend), func(l *Listener) { l.Mode = tt.mode })
				c := r.tls(only(version), protocols(tt.offers...))
				tt.client(c)
				c.CloseWrite()
				io.Copy(io.Discard, c)
				c.Close()
				leg := r.record().ClientLeg
				if leg.Silent != tt.silent || len(leg.TLS.Server.CertificateChain) == 0 {
					t.Errorf("silent: %v, %d certificates, %q", leg.Silent, len(leg.TLS.Server.CertificateChain), leg.PeerEnd)
				}
			})
		}
	}
}
