package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// A validation is answered by the challenge's certificate in every mode, whatever the policy says, with the protocol that it must
// have, and the backend hears nothing of it.
func TestChallenges(t *testing.T) {
	pki := certstest.New(t)
	answer := pki.Make(certstest.Healthy, "validated.example.com")
	for _, mode := range []struct {
		name string
		edit func(*Listener)
	}{
		{"bridge", func(*Listener) {}},
		{"passthrough", func(l *Listener) { l.Mode = Passthrough }},
		{"fallback", func(l *Listener) {
			l.Fallback = true
			l.Routes[0].Decide = func(*wire.ClientHello) Action { return Action{Unservable: "of course"} }
		}},
		{"enforced policy", func(l *Listener) {
			l.Routes[0].Decide = func(*wire.ClientHello) Action { return Action{Refuse: true, Alert: wire.AlertHandshakeFailure} }
		}},
		{"a name of no route", func(l *Listener) { l.Routes[0].ServerNames = []string{"other.example.com"} }},
		{"client certificates", func(l *Listener) { l.Routes[0].ClientAuth = tls.RequireAnyClientCert }},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(mode.name+" "+wire.Version(version).String(), func(t *testing.T) {
				backend := &Backend{Address: listen(t, func(net.Conn) { t.Error("the backend was asked") })}
				r := bridged(t, pki, backend, mode.edit, func(l *Listener) {
					l.Challenge = &Challenge{
						Takes: func(name string, offered []string) bool {
							return name == "validated.example.com" && slices.Equal(offered, []string{ChallengeProtocol})
						},
						GetCertificate: serves(answer),
					}
				})
				cache := &anyName{}
				c := r.tls(named("validated.example.com"), protocols(ChallengeProtocol), only(version), func(c *tls.Config) { c.ClientSessionCache = cache })
				if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
					t.Errorf("after the handshake: %q, %v", rest, err)
				}
				state := c.ConnectionState()
				if state.NegotiatedProtocol != ChallengeProtocol || state.PeerCertificates[0].DNSNames[0] != "validated.example.com" {
					t.Errorf("%q, %v", state.NegotiatedProtocol, state.PeerCertificates[0].DNSNames)
				}
				if cache.session != nil {
					t.Error("a ticket was given")
				}
				c.Close()
				record := r.record()
				wantOutcome(t, record, inspect.Success)
				if record.Route != ChallengeProtocol || record.BackendLeg != nil || record.Policy != nil || record.ClientLeg.TLS.NextProtocol != ChallengeProtocol {
					t.Errorf("record: route %q, backend %v, policy %v", record.Route, record.BackendLeg, record.Policy)
				}
				if chain := record.ClientLeg.TLS.Server.CertificateChain; len(chain) == 0 || chain[0].AlternativeNames[0] != "validated.example.com" {
					t.Errorf("served: %+v", chain)
				}
				r.none()
			})
		}
	}
}

// What is no validation that is expected goes the way of all others.
func TestWhatIsNoChallenge(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name      string
		asks      string
		protocols []string
	}{
		{"another name", testName, []string{ChallengeProtocol}},
		{"no name", "192.0.2.1", []string{ChallengeProtocol}},
		{"no protocol", "validated.example.com", nil},
		{"another protocol", "validated.example.com", []string{"h2"}},
		{"more than one", "validated.example.com", []string{ChallengeProtocol, "h2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := bridged(t, pki, tlsBackend(t, pki, echo, protocols(ChallengeProtocol, "h2")), func(l *Listener) {
				l.Challenge = &Challenge{Takes: func(name string, _ []string) bool { return name == "validated.example.com" }, GetCertificate: serves(pki.Make(certstest.Healthy, "validated.example.com"))}
			})
			c := r.tls(named(tt.asks), protocols(tt.protocols...), func(c *tls.Config) { c.InsecureSkipVerify = true })
			exchange(t, c, "through to the backend")
			c.Close()
			if record := r.record(); record.Route != "default" || record.BackendLeg == nil {
				t.Errorf("route %q", record.Route)
			}
		})
	}
	if (&Challenge{}).takes(nil) {
		t.Error("no hello is a challenge")
	}
}

func TestChallengeWithoutACertificate(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo), func(l *Listener) {
		l.Challenge = &Challenge{Takes: func(string, []string) bool { return true },
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("lost") }}
	})
	if _, err := r.try(protocols(ChallengeProtocol)); err == nil {
		t.Error("the validation succeeded")
	}
	record := r.record()
	wantError(t, record.ClientLeg, inspect.ErrorNoCertificate, inspect.PhaseHandshake)
	wantOutcome(t, record, inspect.Failure)
}

// Some endpoints refuse without a word.
func TestRefusalWithoutAnAlert(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, &Backend{Address: freePort(t)}, func(l *Listener) {
		l.Routes[0].Decide = func(*wire.ClientHello) Action { return Action{Refuse: true} }
	})
	c := r.tcp()
	c.Write(helloOf(t, r.clientConfig()))
	if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
		t.Errorf("got %x, %v", b, err)
	}
	c.Close()
	record := r.record()
	wantError(t, record.ClientLeg, inspect.ErrorPolicy, inspect.PhaseDecide)
	if len(record.ClientLeg.TLS.Alerts) > 0 {
		t.Errorf("alerts %+v", record.ClientLeg.TLS.Alerts)
	}
}
