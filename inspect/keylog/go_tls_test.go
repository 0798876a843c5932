package keylog_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/keylog"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// certificates are one of RSA and one of ECDSA.
func certificates(t *testing.T) []tls.Certificate {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"test"}}
	rsaDER, err := x509.CreateCertificate(rand.Reader, template, template, rsaKey.Public(), rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.CreateCertificate(rand.Reader, template, template, ecKey.Public(), ecKey)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{{Certificate: [][]byte{rsaDER}, PrivateKey: rsaKey}, {Certificate: [][]byte{ecDER}, PrivateKey: ecKey}}
}

// talk makes a connection in which each side says something, and gives what went over the wire. The client's error is returned.
func talk(t *testing.T, client, server *tls.Config) (streams [2][]byte, err error) {
	t.Helper()
	a, b := loopback(t)
	tapped := &tap{Conn: a}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		s := tls.Server(b, server)
		buf := make([]byte, len("hello"))
		if _, err := io.ReadFull(s, buf); err != nil {
			return
		}
		_, _ = s.Write(append([]byte("heard "), buf...)) // the test sees what arrived
		_ = s.Close()
	}()
	c := tls.Client(tapped, client)
	if _, err = c.Write([]byte("hello")); err == nil {
		_, err = io.ReadAll(c)
	} else {
		_, _ = io.Copy(io.Discard, tapped) // who is refused may not be able to write, and is told why all the same
	}
	_ = c.Close()
	_ = a.Close()
	<-done
	return [2][]byte{tapped.sent.Bytes(), tapped.read.Bytes()}, err
}

// loopback are both ends of a connection. A pipe would not do: both sides may write at once.
func loopback(t *testing.T) (a, b net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if a, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

func TestEverySuiteOfGo(t *testing.T) {
	certs := certificates(t)
	suites := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	seen := 0
	for _, suite := range suites {
		for _, version := range suite.SupportedVersions {
			t.Run(suite.Name+"/"+tls.VersionName(version), func(t *testing.T) {
				var log bytes.Buffer
				// Which suite of TLS 1.3 is chosen cannot be said to Go.
				client := &tls.Config{
					InsecureSkipVerify: true, KeyLogWriter: &log, MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite.ID},
				}
				server := &tls.Config{Certificates: certs, MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite.ID}}
				streams, err := talk(t, client, server)
				if err != nil {
					t.Fatal(err)
				}
				var store keylog.Store
				if err := store.AddAll(log.Bytes()); err != nil {
					t.Fatal(err)
				}
				c, sides := check(t, &store, streams, [2]string{"hello", "heard hello"})
				if version != tls.VersionTLS13 && c.Suite != suite.ID {
					t.Fatalf("suite %04X was negotiated", c.Suite)
				}
				if n := len(sides[1].alerts); n != 1 || sides[1].alerts[0] != wire.AlertCloseNotify {
					t.Errorf("the server's alerts are %v, want close_notify", sides[1].alerts)
				}
				seen++
			})
		}
	}
	if seen < 40 {
		t.Errorf("only %d connections", seen)
	}
}

func TestEncryptedAlertsAndClientCertificatesBecomeVisible(t *testing.T) {
	certs := certificates(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			var log bytes.Buffer
			client := &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log, MinVersion: version, Certificates: certs[1:]}
			server := &tls.Config{
				Certificates: certs, MaxVersion: version, ClientAuth: tls.RequireAnyClientCert,
				VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { return errors.New("not this one") },
			}
			streams, err := talk(t, client, server)
			if err == nil {
				t.Fatal("the server was to refuse the client")
			}
			var store keylog.Store
			if err := store.AddAll(log.Bytes()); err != nil {
				t.Fatal(err)
			}
			c, err := negotiated(streams)
			if err != nil {
				t.Fatal(err)
			}
			if version == tls.VersionTLS12 {
				return // it is all in the clear
			}
			fromClient, err := open(&store, c, keylog.FromClient, streams[0])
			if err != nil {
				t.Fatal(err)
			}
			if fromClient.handshakes[wire.HandshakeTypeCertificate] != 1 || !bytes.Contains(fromClient.handshake.Bytes(), certs[1].Certificate[0]) {
				t.Errorf("the client's messages are %v", fromClient.handshakes)
			}
			fromServer, err := open(&store, c, keylog.FromServer, streams[1])
			if err != nil {
				t.Fatal(err)
			}
			if len(fromServer.alerts) == 0 || fromServer.alerts[0] != wire.AlertBadCertificate {
				t.Errorf("the server's alerts are %v, want bad_certificate", fromServer.alerts)
			}
		})
	}
}
