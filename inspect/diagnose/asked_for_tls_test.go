package diagnose

import (
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// What becomes of clients and backends that begin in plain text and do not come to TLS.
func TestBeginningsInPlainText(t *testing.T) {
	for _, tt := range []ruleCase{
		{name: "a monitor that says EHLO and goes", in: inPlainText("smtp", "EHLO", true), cause: "client-starttls-missing", fault: inspect.FaultNoise, verdict: inspect.Warning, never: []string{"connection-empty", "client-aborted", "handshake-unexplained"}},
		{name: "the client leaves in place of its hello", in: agreedOn("postgres", inspect.ErrorClosed), cause: "client-aborted", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"connection-empty", "handshake-unexplained"}},
		{name: "a connection without a word", in: agreedOn("smtp", inspect.ErrorEmpty), cause: "connection-empty", fault: inspect.FaultNoise, verdict: inspect.Warning, never: []string{"client-aborted"}},
		{name: "the backend offers no TLS", in: with(func(c *inspect.Connection) {
			c.Event.Outcome = inspect.Failure
			c.ClientLeg = &inspect.Leg{StartTLS: &inspect.StartTLS{Protocol: "smtp"}, Error: &inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS}}
			c.BackendLeg.TLS, c.BackendLeg.StartTLS = nil, &inspect.StartTLS{Protocol: "smtp", Refused: true}
			c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS, Message: "starttls smtp: the server does not offer it, and the client left"}
		}), cause: "backend-starttls-refused", fault: inspect.FaultBackend, verdict: inspect.Failed, never: []string{"connection-empty", "client-starttls-missing", "client-aborted"}},
		{name: "libldap gives TLS up behind the handshake", in: goesOn(inspect.ErrorNotTLS), cause: "server-cert-rejected-by-client", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"peer-breaks-tls", "not-tls-other"}},
		{name: "a record that cannot be decrypted behind the handshake", in: goesOn(inspect.ErrorAlertSent), cause: "peer-breaks-tls", fault: inspect.FaultClient, verdict: inspect.Failed, never: []string{"server-cert-rejected-by-client"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.diagnoser().Diagnose(tt.in)
			check(t, tt.in, tt)
		})
	}
}

// agreedOn is a connection whose client asked for TLS in a protocol, and sent nothing of a hello.
func agreedOn(protocol string, how inspect.ErrorType) *inspect.Connection {
	c := silentFront(how, "", "")
	c.ClientLeg.Error.Phase = inspect.PhasePeek
	c.ClientLeg.StartTLS = &inspect.StartTLS{Protocol: protocol}
	return c
}

// goesOn is a connection that stood, and over which the client then sent what is no TLS.
func goesOn(how inspect.ErrorType) *inspect.Connection {
	return with(func(c *inspect.Connection) {
		c.ClientLeg.StartTLS = &inspect.StartTLS{Protocol: "ldap"}
		c.ClientLeg.Error = &inspect.Error{Type: how, Phase: inspect.PhaseTransfer, Message: "tls: received record with version 502 when expecting version 303"}
	})
}
