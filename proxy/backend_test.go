package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// rawBackend answers the hello with bytes.
func rawBackend(t testing.TB, answer func(c *net.TCPConn)) *Backend {
	return &Backend{Address: listen(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, 5))
		answer(c.(*net.TCPConn))
	})}
}

// freePort is an address on which nobody listens.
func freePort(t testing.TB) string {
	t.Helper()
	return porttest.FreeAddress(t)
}

// refusesInTheClear is a backend that answers with a ServerHello of TLS 1.3, and then in the clear with handshake_failure.
func refusesInTheClear(t testing.TB, pki *certstest.PKI) *Backend {
	config := &tls.Config{GetCertificate: serves(pki.Make(certstest.Healthy, testName))}
	return &Backend{Address: listen(t, func(c net.Conn) {
		tls.Server(&cutBehindHello{c}, config).Handshake()
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})}
}

// cutBehindHello lets the first record through that is written.
type cutBehindHello struct{ net.Conn }

func (c *cutBehindHello) Write(b []byte) (int, error) {
	hello := 5 + int(b[3])<<8 + int(b[4])
	c.Conn.Write(append(bytes.Clone(b[:hello]), 21, 3, 3, 0, 2, 2, 40))
	return 0, io.ErrClosedPipe
}

// Each way in which a backend can fail, and what the record says of it. The client is told 502 in each.
func TestBackendFailures(t *testing.T) {
	pki := certstest.New(t)
	linger := func(c *net.TCPConn) { c.CloseWrite(); io.Copy(io.Discard, c) }
	says := func(b ...byte) func(c *net.TCPConn) {
		return func(c *net.TCPConn) { c.Write(b); linger(c) }
	}
	// A ServerHello of TLS 1.2 with a version and a suite.
	serverHello := func(version, suite uint16) []byte {
		m := []byte{2, 0, 0, 38, byte(version >> 8), byte(version)}
		m = append(m, bytes.Repeat([]byte{7}, 32)...)
		m = append(m, 0, byte(suite>>8), byte(suite), 0)
		return append([]byte{22, 3, 3, 0, byte(len(m))}, m...)
	}
	clients := newClientCertificates(pki)
	requires := func(version uint16) func(*tls.Config) {
		return func(c *tls.Config) {
			c.MinVersion, c.MaxVersion, c.ClientAuth, c.ClientCAs = version, version, tls.RequireAndVerifyClientCert, clients.trusted
		}
	}
	healthy := func(edit ...func(*tls.Config)) *Backend { return tlsBackend(t, pki, discard, edit...) }
	verified := errors.New("not this one")
	for _, tt := range []struct {
		name    string
		backend *Backend
		edit    func(*Backend)
		limits  func(*Timeouts)
		kind    inspect.ErrorType
		phase   inspect.Phase
		alert   wire.AlertDescription
		from    inspect.Side
		named   string
	}{
		{name: "refused", backend: &Backend{Address: freePort(t)}, kind: inspect.ErrorRefused, phase: inspect.PhaseDial},
		{name: "unresolvable", backend: &Backend{Address: "name.invalid:443"}, kind: inspect.ErrorUnresolvable, phase: inspect.PhaseResolve},
		{name: "closes", backend: rawBackend(t, linger), kind: inspect.ErrorClosed, phase: inspect.PhaseHandshake},
		{name: "resets", backend: rawBackend(t, func(c *net.TCPConn) { c.SetLinger(0); c.Close() }), kind: inspect.ErrorReset, phase: inspect.PhaseHandshake},
		{name: "says nothing", backend: rawBackend(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) }),
			limits: func(l *Timeouts) { l.BackendHandshake = 200 * time.Millisecond }, kind: inspect.ErrorTimeout, phase: inspect.PhaseHandshake},
		{name: "drips", backend: rawBackend(t, func(c *net.TCPConn) {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for _, err := c.Write([]byte{22, 3, 3, 0x40, 0}); err == nil; _, err = c.Write([]byte{2}) {
				<-tick.C
			}
		}), limits: func(l *Timeouts) { l.BackendHandshake = 400 * time.Millisecond }, kind: inspect.ErrorTimeout, phase: inspect.PhaseHandshake},
		{name: "speaks HTTP", backend: rawBackend(t, says([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...)), kind: inspect.ErrorNotTLS, phase: inspect.PhaseHandshake, named: "http_response"},
		{name: "speaks SMTP", backend: rawBackend(t, says([]byte("220 mail\r\n")...)), kind: inspect.ErrorNotTLS, phase: inspect.PhaseHandshake, named: "smtp"},
		{name: "says three bytes", backend: rawBackend(t, says(1, 2, 3)), kind: inspect.ErrorNotTLS, phase: inspect.PhaseHandshake, named: "unknown"},
		{name: "handshake_failure", backend: rawBackend(t, says(21, 3, 3, 0, 2, 2, 40)), kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertHandshakeFailure, from: inspect.FromServer},
		{name: "handshake_failure in the clear behind a ServerHello of TLS 1.3", backend: refusesInTheClear(t, pki), kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertHandshakeFailure, from: inspect.FromServer},
		{name: "version that was not offered", backend: rawBackend(t, says(serverHello(0x0300, 0xC02B)...)), kind: inspect.ErrorNoCommonVersion, phase: inspect.PhaseHandshake, alert: wire.AlertProtocolVersion, from: inspect.FromClient},
		{name: "suite that was not offered", backend: rawBackend(t, says(serverHello(0x0303, 0x0033)...)), kind: inspect.ErrorNoCommonCipher, phase: inspect.PhaseHandshake, alert: wire.AlertHandshakeFailure, from: inspect.FromClient},
		{name: "a message out of turn", backend: rawBackend(t, says(22, 3, 3, 0, 4, 14, 0, 0, 0)), kind: inspect.ErrorAlertSent, phase: inspect.PhaseHandshake, alert: wire.AlertUnexpectedMessage, from: inspect.FromClient},
		{name: "a message without end", backend: rawBackend(t, func(c *net.TCPConn) {
			block := append([]byte{22, 3, 3, 0x40, 0}, make([]byte, 1<<14)...)
			block[5], block[6] = 2, 0xFF
			for _, err := c.Write(block); err == nil; _, err = c.Write(block) {
			}
		}), kind: inspect.ErrorAlertSent, phase: inspect.PhaseHandshake},
		{name: "wants a certificate, TLS 1.2", backend: healthy(requires(tls.VersionTLS12)), kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertHandshakeFailure, from: inspect.FromServer},
		{name: "wants a certificate, TLS 1.3", backend: healthy(requires(tls.VersionTLS13)), kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertCertificateRequired, from: inspect.FromServer},
		{name: "refuses ours, TLS 1.2", backend: healthy(requires(tls.VersionTLS12)), edit: func(b *Backend) { b.Certificate = clients.untrusted }, kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertUnknownCA, from: inspect.FromServer},
		{name: "refuses ours, TLS 1.3", backend: healthy(requires(tls.VersionTLS13)), edit: func(b *Backend) { b.Certificate = clients.untrusted }, kind: inspect.ErrorAlertReceived, phase: inspect.PhaseHandshake, alert: wire.AlertUnknownCA, from: inspect.FromServer},
		{name: "its certificate, TLS 1.2", backend: healthy(only(tls.VersionTLS12)), edit: func(b *Backend) { b.VerifyPeer = func(*BackendPeer) error { return verified } }, kind: inspect.ErrorCertificate, phase: inspect.PhaseHandshake, alert: wire.AlertBadCertificate, from: inspect.FromClient},
		{name: "its certificate, TLS 1.3", backend: healthy(only(tls.VersionTLS13)), edit: func(b *Backend) { b.VerifyPeer = func(*BackendPeer) error { return verified } }, kind: inspect.ErrorCertificate, phase: inspect.PhaseHandshake, alert: wire.AlertBadCertificate, from: inspect.FromClient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits := shortLimits()
			if tt.limits != nil {
				tt.limits(&limits.Timeouts)
			}
			if tt.edit != nil {
				tt.edit(tt.backend)
			}
			r := newRig(t, pki, limits, &Listener{Routes: []*Route{{Backend: tt.backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
			c := r.tls(protocols("http/1.1"))
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+testName+"\r\n\r\n")
			answer, err := io.ReadAll(c)
			if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 502 Bad Gateway\r\n")) {
				t.Errorf("the client got %q, %v", answer, err)
			}
			c.Close()
			record := r.record()
			wantError(t, record.BackendLeg, tt.kind, tt.phase)
			wantOutcome(t, record, inspect.Failure)
			if tt.from != "" {
				wantAlert(t, record.BackendLeg, tt.alert, tt.from)
			}
			if tt.named != "" && (record.BackendLeg.FirstBytes == nil || record.BackendLeg.FirstBytes.Protocol != tt.named) {
				t.Errorf("first bytes %+v, want %s", record.BackendLeg.FirstBytes, tt.named)
			}
			if record.ClientLeg.Error != nil || !record.ClientLeg.Established() {
				t.Errorf("client leg: %+v", record.ClientLeg.Error)
			}
			if !bytes.Contains(answer, []byte(record.Event.ID)) {
				t.Error("the page does not name the record")
			}
			if text := "not this one"; bytes.Contains(answer, []byte(text)) || bytes.Contains(answer, []byte(tt.backend.Address)) {
				t.Error("the diagnosis went to the client")
			}
		})
	}
}

