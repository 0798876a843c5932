package proxy

import (
	"crypto/tls"
	"errors"
	"fmt"

	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// Sessions are resumed on both legs and recorded as such, and not where that is not wanted.
func TestResumptionOnBothLegs(t *testing.T) {
	pki := certstest.New(t)
	for _, tt := range []struct {
		name    string
		version uint16
		none    bool
	}{
		{"TLS 1.3", tls.VersionTLS13, false}, {"TLS 1.2", tls.VersionTLS12, false},
		{"TLS 1.3, not wanted", tls.VersionTLS13, true}, {"TLS 1.2, not wanted", tls.VersionTLS12, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var resumed [3]atomic.Bool
			var seen atomic.Int32
			backend := tlsBackend(t, pki, func(c *tls.Conn) {
				resumed[seen.Add(1)-1].Store(c.ConnectionState().DidResume)
				echo(c)
			}, only(tt.version))
			backend.NoResumption = tt.none
			r := bridged(t, pki, backend, func(l *Listener) { l.Routes[0].NoResumption = tt.none })
			cache := tls.NewLRUClientSessionCache(4)
			for i := range 3 {
				c := r.tls(only(tt.version), func(c *tls.Config) { c.ClientSessionCache = cache })
				exchange(t, c, "a line") // with its answer come the tickets
				c.Close()
				record := r.record()
				want := i > 0 && !tt.none
				if got := record.ClientLeg.TLS.Resumed; got != want || c.ConnectionState().DidResume != want {
					t.Errorf("connection %d: client leg resumed: %v, want %v", i, got, want)
				}
				if got := record.BackendLeg.TLS.Resumed; got != want || resumed[i].Load() != want {
					t.Errorf("connection %d: backend leg resumed: %v, at the backend %v, want %v", i, got, resumed[i].Load(), want)
				}
				if chain := record.BackendLeg.TLS.Server.CertificateChain; len(chain) == 0 || chain[0].Subject == "" {
					t.Errorf("connection %d: the chain of the session is not in the record", i)
				}
				wantOutcome(t, record, inspect.Success)
			}
		})
	}
}

// Threat 5, on the other leg: a session is one with a name, and a certificate that is refused is refused when its session is resumed, too.
func TestBackendSessionsAreJudgedAndBoundToTheirName(t *testing.T) {
	pki := certstest.New(t)
	backend := tlsBackend(t, pki, echo)
	var refusing atomic.Bool
	var judged atomic.Int32
	backend.VerifyPeer = func(p *BackendPeer) error {
		judged.Add(1)
		if len(p.Presented) == 0 {
			return errors.New("nothing was presented")
		}
		if refusing.Load() {
			return errors.New("not this one any more")
		}
		return nil
	}
	r := bridged(t, pki, backend)
	for i, name := range []string{testName, "other.example.com", testName} {
		c := r.tls(named(name), func(c *tls.Config) { c.InsecureSkipVerify = true })
		exchange(t, c, "a line")
		c.Close()
		if got := r.record().BackendLeg.TLS.Resumed; got != (i == 2) {
			t.Errorf("connection %d, for %s: resumed %v", i, name, got)
		}
	}
	if got := judged.Load(); got != 3 {
		t.Errorf("judged %d times, want each of 3", got)
	}
	refusing.Store(true)
	c := r.tls()
	c.Close()
	record := r.record()
	wantError(t, record.BackendLeg, inspect.ErrorCertificate, inspect.PhaseHandshake)
	if len(record.BackendLeg.TLS.Server.CertificateChain) == 0 {
		t.Error("the chain that was refused is not in the record")
	}
}

// A check shows what the backend presents, which a resumed session would not.
func TestChecksResumeNothing(t *testing.T) {
	pki := certstest.New(t)
	r := bridged(t, pki, tlsBackend(t, pki, echo))
	c := r.tls()
	exchange(t, c, "a line")
	c.Close()
	r.record()
	record := r.server.Check(t.Context(), r.server.sockets[onlyKey(r)].config.Load().Routes[0].Backend, testName, nil)
	if record.BackendLeg.TLS == nil || !record.BackendLeg.TLS.Established || record.BackendLeg.TLS.Resumed {
		t.Errorf("%+v", record.BackendLeg.TLS)
	}
}

func onlyKey(r *rig) string {
	for key := range r.server.sockets {
		return key
	}
	return ""
}

func TestSessionsAgeAndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sessions
		state := &tls.ClientSessionState{}
		s.Put("a", state)
		time.Sleep(sessionMaxTime - time.Second)
		s.Put("a", state) // a new ticket for an old session
		if got, ok := s.Get("a"); !ok || got != state {
			t.Error("a session was forgotten")
		}
		time.Sleep(time.Second)
		if _, ok := s.Get("a"); ok {
			t.Error("a session was kept for longer than it may be")
		}
		for i := range 2 * maxSessions {
			s.Put(fmt.Sprint(i), state)
			time.Sleep(time.Millisecond)
		}
		if len(s.kept) != maxSessions {
			t.Errorf("%d sessions", len(s.kept))
		}
		if _, ok := s.Get(fmt.Sprint(2*maxSessions - 1)); !ok {
			t.Error("the latest session is not among them")
		}
		s.Put(fmt.Sprint(2*maxSessions-1), nil)
		if _, ok := s.Get(fmt.Sprint(2*maxSessions - 1)); ok {
			t.Error("a session that was taken out is still there")
		}
	})
}

// A backend that restarts with other keys does not know its sessions any more; nobody suffers.
func TestForgottenBackendSessionsAreNoFault(t *testing.T) {
	pki := certstest.New(t)
	backend := tlsBackend(t, pki, echo, func(c *tls.Config) {
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			next := &tls.Config{Certificates: c.Certificates}
			var key [32]byte
			copy(key[:], fmt.Sprint(time.Now()))
			next.SetSessionTicketKeys([][32]byte{key})
			return next, nil
		}
	})
	r := bridged(t, pki, backend)
	for range 3 {
		c := r.tls()
		exchange(t, c, "a line")
		c.Close()
		record := r.record()
		wantOutcome(t, record, inspect.Success)
		if record.BackendLeg.TLS.Resumed {
			t.Error("resumed with a key that is gone")
		}
	}
}

// A handshake in which the backend asked for a client certificate is a full one each time: what it asked for, and what it thinks of
// the answer, belongs into every record.
func TestSessionsWithClientCertificatesAreNotResumed(t *testing.T) {
	pki := certstest.New(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		backend := tlsBackend(t, pki, echo, only(version), func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert })
		r := bridged(t, pki, backend)
		for i := range 3 {
			c := r.tls()
			exchange(t, c, "a line")
			c.Close()
			leg := r.record().BackendLeg.TLS
			if leg.Resumed || leg.Server.CertificateRequest == nil {
				t.Errorf("%x, connection %d: resumed %v, request %+v", version, i, leg.Resumed, leg.Server.CertificateRequest)
			}
		}
	}
}
