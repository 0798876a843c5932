package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
)

// greetingOf is what the backends of these tests begin with.
var greetingOf = map[starttls.Protocol]string{
	starttls.SMTP: "220 mx.example ESMTP of the backend\r\n", starttls.IMAP: "* OK [CAPABILITY IMAP4rev1 STARTTLS] the backend\r\n", starttls.POP3: "+OK the backend\r\n",
}

// greetingInTLS is the same for a client that did not ask for TLS.
func greetingInTLS(p starttls.Protocol) string {
	return string(starttls.InTLS(p, []byte(greetingOf[p])))
}

// askedBackend is a backend that is asked for TLS in a protocol, and echoes.
func askedBackend(t *testing.T, pki *certstest.PKI, p starttls.Protocol) *Backend {
	config := &tls.Config{Certificates: []tls.Certificate{*pki.Make(certstest.Healthy, testName).TLS()}}
	return &Backend{StartTLS: p, Address: listen(t, func(c net.Conn) {
		c.SetDeadline(time.Now().Add(patience))
		if _, err := (&starttls.Desk{Protocol: p, Client: c, Greeting: []byte(greetingOf[p])}).Agree(); err != nil {
			return
		}
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			echo(s)
		}
	})}
}

// greetingBackend is one that speaks TLS at once, or plain text, and greets.
func greetingBackend(t *testing.T, pki *certstest.PKI, p starttls.Protocol, plain bool) *Backend {
	return backendOf(t, pki, plain, tls.VersionTLS13, func(c halfCloser) {
		io.WriteString(c, greetingOf[p])
		io.Copy(c, c)
		c.Close()
	})
}

func withStartTLS(p starttls.Protocol) func(*Listener) {
	return func(l *Listener) { l.StartTLS = p }
}

// ask is a client that asks for TLS. It gives what it was greeted with.
func (r *rig) ask(p starttls.Protocol) (*tls.Conn, string) {
	r.t.Helper()
	raw := r.tcp()
	greeting, err := starttls.Ask(p, testName, raw)
	if err != nil {
		r.t.Fatal(err)
	}
	c := tls.Client(raw, r.clientConfig())
	if err := c.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return c, string(greeting)
}

func TestStartTLSOnEitherLeg(t *testing.T) {
	pki := certstest.New(t)
	for _, p := range starttls.Served() {
		for _, tt := range []struct {
			name    string
			client  bool // asks for TLS
			backend func() *Backend
		}{
			{"both legs", true, func() *Backend { return askedBackend(t, pki, p) }},
			{"client leg, backend of TLS", true, func() *Backend { return greetingBackend(t, pki, p, false) }},
			{"client leg, plain backend", true, func() *Backend { return greetingBackend(t, pki, p, true) }},
			{"backend leg", false, func() *Backend { return askedBackend(t, pki, p) }},
		} {
			t.Run(string(p)+", "+tt.name, func(t *testing.T) {
				backend := tt.backend()
				r := bridged(t, pki, backend, func(l *Listener) {
					if tt.client {
						l.StartTLS = p
					}
				})
				var c *tls.Conn
				greeting := ""
				if tt.client {
					c, greeting = r.ask(p)
				} else {
					c = r.tls()
					c.SetDeadline(time.Now().Add(patience))
					if want := greetingInTLS(p); want != "" {
						b := make([]byte, len(want))
						io.ReadFull(c, b)
						greeting = string(b)
					}
				}
				if want := greetingInTLS(p); greeting != want {
					t.Errorf("greeted with %q, want %q", greeting, want)
				}
				exchange(t, c, "a line\r\n")
				c.Close()
				record := r.record()
				wantOutcome(t, record, inspect.Success)
				wantStartTLS(t, "client", record.ClientLeg.StartTLS, tt.client, p)
				wantStartTLS(t, "backend", record.BackendLeg.StartTLS, backend.StartTLS != "", p)
				if errorOf(record.ClientLeg) != nil || errorOf(record.BackendLeg) != nil {
					t.Errorf("errors: %+v, %+v", errorOf(record.ClientLeg), errorOf(record.BackendLeg))
				}
				if record.ClientLeg.TLS.Client.ServerName != testName {
					t.Errorf("name %q", record.ClientLeg.TLS.Client.ServerName)
				}
			})
		}
	}
}

func wantStartTLS(t *testing.T, leg string, got *inspect.StartTLS, want bool, p starttls.Protocol) {
	t.Helper()
	if (got != nil) != want || want && (got.Protocol != string(p) || got.Refused || got.Answer != "") {
		t.Errorf("%s leg: %+v", leg, got)
	}
}

// Clients of some protocols may speak TLS without asking, on the same port.
func TestTLSWithoutAskingIsTaken(t *testing.T) {
	pki := certstest.New(t)
	for _, p := range []starttls.Protocol{starttls.Postgres, starttls.LDAP} {
		r := bridged(t, pki, askedBackend(t, pki, p), withStartTLS(p))
		c := r.tls()
		exchange(t, c, "a line")
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if s := record.ClientLeg.StartTLS; s == nil || !s.Direct {
			t.Errorf("%s: client leg %+v", p, s)
		}
		wantStartTLS(t, "backend", record.BackendLeg.StartTLS, true, p)
	}
}