// Where certificates decide about the traffic, a client without a name must not mean that any certificate will do.
func TestAddressIsVerifiedWhereCertificatesDecide(t *testing.T) {
	b := &Backend{Address: "127.0.0.1:1"}
	if verified, sent := b.nameFor(""); verified != "" || sent != "" {
		t.Errorf("%q is verified, %q sent", verified, sent)
	}
	b.VerifyPeer = func(*BackendPeer) error { return nil }
	if verified, sent := b.nameFor(""); verified != "127.0.0.1" || sent != "" {
		t.Errorf("%q is verified, %q sent", verified, sent)
	}
}

// A backend that is not reached within the time, by dialling into nowhere.
func TestDialDeadline(t *testing.T) {
	pki := certstest.New(t)
	limits := shortLimits()
	limits.Timeouts.Dial = 100 * time.Millisecond
	b := &Backend{Address: "127.0.0.1:1"}
	b.Dialer.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
		<-ctx.Done() // as if the network swallowed it
		return ctx.Err()
	}
	r := newRig(t, pki, limits, &Listener{Routes: []*Route{{Backend: b, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}})
	c := r.tls()
	c.Close()
	wantError(t, r.record().BackendLeg, inspect.ErrorTimeout, inspect.PhaseDial)
}

// What is asked for and verified: the configured name, the client's, the host of the address; an address is never sent, and
// nothing that a client says is ever dialled.
func TestNamesForTheBackend(t *testing.T) {
	for _, tt := range []struct {
		backend        *Backend
		client         string
		verified, sent string
	}{
		{&Backend{Address: "10.0.0.1:443"}, "a.example.com", "a.example.com", "a.example.com"},
		{&Backend{Address: "10.0.0.1:443", ServerName: "b.example.com"}, "a.example.com", "b.example.com", "b.example.com"},
		{&Backend{Address: "b.example.com:443"}, "", "b.example.com", "b.example.com"},
		{&Backend{Address: "b.example.com:443"}, "a.example.com", "a.example.com", "a.example.com"},
		{&Backend{Address: "10.0.0.1:443"}, "", "", ""},
		{&Backend{Address: "[::1]:443"}, "", "", ""},
		{&Backend{Address: "10.0.0.1:443"}, "192.0.2.7", "192.0.2.7", ""},
		{&Backend{Address: "10.0.0.1:443", ServerName: "10.0.0.1"}, "a.example.com", "10.0.0.1", ""},
	} {
		verified, sent := tt.backend.nameFor(tt.client)
		if verified != tt.verified || sent != tt.sent {
			t.Errorf("%+v for %q: %q, %q", tt.backend.Address, tt.client, verified, sent)
		}
	}
}

