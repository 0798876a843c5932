package inspect_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// said is what one side sent at once.
type said struct {
	from inspect.Side
	data []byte
}

// transcript is a connection as it went over the wire, in the order of sending.
type transcript []said

// replay feeds a transcript to an observer.
func (tr transcript) replay(o *inspect.Observer) *inspect.Observer {
	for _, s := range tr {
		o.Feed(s.from, s.data, time.Time{})
	}
	return o
}

// recorder writes down what is written.
type recorder struct {
	net.Conn
	from inspect.Side
	mu   *sync.Mutex
	tr   *transcript
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	*r.tr = append(*r.tr, said{r.from, append([]byte(nil), b...)})
	r.mu.Unlock()
	return r.Conn.Write(b)
}

// handshake lets crypto/tls speak with itself: a handshake, "ping" and "pong" when it succeeded, close.
func handshake(tb testing.TB, client, server *tls.Config) transcript {
	tb.Helper()
	var tr transcript
	var mu sync.Mutex
	a, b := connection(tb)
	c := tls.Client(&recorder{a, inspect.FromClient, &mu, &tr}, client)
	s := tls.Server(&recorder{b, inspect.FromServer, &mu, &tr}, server)
	var served sync.WaitGroup
	served.Go(func() {
		defer b.Close()
		buf := make([]byte, 4)
		if _, err := io.ReadFull(s, buf); err == nil {
			_, _ = s.Write([]byte("pong"))
			_, _ = io.Copy(io.Discard, s)
		}
	})
	if _, err := c.Write([]byte("ping")); err == nil {
		_, _ = io.ReadFull(c, make([]byte, 4))
		_ = c.CloseWrite()
	}
	_ = a.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, a)
	a.Close()
	served.Wait()
	return tr
}

// connection is a TCP connection's two ends: with a pipe, both sides would wait for the other to read.
func connection(tb testing.TB) (client, server net.Conn) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	if server, err = listener.Accept(); err != nil {
		tb.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	_ = client.SetDeadline(deadline)
	_ = server.SetDeadline(deadline)
	return client, server
}

// identity is a self-signed certificate for name.
func identity(tb testing.TB, name string) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x0AF3), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(4000000000, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// pair are configurations of a client and a server that get along.
func pair(tb testing.TB, version uint16) (client, server *tls.Config) {
	tb.Helper()
	id := identity(tb, "api.example.com")
	roots := x509.NewCertPool()
	roots.AddCert(id.Leaf)
	client = &tls.Config{ServerName: "api.example.com", RootCAs: roots, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}}
	server = &tls.Config{Certificates: []tls.Certificate{id}, MaxVersion: version, NextProtos: []string{"http/1.1"}}
	return client, server
}

// transcripts are connections of several kinds, by name.
func transcripts(tb testing.TB) map[string]transcript {
	tb.Helper()
	all := map[string]transcript{}
	client, server := pair(tb, tls.VersionTLS13)
	all["TLS 1.3"] = handshake(tb, client, server)
	server.CurvePreferences = []tls.CurveID{tls.CurveP384}
	all["HelloRetryRequest"] = handshake(tb, client, server)
	server.CurvePreferences = nil
	distrusting := client.Clone()
	distrusting.RootCAs = x509.NewCertPool()
	all["TLS 1.3, certificate refused"] = handshake(tb, distrusting, server)

	client, server = pair(tb, tls.VersionTLS12)
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	all["TLS 1.2"] = handshake(tb, client, server)
	all["TLS 1.2 resumed by ticket"] = handshake(tb, client, server)
	client, server = pair(tb, tls.VersionTLS12)
	client.Certificates = []tls.Certificate{identity(tb, "client")}
	server.ClientAuth = tls.RequireAnyClientCert
	server.ClientCAs = x509.NewCertPool()
	server.ClientCAs.AddCert(client.Certificates[0].Leaf)
	all["TLS 1.2 with a client certificate"] = handshake(tb, client, server)
	distrusting = client.Clone()
	distrusting.RootCAs = x509.NewCertPool()
	all["TLS 1.2, certificate refused"] = handshake(tb, distrusting, server)
	client.MaxVersion, client.MinVersion, server.MinVersion, server.MaxVersion = tls.VersionTLS11, tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS12
	all["no common version"] = handshake(tb, client, server)
	return all
}

// message is a handshake message.
func message(kind byte, body ...byte) []byte {
	n := len(body)
	return append([]byte{kind, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// record is one record.
func record(kind byte, payload ...byte) []byte {
	n := len(payload)
	return append([]byte{kind, 3, 3, byte(n >> 8), byte(n)}, payload...)
}

// records are payload in as many handshake records as it needs.
func records(payload []byte) []byte {
	var b []byte
	for len(payload) > 0 {
		n := min(len(payload), 1<<14)
		b = append(b, record(22, payload[:n]...)...)
		payload = payload[n:]
	}
	return b
}

// serverHello is a ServerHello of TLS 1.2 with that session id, or of TLS 1.3 with more extensions.
func serverHello(suite uint16, sessionID []byte, extensions ...byte) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(append(body, byte(len(sessionID))), sessionID...)
	body = append(body, byte(suite>>8), byte(suite), 0)
	if extensions != nil {
		body = append(append(body, byte(len(extensions)>>8), byte(len(extensions))), extensions...)
	}
	return record(22, message(2, body...)...)
}

// clientHello is a small ClientHello of TLS 1.2 with that session id and those extensions.
func clientHello(sessionID []byte, extensions ...byte) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(append(body, byte(len(sessionID))), sessionID...)
	body = append(body, 0, 4, 0x13, 0x01, 0xC0, 0x2B, 1, 0)
	body = append(append(body, byte(len(extensions)>>8), byte(len(extensions))), extensions...)
	return record(22, message(1, body...)...)
}

// Extensions for the two.
var (
	selectsTLS13 = []byte{0, 43, 0, 2, 3, 4}
	offersTLS13  = []byte{0, 43, 0, 3, 2, 3, 4}
	earlyData    = []byte{0, 42, 0, 0}
	emptyTicket  = []byte{0, 35, 0, 0}
)

func joined(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