// What the backend refuses, its client hears in the backend's words; and the record says whose refusal it was.
func TestRefusedStartTLS(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		p             starttls.Protocol
		turns, answer string // what the backend says, in one go
	}{
		{starttls.SMTP, "220 mx\r\n250 mx\r\n454 4.7.0 TLS not available\r\n", "454 4.7.0 TLS not available"},
		{starttls.IMAP, "* OK\r\na BAD no TLS\r\n", "BAD no TLS"},
		{starttls.POP3, "+OK\r\n-ERR no TLS\r\n", "-ERR no TLS"},
		{starttls.Postgres, "N", "N"},
		{starttls.LDAP, "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00", "result code 52"},
	} {
		for _, relayed := range []bool{true, false} {
			backend := &Backend{StartTLS: tt.p, Address: listen(t, func(c net.Conn) {
				io.WriteString(c, tt.turns)
				io.Copy(io.Discard, c)
			})}
			r := bridged(t, pki, backend, func(l *Listener) {
				if relayed {
					l.StartTLS = tt.p
				}
			})
			if relayed {
				raw := r.tcp()
				if _, err := starttls.Ask(tt.p, testName, raw); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(tt.answer, "BAD ")) {
					t.Errorf("%s: the client hears %v", tt.p, err)
				}
				raw.Close()
			} else if c, err := r.try(); err == nil {
				c.Close()
			}
			record := r.record()
			wantOutcome(t, record, inspect.Failure)
			wantError(t, record.BackendLeg, inspect.ErrorStartTLS, inspect.PhaseStartTLS)
			said := record.BackendLeg.StartTLS
			if said == nil || !said.Refused || !strings.HasSuffix(said.Answer, strings.TrimPrefix(tt.answer, "BAD ")) {
				t.Errorf("%s: %+v", tt.p, said)
			}
			if relayed {
				wantError(t, record.ClientLeg, inspect.ErrorStartTLS, inspect.PhaseStartTLS)
				if record.ClientLeg.StartTLS.Refused {
					t.Errorf("%s: the client did not refuse anything: %+v", tt.p, record.ClientLeg.StartTLS)
				}
			}
		}
	}
}

// A client that goes on in plain text is told that it must not; nothing of what it said reaches the backend or the record.
func TestPlainTextOnAStartTLSListener(t *testing.T) {
	pki := certstest.New(t)
	heard := make(chan string, 1)
	backend := &Backend{StartTLS: starttls.SMTP, Address: listen(t, func(c net.Conn) {
		io.WriteString(c, "220 mx\r\n")
		b, _ := io.ReadAll(c)
		heard <- string(b)
	})}
	r := bridged(t, pki, backend, withStartTLS(starttls.SMTP))
	c := r.tcp()
	lines := bufio.NewReader(c)
	lines.ReadString('\n')
	io.WriteString(c, "AUTH PLAIN c2VjcmV0\r\n")
	if answer, _ := lines.ReadString('\n'); !strings.HasPrefix(answer, "530 ") {
		t.Errorf("answered with %q", answer)
	}
	c.Close()
	record := r.record()
	wantError(t, record.ClientLeg, inspect.ErrorStartTLS, inspect.PhaseStartTLS)
	if s := record.ClientLeg.StartTLS; s == nil || !s.Refused || s.Answer != "AUTH" {
		t.Errorf("%+v", s)
	}
	if got := <-heard; got != "" {
		t.Errorf("the backend heard %q", got)
	}
}