// Threat 19: what stands in an SNI is a name to ask for, never an address to dial.
func TestServerNamesAreNeverDialled(t *testing.T) {
	pki := certstest.New(t)
	trap := listen(t, func(net.Conn) { t.Error("a client's words were dialled") })
	_, port, _ := net.SplitHostPort(trap)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	for _, name := range []string{trap, "127.0.0.1", "localhost:" + port, "user@localhost:" + port, "..", "../../etc/passwd", "a\x00b", "\r\nHost: x", "[::1]:" + port, repeat("a.", 5000) + "example"} {
		hello := withName(t, name)
		c := r.tcp()
		c.Write(hello)
		c.CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
		record := r.record()
		if got := record.ClientLeg.TLS.Client.ServerName; got != inspect.Bounded(name) {
			t.Errorf("name in the record %q, want %q", got, name)
		}
		if record.BackendLeg != nil && record.BackendLeg.Port == 0 {
			t.Errorf("backend %+v", record.BackendLeg)
		}
	}
}

// withName is a hello with any bytes as its name.
func withName(t *testing.T, name string) []byte {
	hello := helloOf(t, &tls.Config{InsecureSkipVerify: true})
	body := []byte{byte((len(name) + 3) >> 8), byte(len(name) + 3), 0, byte(len(name) >> 8), byte(len(name))}
	return withExtension(hello, 0, append(body, name...))
}

