package h3

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/leaktest"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/proxy"
)

// No test may leave a goroutine behind: a connection that does not end is one.
func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long a test waits for what must come. Nothing that works comes near it, even on a machine with much else to do.
const patience = time.Minute

const testName = "api.example.com"

func testTimeouts() proxy.Timeouts {
	return proxy.Timeouts{
		ClientHello: 30 * time.Second, Dial: 30 * time.Second, BackendHandshake: 30 * time.Second, ClientHandshake: 30 * time.Second,
		RequestHeader: 30 * time.Second, Response: 30 * time.Second, BadGateway: 30 * time.Second, Idle: 30 * time.Second, Linger: 200 * time.Millisecond,
	}
}

// rig is a proxy with a UDP side, its records, and the certificates around it.
type rig struct {
	t        testing.TB
	tcp      *proxy.Server
	udp      *Server
	pki      *certstest.PKI
	listener *proxy.Listener
	records  chan *inspect.Connection
}

// newRig starts both sides of a proxy on the loopback.
func newRig(t testing.TB, pki *certstest.PKI, l *proxy.Listener, edit ...func(*rig)) *rig {
	t.Helper()
	r := &rig{t: t, pki: pki, listener: l, records: make(chan *inspect.Connection, 1<<14)}
	r.tcp = &proxy.Server{Limits: proxy.Limits{Timeouts: testTimeouts(), Queue: 1 << 14}, OnConnection: func(c *inspect.Connection) { r.records <- c }}
	r.udp = &Server{Proxy: r.tcp, Limits: Limits{Timeouts: testTimeouts()}}
	if l.Address == "" {
		l.Address = "127.0.0.1:0"
	}
	if l.QUIC == "" {
		l.QUIC = "127.0.0.1:0"
	}
	for _, e := range edit {
		e(r)
	}
	if err := r.tcp.Start([]*proxy.Listener{l}); err != nil {
		t.Fatal(err)
	}
	if err := r.udp.Start([]*proxy.Listener{l}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.shutdown(ctx)
	})
	return r
}

// shutdown ends both sides as the program does.
func (r *rig) shutdown(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.udp.Shutdown(ctx)
	}()
	_ = r.tcp.Shutdown(ctx)
	<-done
}

// inHTTPMode is a proxy in HTTP mode before a backend.
func inHTTPMode(t testing.TB, pki *certstest.PKI, backend *proxy.Backend, edit ...func(*rig)) *rig {
	t.Helper()
	return newRig(t, pki, &proxy.Listener{
		Name: "edge", Mode: proxy.HTTP,
		Routes: []*proxy.Route{{Name: "default", Backend: backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}},
	}, edit...)
}

// record is the next record.
func (r *rig) record() *inspect.Connection {
	r.t.Helper()
	select {
	case c := <-r.records:
		return c
	case <-time.After(patience):
		r.t.Fatal("no record came")
		return nil
	}
}

// none asserts that no further record is there once the proxy has ended.
func (r *rig) none() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.shutdown(ctx)
	select {
	case c := <-r.records:
		r.t.Errorf("one record too many: %+v", c)
	default:
	}
}

// address is where QUIC is listened on.
func (r *rig) address() *net.UDPAddr {
	r.t.Helper()
	a, ok := r.udp.Addr(r.listener).(*net.UDPAddr)
	if !ok {
		r.t.Fatal("nothing listens for QUIC")
	}
	return a
}

func serves(c *certstest.Chain) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := c.TLS()
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
}

// httpBackend is a backend over TLS.
func httpBackend(t testing.TB, pki *certstest.PKI, h2 bool, handler http.HandlerFunc) *proxy.Backend {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = h2
	s.TLS = &tls.Config{GetCertificate: serves(pki.Make(certstest.Healthy, testName))}
	s.StartTLS()
	t.Cleanup(s.Close)
	return &proxy.Backend{Address: s.Listener.Addr().String()}
}

func (r *rig) clientConfig(edit ...func(*tls.Config)) *tls.Config {
	config := &tls.Config{ServerName: testName, RootCAs: r.pki.Roots(), NextProtos: []string{"h3"}}
	for _, e := range edit {
		e(config)
	}
	return config
}

// patientQUIC is the configuration of a client that gives up only when the test does.
func patientQUIC() *quic.Config { return &quic.Config{HandshakeIdleTimeout: patience} }

// nobody is an address on which nobody listens, and nobody will.
func nobody(t testing.TB) string { t.Helper(); return porttest.FreeAddress(t) }

// client is a client of the proxy in HTTP/3; everything it asks goes there.
func (r *rig) client(edit ...func(*tls.Config)) *http.Client {
	r.t.Helper()
	socket := udpSocket(r.t)
	transport := &quic.Transport{Conn: socket}
	h := &http3.Transport{
		TLSClientConfig:    r.clientConfig(edit...),
		QUICConfig:         patientQUIC(),
		DisableCompression: true,
		Dial: func(ctx context.Context, _ string, config *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return transport.DialEarly(ctx, r.address(), config, q)
		},
	}
	r.t.Cleanup(func() { h.Close(); transport.Close() })
	return &http.Client{Transport: h, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// close ends a client's connections.
func closeClient(c *http.Client) { _ = c.Transport.(*http3.Transport).Close() }

func udpSocket(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func fetch(t testing.TB, c *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}
