package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// noting notes in a transcript what goes through a connection, as a tap does.
type noting struct {
	net.Conn
	kept *transcript
	mu   *sync.Mutex
	wire *bytes.Buffer // all that went through
}

func (n noting) note(from inspect.Side, b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wire.Write(b)
	n.kept.add(from, b, time.Unix(1, 0))
}

func (n noting) Read(b []byte) (int, error) {
	count, err := n.Conn.Read(b)
	n.note(inspect.FromClient, b[:count])
	return count, err
}

func (n noting) Write(b []byte) (int, error) {
	n.note(inspect.FromServer, b)
	return n.Conn.Write(b)
}

// TestTranscriptHasNoApplicationData has clients that send a request together with the end of their handshake, and looks whether
// the transcript, with the secrets that it has, holds what they asked for.
func TestTranscriptHasNoApplicationData(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			var log bytes.Buffer
			kept := newTranscript(&log)
			near, far := net.Pipe()
			defer near.Close()
			defer far.Close()
			var seen bytes.Buffer
			server := tls.Server(noting{far, kept, new(sync.Mutex), &seen}, &tls.Config{
				Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: version, KeyLogWriter: kept,
			})
			request := bytes.Repeat([]byte("Cookie: secret\r\n"), 20)
			go func() {
				client := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
				if _, err := client.Write(request); err == nil {
					_, _ = io.Copy(io.Discard, client)
				}
			}()
			if err := server.Handshake(); err != nil {
				t.Fatal(err)
			}
			kept.established()
			if _, err := io.ReadFull(server, make([]byte, len(request))); err != nil {
				t.Fatal(err)
			}
			if _, err := server.Write(request); err != nil {
				t.Fatal(err)
			}
			e := kept.exchange(netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:443"))
			total := 0
			for _, chunk := range e.Chunks {
				total += len(chunk.Data)
			}
			if missing := seen.Len() - total; missing < 2*len(request) || !e.Truncated || total < 500 {
				t.Errorf("%d of %d bytes are kept", total, seen.Len())
			}
			secrets := string(e.KeyLog)
			if strings.Contains(secrets, "TRAFFIC_SECRET_0") || strings.Contains(secrets, "EXPORTER") || !strings.Contains(secrets, "_HANDSHAKE_") && !strings.Contains(secrets, "CLIENT_RANDOM") {
				t.Errorf("secrets: %s", secrets)
			}
			if version == tls.VersionTLS13 && !strings.Contains(log.String(), "TRAFFIC_SECRET_0") {
				t.Errorf("the file of secrets: %s", log.String())
			}
		})
	}
}

// TestHandshakeCutInAnyPieces cuts the same bytes wherever they are divided.
func TestHandshakeCutInAnyPieces(t *testing.T) {
	record := func(kind byte, n int) []byte {
		return append([]byte{kind, 3, 3, byte(n >> 8), byte(n)}, make([]byte, n)...)
	}
	handshake := append(record(22, 300), append(record(20, 1), record(22, 40)...)...)
	all := append(append(append([]byte(nil), handshake...), record(23, 200)...), record(21, 26)...)
	for size := 1; size <= len(all); size++ {
		cut := handshakeCut{data: true}
		got := 0
		for b := all; len(b) > 0; {
			n := min(size, len(b))
			got += cut.keep(inspect.FromClient, b[:n], false)
			b = b[n:]
		}
		if got < len(handshake) || got >= len(handshake)+recordHeader { // a divided header may have begun
			t.Errorf("in pieces of %d: %d bytes are kept, want %d", size, got, len(handshake))
		}
	}
	cut := handshakeCut{}
	if n := cut.keep(inspect.FromServer, record(23, 19), true); n != 24 {
		t.Errorf("an alert: %d", n)
	}
	if n := cut.keep(inspect.FromServer, record(23, 20), true); n != 0 {
		t.Errorf("data: %d", n)
	}
	cut = handshakeCut{}
	if n := cut.keep(inspect.FromClient, []byte("GET / HTTP/1.1\r\n"), true); n != 0 {
		t.Errorf("no TLS: %d", n)
	}
}
