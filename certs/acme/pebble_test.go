package acme_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/acme"
	"github.com/tlstriage/tlstriage/inspect/leaktest"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(replicaEnv); config != "" {
		os.Exit(replica(config)) //nolint:forbidigo // the exit code of a process of its own
	}
	leaktest.Main(m,
		// certmagic keeps a limiter of orders for each account until the process ends.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
		// Beside a lock that is held in a file sleeps who keeps it fresh; it sees at most five seconds later that it is gone.
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"),
		// certmagic's client of the directory keeps its connection for a while.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// pebble is a running ACME authority of the tests (github.com/letsencrypt/pebble).
type pebble struct {
	directory  string
	management string
	roots      *x509.CertPool // of its own HTTPS
	https      []byte         // the certificate in them
	tlsPort    int            // where it validates TLS-ALPN-01
	httpPort   int

	mu    sync.Mutex
	said  bytes.Buffer
	added int // orders accepted
}

type pebbleOptions struct {
	tlsPort, httpPort int
	externalAccounts  map[string]string
	blocked           []string
	validity          time.Duration
	ocsp              string
}

// startPebble runs pebble on free ports of loopback. It refuses a fifth of all good nonces.
func startPebble(t *testing.T, o pebbleOptions) *pebble {
	t.Helper()
	program := pebbleProgram(t)
	dir := t.TempDir()
	authority, err := certs.NewAuthority(certs.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(certs.Template{Names: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pair.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), certs.EncodePEM(pair.Certificate))
	write(t, filepath.Join(dir, "key.pem"), key)
	if o.validity == 0 {
		o.validity = 90 * 24 * time.Hour
	}
	algorithm := "ecdsa"
	if o.ocsp != "" {
		algorithm = "rsa" // pebble hands out its keys in this form alone
	}
	listen, management := freePort(t), freePort(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", listen), "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", management),
		"certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": o.httpPort, "tlsPort": o.tlsPort, "ocspResponderURL": o.ocsp,
		"externalAccountBindingRequired": len(o.externalAccounts) > 0, "externalAccountMACKeys": o.externalAccounts,
		"domainBlocklist": o.blocked, "retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": algorithm,
		"profiles": map[string]any{"default": map[string]any{"description": "test", "validityPeriod": int(o.validity.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.json"), config)
	p := &pebble{
		directory: fmt.Sprintf("https://127.0.0.1:%d/dir", listen), management: fmt.Sprintf("https://127.0.0.1:%d", management),
		roots: x509.NewCertPool(), https: authority.Certificate().Raw, tlsPort: o.tlsPort, httpPort: o.httpPort,
	}
	p.roots.AddCert(authority.Certificate())
	cmd := exec.Command(program, "-config", filepath.Join(dir, "config.json"), "-dnsserver", startDNS(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20", "PEBBLE_AUTHZREUSE=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done, ready := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var once sync.Once
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := lines.Text()
			p.mu.Lock()
			if p.said.Len() < 1<<20 {
				p.said.WriteString(line + "\n")
			}
			if strings.Contains(line, "Added order") {
				p.added++
			}
			p.mu.Unlock()
			if strings.Contains(line, "ACME directory available at") {
				once.Do(func() { close(ready) })
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-done
		cmd.Wait()
		if t.Failed() {
			t.Logf("pebble said:\n%s", p.text())
		}
	})
	select {
	case <-ready:
	case <-done:
		t.Fatalf("pebble ended:\n%s", p.text())
	case <-time.After(time.Minute):
		t.Fatalf("pebble does not start:\n%s", p.text())
	}
	p.await(t)
	return p
}

func (p *pebble) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func (p *pebble) orders() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.added
}

func (p *pebble) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

// await returns when the directory answers: pebble says that it is there a moment before it listens.
func (p *pebble) await(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		resp, err := p.client().Get(p.directory)
		if err == nil {
			resp.Body.Close()
			return
		}
		if !time.Now().Before(deadline) {
			t.Fatalf("pebble's directory: %v", err)
		}
		<-again.C
	}
}

// get fetches from pebble's management interface.
func (p *pebble) get(t *testing.T, path string) []byte {
	t.Helper()
	resp, err := p.client().Get(p.management + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return data
}

// issued is a pool with the root under which pebble issues.
func (p *pebble) issued(t *testing.T) *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.get(t, "/roots/0")) {
		t.Fatal("no root")
	}
	return pool
}

func (p *pebble) intermediate(t *testing.T) *x509.Certificate {
	b, _ := pem.Decode(p.get(t, "/intermediates/0"))
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pebbleProgram finds pebble where `make programs` installs it, or in the path.
func pebbleProgram(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if path := filepath.Join(dir, ".tools", "pebble"); isFile(path) {
			return path
		}
	}
	if path, err := exec.LookPath("pebble"); err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatal("pebble is needed in CI")
	}
	t.Skip("no pebble here: go install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1")
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	return porttest.Free(t)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// startDNS answers over TCP, which pebble asks by, that every name is at 127.0.0.1.
func startDNS(t *testing.T) string {
	t.Helper()
	l := listen(t)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				for answerDNS(c) == nil {
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); work.Wait() })
	return l.Addr().String()
}

// answerDNS answers one question (RFC 1035, Section 4.2.2).
func answerDNS(c net.Conn) error {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return err
	}
	question := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, question); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return err
	}
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}})
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// serve terminates TLS on the listener as the proxy does: challenges with their own ALPN, everything else with the certificate.
func serve(m *acme.Manager, l net.Listener) (stop func()) {
	base := &tls.Config{GetCertificate: m.GetCertificate, NextProtos: []string{"h2", "http/1.1"}}
	challenge := base.Clone()
	challenge.NextProtos = []string{acme.ALPN}
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if m.TLSALPN(hello.ServerName, hello.SupportedProtos) {
			return challenge, nil
		}
		return nil, nil
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(30 * time.Second))
				if s := tls.Server(c, base); s.Handshake() == nil {
					io.Copy(io.Discard, s)
				}
			})
		}
	})
	return func() { l.Close(); work.Wait() }
}

