package capture_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// tap notes what goes through one end of a pipe.
type tap struct {
	net.Conn
	client bool
	mu     *sync.Mutex
	said   *[]turn
}

func (p tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	*p.said = append(*p.said, turn{p.client, bytes.Clone(b)})
	p.mu.Unlock()
	return p.Conn.Write(b)
}

// played is a conversation of crypto/tls with itself, as a capture; then is what goes on behind the handshake.
func played(t *testing.T, client, server *tls.Config, then func(c, s *tls.Conn)) []byte {
	t.Helper()
	w := newBuilder()
	w.whole(clientAt(), serverAt(), spoken(t, client, server, then))
	return w.b
}

// whole appends a connection from its beginning to its end.
func (w *builder) whole(client, server *side, talk []turn) {
	w.open(client, server)
	for _, p := range talk {
		if p.client {
			w.segment(client, server, psh|ack, p.data, 100)
		} else {
			w.segment(server, client, psh|ack, p.data, 100)
		}
	}
	w.close(client, server)
}

// spoken is what crypto/tls says to itself.
func spoken(t testing.TB, client, server *tls.Config, then func(c, s *tls.Conn)) []turn {
	t.Helper()
	var said []turn
	var mu sync.Mutex
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- c
	}()
	a, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, ok := <-accepted
	if !ok {
		t.Fatal("not accepted")
	}
	defer a.Close()
	defer b.Close()
	for _, c := range []net.Conn{a, b} {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	c := tls.Client(tap{a, true, &mu, &said}, client)
	s := tls.Server(tap{b, false, &mu, &said}, server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Handshake()
	}()
	_ = c.Handshake()
	<-done
	then(c, s)
	mu.Lock()
	defer mu.Unlock()
	return said
}

func clientAt() *side { return client(77) }

func serverAt() *side { return server() }

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"live.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestInferredRefusals(t *testing.T) {
	certificate := selfSigned(t)
	trusting := &tls.Config{ServerName: "live.example.com", InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	with := func(c *tls.Config, change func(*tls.Config)) *tls.Config {
		c = c.Clone()
		change(c)
		return c
	}
	serving := &tls.Config{Certificates: []tls.Certificate{certificate}}
	refuse := func([][]byte, [][]*x509.Certificate) error { return errors.New("refused") }
	nothing := func(c, s *tls.Conn) {}
	goodbye := func(c, s *tls.Conn) {
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, s)
		_ = s.CloseWrite()
	}
	serverFirst := func(c, s *tls.Conn) {
		_ = s.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
	talk := func(c, s *tls.Conn) {
		_, _ = c.Write([]byte("request"))
		_, _ = s.Read(make([]byte, 100))
		_, _ = s.Write([]byte("response"))
		goodbye(c, s)
	}
	for name, test := range map[string]struct {
		client, server *tls.Config
		then           func(c, s *tls.Conn)
		want           inspect.InferenceKind
		alert          string // what the keys show
	}{
		"the client refuses": {with(trusting, func(c *tls.Config) { c.InsecureSkipVerify = false }), serving, nothing, inspect.InferredCertificateRefused, "bad_certificate"},
		"the server refuses": {
			with(trusting, func(c *tls.Config) { c.Certificates = []tls.Certificate{certificate} }),
			with(serving, func(c *tls.Config) { c.ClientAuth, c.VerifyPeerCertificate = tls.RequireAnyClientCert, refuse }), nothing,
			inspect.InferredClientCertificateRefused, "bad_certificate",
		},
		"the server misses a certificate": {
			trusting, with(serving, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), nothing,
			inspect.InferredClientCertificateMissing, "certificate_required",
		},
		"healthy":                               {trusting, serving, talk, "", ""},
		"healthy, nothing is said":              {trusting, serving, goodbye, "", ""},
		"healthy, the server closes at once":    {trusting, serving, serverFirst, "", ""},
		"healthy, without tickets":              {trusting, with(serving, func(c *tls.Config) { c.SessionTicketsDisabled = true }), goodbye, "", ""},
		"healthy, no tickets, the server first": {trusting, with(serving, func(c *tls.Config) { c.SessionTicketsDisabled = true }), serverFirst, "", ""},
		"healthy, with a client certificate": {
			with(trusting, func(c *tls.Config) { c.Certificates = []tls.Certificate{certificate} }),
			with(serving, func(c *tls.Config) { c.ClientAuth, c.SessionTicketsDisabled = tls.RequestClientCert, true }), goodbye, "", "",
		},
		"healthy, TLS 1.2": {with(trusting, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }), serving, talk, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			file := played(t, with(test.client, func(c *tls.Config) { c.KeyLogWriter = &log }), test.server, test.then)
			records, _ := recordsOf(t, file, capture.Options{})
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			r := records[0]
			var got inspect.InferenceKind
			for _, i := range r.Capture.Inferred {
				got = i.Kind
				if i.Basis == "" || len(i.Packets) != 2 {
					t.Errorf("%+v", i)
				}
				if none := strings.Contains(i.Basis, "without a certificate"); none != (test.alert == "certificate_required") {
					t.Errorf("%s", i.Basis)
				}
			}
			if got != test.want || (r.Event.Outcome == inspect.Success) != (test.want == "") {
				t.Errorf("%q, want %q: %s %+v", got, test.want, r.Event.Outcome, r.ClientLeg.Error)
			}
			records, _ = recordsOf(t, file, capture.Options{KeyLog: log.Bytes()})
			r = records[0]
			if len(r.Capture.Inferred) != 0 || len(r.ClientLeg.TLS.Server.CertificateChain) != 1 || !r.Capture.Decrypted && test.client.MaxVersion == 0 {
				t.Errorf("with keys: %+v %+v", r.Capture, r.ClientLeg.TLS.Server)
			}
			shown := ""
			for _, a := range r.ClientLeg.TLS.Alerts {
				shown = a.Description
			}
			if shown != test.alert || (r.Event.Outcome == inspect.Success) != (test.want == "") {
				t.Errorf("with keys: alert %q, want %q; %s", shown, test.alert, r.Event.Outcome)
			}
		})
	}
}

