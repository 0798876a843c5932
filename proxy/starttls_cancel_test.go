package proxy

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
)

// A request to cancel a query comes in plain text on a connection of its own, and reaches the backend however that is spoken to.
func TestRequestsToCancelReachTheBackend(t *testing.T) {
	const request = "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02"
	pki := certstest.New(t)
	for _, plain := range []bool{true, false} {
		heard := make(chan string, 1)
		backend := backendOf(t, pki, plain, tls.VersionTLS13, func(c halfCloser) {
			b := make([]byte, len(request))
			io.ReadFull(c, b)
			heard <- string(b)
			c.Close()
		})
		r := bridged(t, pki, backend, withStartTLS(starttls.Postgres))
		c := r.tcp()
		io.WriteString(c, request)
		if got := <-heard; got != request {
			t.Errorf("plain %v: the backend heard %q", plain, got)
		}
		if said, _ := io.ReadAll(c); len(said) > 0 {
			t.Errorf("the client hears %q", said)
		}
		c.Close()
		record := r.record()
		wantError(t, record.ClientLeg, inspect.ErrorStartTLS, inspect.PhaseStartTLS)
		if record.ClientLeg.StartTLS.Answer != "CancelRequest" || record.BackendLeg == nil || errorOf(record.BackendLeg) != nil {
			t.Errorf("%+v, %+v", record.ClientLeg.StartTLS, record.BackendLeg)
		}
		r.none()
	}
}

// Clients whose backend cannot be reached are told so in their protocol.
func TestRefusalsInTheProtocolOfTheClient(t *testing.T) {
	pki := certstest.New(t)
	for p, want := range map[starttls.Protocol]string{
		starttls.SMTP: "421 ", starttls.IMAP: "* BYE ", starttls.POP3: "-ERR ", starttls.Postgres: "57P03\x00M", starttls.LDAP: "1.3.6.1.4.1.1466.20036",
	} {
		r := bridged(t, pki, &Backend{StartTLS: p, Address: freePort(t)}, withStartTLS(p))
		c := r.tcp()
		if said, _ := io.ReadAll(c); !strings.Contains(string(said), want) {
			t.Errorf("%s: %q", p, said)
		}
		c.Close()
		wantOutcome(t, r.record(), inspect.Failure)
	}
}