// The backend's leaf is at hand where a certificate is minted to mirror it.
func TestBackendCertificateIsInTheContext(t *testing.T) {
	pki := certstest.New(t)
	var mirrored *x509.Certificate
	chain := pki.Make(certstest.Healthy, testName).TLS()
	r := bridged(t, pki, tlsBackend(t, pki, echo), func(l *Listener) {
		l.Routes[0].GetCertificate = func(chi *tls.ClientHelloInfo) (*tls.Certificate, error) {
			mirrored = BackendCertificate(chi.Context())
			return chain, nil
		}
	})
	c := r.tls()
	exchange(t, c, "x")
	c.Close()
	r.record()
	if mirrored == nil || mirrored.DNSNames[0] != testName {
		t.Errorf("got %+v", mirrored)
	}
	if BackendCertificate(t.Context()) != nil {
		t.Error("a certificate of no connection")
	}
}

func TestCheck(t *testing.T) {
	pki := certstest.New(t)
	s := &Server{Limits: shortLimits()}
	good := s.Check(t.Context(), tlsBackend(t, pki, discard, protocols("h2")), testName, []string{"h2", "http/1.1"})
	wantOutcome(t, &inspect.Connection{Event: good.Event}, inspect.Success)
	if leg := good.BackendLeg; leg.TLS.NextProtocol != "h2" || leg.ServerName != testName || len(leg.TLS.Server.CertificateChain) != 3 || good.ClientLeg != nil {
		t.Errorf("%+v", leg.TLS)
	}
	bad := s.Check(t.Context(), &Backend{Address: freePort(t)}, testName, nil)
	wantError(t, bad.BackendLeg, inspect.ErrorRefused, inspect.PhaseDial)
	wantOutcome(t, bad, inspect.Failure)
	cancelled, cancel := context.WithCancel(t.Context())
	silent := rawBackend(t, func(c *net.TCPConn) {
		cancel()
		io.Copy(io.Discard, c)
	})
	wantError(t, s.Check(cancelled, silent, testName, nil).BackendLeg, inspect.ErrorShutdown, inspect.PhaseHandshake)
}
