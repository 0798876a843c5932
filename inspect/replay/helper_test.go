package replay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// samples are subjects of the gallery.
func samples(t testing.TB, list string) []*Subject {
	t.Helper()
	chosen, err := clients.Select(list)
	if err != nil {
		t.Fatal(err)
	}
	subjects, err := FromSamples(chosen)
	if err != nil {
		t.Fatal(err)
	}
	return subjects
}

// serve answers connections until the test ends; the connection is closed when answer returns.
func serve(t testing.TB, answer func(net.Conn)) Target {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				answer(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		open.Wait()
	})
	return Target{Label: listener.Addr().String(), Target: probe.Target{Address: listener.Addr().String()}}
}

// serveTLS is an endpoint of crypto/tls.
func serveTLS(t testing.TB, config *tls.Config) Target {
	t.Helper()
	if config.Certificates == nil {
		config.Certificates = []tls.Certificate{certificate(t)}
	}
	return serve(t, func(conn net.Conn) { _ = tls.Server(conn, config).Handshake() })
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// hello reads a client's hello.
func hello(conn net.Conn) (*wire.ClientHello, error) {
	reader := wire.Reader{FromClient: true}
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Read(buf)
		reader.Feed(buf[:n])
		var m wire.Message
		if reader.Next(&m) {
			h := new(wire.ClientHello)
			parse := wire.ParseClientHello
			if m.SSLv2 {
				parse = wire.ParseSSLv2ClientHello
			}
			return h, parse(append([]byte(nil), m.Bytes...), h)
		}
		if err != nil {
			return nil, errors.Join(err, reader.Err())
		}
	}
}

// alert is what a server refuses with.
func alert(conn net.Conn, description byte) {
	_, _ = conn.Write([]byte{21, 3, 3, 0, 2, 2, description})
}

// reset ends a connection with RST.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// silent reads until the client goes.
func silent(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// writePair writes a certificate and its key as cert.pem and key.pem.
func writePair(t testing.TB, dir string, pair tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