// TestFailuresOfThePublicSet holds what is called a failure against the collection's list of them, and what is inferred.
func TestFailuresOfThePublicSet(t *testing.T) {
	type failure struct {
		Repo, File, Client, Server, Kind string
		Short                            bool `json:"tls13_client_lone_short_record"`
	}
	type key struct{ file, client, server string }
	failed := map[key]*failure{}
	paths := map[string]bool{}
	eachLine(t, "failures.jsonl", func(f *failure) { failed[key{f.Repo + "/" + f.File, f.Client, f.Server}] = f })
	eachLine(t, "catalog.jsonl", func(e *struct{ Repo, File string }) { paths[e.Repo+"/"+e.File] = true })
	seen, inferred := map[key]bool{}, 0
	for path := range paths {
		records, _ := readCapture(t, shared(t, "captures", "files", filepath.FromSlash(path)), capture.Options{})
		for _, r := range records {
			if r.Transport != inspect.TransportTCP {
				if len(r.Capture.Inferred) > 0 {
					t.Errorf("%s, packet %d: inferred %+v", path, r.Capture.FirstPacket, r.Capture.Inferred)
				}
				continue
			}
			c, s := ends(r)
			at := key{path, c, s}
			f := failed[at]
			seen[at] = true
			hello := r.ClientLeg.TLS != nil && r.ClientLeg.TLS.Client != nil && r.ClientLeg.TLS.Version != ""
			if r.Event.Outcome == inspect.Failure && f == nil && hello {
				t.Errorf("%v: a false alarm: %+v", at, r.ClientLeg.Error)
			}
			if r.Event.Outcome == inspect.Success && f != nil && r.Capture.OneWay == "" { // of one side alone the list cannot tell either
				t.Errorf("%v: %s was missed", at, f.Kind)
			}
			for _, i := range r.Capture.Inferred {
				inferred++
				if f == nil || i.Kind == inspect.InferredCertificateRefused && !f.Short {
					t.Errorf("%v: inferred %+v", at, i)
				}
			}
		}
	}
	for at, f := range failed {
		if !seen[at] {
			t.Errorf("%v: no record of %s", at, f.Kind)
		}
	}
	if inferred == 0 || len(failed) < 150 {
		t.Errorf("%d inferences, %d failures", inferred, len(failed))
	}
}
