package quicwire_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/quic"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// sent is a datagram that a side sent.
type sent struct {
	from    quicwire.Side
	payload []byte
}

// tap is the client's socket, which keeps what goes either way.
type tap struct {
	net.PacketConn
	mu  sync.Mutex
	all []sent
}

func (c *tap) keep(from quicwire.Side, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, sent{from, bytes.Clone(b)})
}

func (c *tap) ReadFrom(b []byte) (int, net.Addr, error) {
	n, a, err := c.PacketConn.ReadFrom(b)
	if err == nil {
		c.keep(quicwire.FromServer, b[:n])
	}
	return n, a, err
}

func (c *tap) WriteTo(b []byte, a net.Addr) (int, error) {
	c.keep(quicwire.FromClient, b)
	return c.PacketConn.WriteTo(b, a)
}

// certificate is one for the name test.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// connect makes a connection, which the client ends with an error of the application, and gives its datagrams and the key log.
func connect(t *testing.T, client *tls.Config, server *quic.Config) (datagrams []sent, log string) {
	t.Helper()
	var keys bytes.Buffer
	client.KeyLogWriter, client.MinVersion, client.ServerName = &keys, tls.VersionTLS13, "test"
	listener, err := quic.Listen("udp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tapped := &tap{PacketConn: socket}
	endpoint, err := quic.NewEndpoint(tapped, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		c, err := listener.Accept(ctx)
		if err != nil {
			return
		}
		if stream, err := c.NewSendOnlyStream(ctx); err == nil {
			_, _ = stream.Write([]byte("hello")) // the client's next step
			_ = stream.Close()
		}
		_ = c.Wait(ctx) // the client's close
	}()
	if c, err := endpoint.Dial(ctx, "udp", listener.LocalAddr().String(), &quic.Config{TLSConfig: client}); err == nil {
		// What the server says confirms the handshake: before, a close hides the application's error (RFC 9000, Section 10.2.3).
		if stream, err := c.AcceptStream(ctx); err == nil {
			_, _ = io.ReadAll(stream)
		}
		c.Abort(&quic.ConnectionCloseError{Code: 7, Reason: "enough"})
		_ = c.Wait(ctx)
		<-accepted
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	_ = endpoint.Close(stopped) // with nothing to wait for
	_ = listener.Close(stopped)
	<-accepted
	tapped.mu.Lock()
	defer tapped.mu.Unlock()
	return slices.Clone(tapped.all), keys.String()
}

// secretsOf finds secrets in a key log.
func secretsOf(log string) func([]byte) quicwire.Secrets {
	return func(random []byte) (s quicwire.Secrets) {
		for line := range strings.Lines(log) {
			fields := strings.Fields(line)
			if len(fields) != 3 || fields[1] != hex.EncodeToString(random) {
				continue
			}
			secret, _ := hex.DecodeString(fields[2])
			switch fields[0] {
			case "CLIENT_HANDSHAKE_TRAFFIC_SECRET":
				s.ClientHandshake = secret
			case "SERVER_HANDSHAKE_TRAFFIC_SECRET":
				s.ServerHandshake = secret
			case "CLIENT_TRAFFIC_SECRET_0":
				s.ClientTraffic = secret
			case "SERVER_TRAFFIC_SECRET_0":
				s.ServerTraffic = secret
			}
		}
		return s
	}
}

// read feeds datagrams to a flow and lists the messages.
func read(f *quicwire.Flow, all []sent) (messages []string, err error) {
	var m quicwire.Message
	for _, d := range all {
		if e := f.Datagram(d.from, d.payload); e != nil && err == nil {
			err = e
		}
		for f.Next(&m) {
			messages = append(messages, fmt.Sprintf("%s %s %d", m.From, m.Level, m.Type))
		}
	}
	return messages, err
}

// handshake is what a handshake has, in its order: without a client certificate.
func handshake() []string {
	return []string{
		"client Initial 1", "server Initial 2", "server Handshake 8", "server Handshake 11", "server Handshake 15", "server Handshake 20", "client Handshake 20",
	}
}

func TestSecretsOpenTheHandshake(t *testing.T) {
	cert := certificate(t)
	for _, retry := range []bool{false, true} {
		t.Run(fmt.Sprintf("retry %v", retry), func(t *testing.T) {
			server := &quic.Config{TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, NextProtos: []string{"a"}}, RequireAddressValidation: retry}
			all, log := connect(t, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"a"}}, server)
			f := &quicwire.Flow{Secrets: secretsOf(log)}
			got, err := read(f, all)
			if err != nil {
				t.Error(err)
			}
			got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "server 1-RTT 4") }) // tickets
			if !slices.Equal(got, handshake()) {
				t.Errorf("messages %q, want %q", got, handshake())
			}
			if r := f.Retry(); (r != nil) != retry || retry && (!r.Valid || r.TokenLength == 0) {
				t.Errorf("retry %+v", r)
			}
			c := f.Close()
			if c == nil || !c.Application || c.Code != 7 || string(c.Reason) != "enough" || c.From != quicwire.FromClient || c.Level != quicwire.LevelOneRTT {
				t.Errorf("close %+v", c)
			}
			if s := f.Stats(quicwire.FromServer); s.Handshake == 0 || s.Unopened > 0 || s.Opened < 2 {
				t.Errorf("the server's %+v", s)
			}

			// Without secrets there are the hellos, and nothing is wrong.
			f = &quicwire.Flow{}
			got, err = read(f, all)
			if err != nil || !slices.Equal(got, handshake()[:2]) || !f.Done() || f.Close() != nil {
				t.Errorf("without secrets: messages %q, error %v, done %v, close %+v", got, err, f.Done(), f.Close())
			}

			// Backwards, and with the sides mistaken: the client's Initial comes last of all, what was kept for it is bounded.
			slices.Reverse(all)
			for i := range all {
				all[i].from ^= 1
			}
			f = &quicwire.Flow{}
			got, _ = read(f, all) // some packets are too early to be opened
			if !slices.Contains(got, "client Initial 1") || !f.Swapped() {
				t.Errorf("backwards: messages %q, swapped %v", got, f.Swapped())
			}
		})
	}
}

func TestRefusalsAreRead(t *testing.T) {
	cert := certificate(t)
	server := &quic.Config{TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, NextProtos: []string{"a"}}}
	t.Run("by the server, which shares no protocol", func(t *testing.T) {
		all, _ := connect(t, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"b"}}, server)
		f := &quicwire.Flow{}
		if _, err := read(f, all); err != nil {
			t.Error(err)
		}
		c := f.Close()
		if c == nil || c.From != quicwire.FromServer || c.Level != quicwire.LevelInitial || c.CodeName() != "CRYPTO_ERROR 0x178" {
			t.Fatalf("close %+v", c)
		}
		if alert, ok := c.Alert(); !ok || alert != 120 { // no_application_protocol
			t.Errorf("alert %d, %v", alert, ok)
		}
	})
	t.Run("by the client, which does not trust the certificate", func(t *testing.T) {
		all, log := connect(t, &tls.Config{NextProtos: []string{"a"}}, server)
		f := &quicwire.Flow{Secrets: secretsOf(log)}
		if _, err := read(f, all); err != nil {
			t.Error(err)
		}
		c := f.Close()
		if c == nil || c.From != quicwire.FromClient {
			t.Fatalf("close %+v", c)
		}
		if alert, ok := c.Alert(); !ok || alert != 42 { // bad_certificate
			t.Errorf("alert %d, %v, close %+v", alert, ok, c)
		}
	})
}
