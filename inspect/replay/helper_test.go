package replay

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/clients"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
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
	address := servertest.Serve(t, func(_ int, conn net.Conn) { answer(conn) })
	return Target{Label: address, Target: probe.Target{Address: address}}
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
	return servertest.ECDSA(t, "localhost").Certificate
}

// hello reads a client's hello.
func hello(conn net.Conn) (*wire.ClientHello, error) {
	h, err := servertest.ReadHello(conn)
	if err != nil {
		return nil, err
	}
	return &h.ClientHello, nil
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