func TestFailuresBeforeStartTLS(t *testing.T) {
	pki := certstest.New(t)
	closed := listen(t, func(c net.Conn) {})
	silent := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	for _, tt := range []struct {
		name    string
		backend *Backend
		client  func(net.Conn)
		says    string // to the client
		check   func(*inspect.Connection) (*inspect.Leg, inspect.ErrorType)
	}{
		{"nobody is there", &Backend{StartTLS: starttls.SMTP, Address: freePort(t)}, nil, "421 ", func(c *inspect.Connection) (*inspect.Leg, inspect.ErrorType) {
			return c.BackendLeg, inspect.ErrorRefused
		}},
		{"the backend closes", &Backend{StartTLS: starttls.SMTP, Address: closed}, nil, "", func(c *inspect.Connection) (*inspect.Leg, inspect.ErrorType) {
			return c.BackendLeg, inspect.ErrorClosed
		}},
		{"the backend says nothing", &Backend{StartTLS: starttls.SMTP, Address: silent}, nil, "", func(c *inspect.Connection) (*inspect.Leg, inspect.ErrorType) {
			return c.BackendLeg, inspect.ErrorTimeout
		}},
		{"the backend says nothing in TLS", greetingless(t, pki), nil, "421 ", func(c *inspect.Connection) (*inspect.Leg, inspect.ErrorType) {
			return c.BackendLeg, inspect.ErrorTimeout
		}},
		{"the client says nothing", askedBackend(t, pki, starttls.SMTP), func(c net.Conn) { io.Copy(io.Discard, c) }, "", func(c *inspect.Connection) (*inspect.Leg, inspect.ErrorType) {
			return c.ClientLeg, inspect.ErrorTimeout
		}},
		{"the client leaves", askedBackend(t, pki, starttls.SMTP), func(c net.Conn) { c.(*net.TCPConn).CloseWrite() }, "220 ", func(c *inspect.Connection) (*inspect.Leg, inspect.ErrorType) { return c.ClientLeg, inspect.ErrorEmpty }},
		{"the client speaks TLS at once", askedBackend(t, pki, starttls.SMTP), func(c net.Conn) { tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake() }, "", func(c *inspect.Connection) (*inspect.Leg, inspect.ErrorType) {
			return c.ClientLeg, inspect.ErrorStartTLS
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			limits := shortLimits()
			switch tt.name {
			case "the backend says nothing in TLS":
				limits.Timeouts.BackendHandshake = 300 * time.Millisecond
			case "the backend says nothing", "the client says nothing":
				limits.Timeouts.ClientHello, limits.Timeouts.BackendHandshake = 3*time.Second, 3*time.Second // from the dial on
			}
			l := &Listener{StartTLS: starttls.SMTP, Routes: []*Route{{Backend: tt.backend, GetCertificate: serves(pki.Make(certstest.Healthy, testName))}}}
			r := newRig(t, pki, limits, l)
			c := r.tcp()
			if tt.client != nil {
				tt.client(c)
			}
			if said, _ := io.ReadAll(c); !strings.HasPrefix(string(said), tt.says) {
				t.Errorf("the client hears %q", said)
			}
			c.Close()
			record := r.record()
			wantOutcome(t, record, inspect.Failure)
			if leg, want := tt.check(record); leg == nil || leg.Error == nil || leg.Error.Type != want {
				t.Errorf("got %+v, want %s", errorOf(leg), want)
			}
			r.none()
		})
	}
}

func greetingless(t *testing.T, pki *certstest.PKI) *Backend { return tlsBackend(t, pki, discard) }

// The greeting comes from the route of clients without a name; a client whose name leads elsewhere gets there, and is not greeted twice.
func TestStartTLSRoutesByName(t *testing.T) {
	pki := certstest.New(t)
	for _, kind := range []string{"asked", "TLS"} {
		other := askedBackend(t, pki, starttls.SMTP)
		if kind == "TLS" {
			other = greetingBackend(t, pki, starttls.SMTP, false)
		}
		certificate := serves(pki.Make(certstest.Healthy, testName))
		l := &Listener{StartTLS: starttls.SMTP, Routes: []*Route{
			{Name: "default", Backend: askedBackend(t, pki, starttls.SMTP), GetCertificate: certificate},
			{Name: "named", ServerNames: []string{testName}, Backend: other, GetCertificate: certificate},
		}}
		r := newRig(t, pki, shortLimits(), l)
		c, _ := r.ask(starttls.SMTP)
		exchange(t, c, "a line")
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if record.Route != "named" || record.BackendLeg.Port != int(addrPortOf(t, other.Address)) {
			t.Errorf("%s: went to %s, port %d", kind, record.Route, record.BackendLeg.Port)
		}
	}
}

func addrPortOf(t *testing.T, address string) uint16 {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return a.AddrPort().Port()
}

// The dialogue passes through, too, and what follows it is watched as ever.
func TestStartTLSPassesThrough(t *testing.T) {
	pki := certstest.New(t)
	for _, p := range starttls.Served() {
		r := bridged(t, pki, askedBackend(t, pki, p), withStartTLS(p), func(l *Listener) { l.Mode = Passthrough })
		c, greeting := r.ask(p)
		exchange(t, c, "a line")
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if greeting != greetingInTLS(p) || record.ClientLeg.TLS.Client.ServerName != testName || !record.ClientLeg.TLS.Established {
			t.Errorf("%s: %q, %+v", p, greeting, record.ClientLeg.TLS)
		}
		wantStartTLS(t, "client", record.ClientLeg.StartTLS, true, p)
		wantStartTLS(t, "backend", record.BackendLeg.StartTLS, true, p)
	}
}

// A check of a backend that is asked for TLS asks it.
func TestCheckAsksForTLS(t *testing.T) {
	pki := certstest.New(t)
	var s Server
	record := s.Check(t.Context(), askedBackend(t, pki, starttls.IMAP), testName, nil)
	if record.Event.Outcome != inspect.Success || record.BackendLeg.StartTLS == nil || len(record.BackendLeg.TLS.Server.CertificateChain) == 0 {
		t.Errorf("%+v", record.BackendLeg)
	}
}