// rig is a manager that serves on a listener.
type rig struct {
	*acme.Manager
	address string
	events  chan acme.Event
}

// start makes a manager of the settings, serves with it on the listener, and starts it. dir empty: a new one.
func start(t *testing.T, p *pebble, l net.Listener, s acme.Settings) *rig {
	t.Helper()
	if p != nil {
		s.Directory, s.Roots = p.directory, p.roots
	}
	if s.Dir == "" && s.Storage == nil {
		s.Dir = t.TempDir()
	}
	s.Email = "ops@example.com"
	r := &rig{address: l.Addr().String(), events: make(chan acme.Event, 1000)}
	s.OnEvent = func(e acme.Event) { r.events <- e }
	m, err := acme.New(s, zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)))
	if err != nil {
		t.Fatal(err)
	}
	r.Manager = m
	stop := serve(m, l)
	t.Cleanup(func() { m.Close(); stop() })
	m.Start()
	return r
}

// await returns the next event of the kind.
func (r *rig) await(t *testing.T, kind acme.EventKind) acme.Event {
	t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		select {
		case e := <-r.events:
			if e.Kind == kind {
				return e
			}
			if e.Kind == acme.Failed { // the next order comes after a minute
				t.Fatalf("no event %q, but %+v", kind, e)
			}
		case <-timeout:
			t.Fatalf("no event %q; %+v", kind, r.Status())
		}
	}
}

// dial makes a handshake with the rig.
func (r *rig) dial(name string, roots *x509.CertPool) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{ServerName: name, RootCAs: roots, NextProtos: []string{"h2"}}}
	c, err := d.DialContext(ctx, "tcp", r.address)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState(), nil
}

// alert is the alert that a handshake was refused with.
func alert(err error) string {
	var a tls.AlertError
	var op *net.OpError
	if errors.As(err, &a) {
		return a.Error()
	}
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return fmt.Sprint(err)
}
