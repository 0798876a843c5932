package diagnose

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
)

// Bytes that passed through this program's hands: who ended the connection is known, and the server of the client leg is the backend.
func TestPassedThrough(t *testing.T) {
	passed := func(kind inspect.ErrorType, end inspect.End, ms float64, change ...func(*inspect.Connection)) *inspect.Connection {
		c := frontFails(kind, inspect.PhaseHandshake)
		c.ClientLeg.Passthrough, c.ClientLeg.TLS.Handshake = true, &inspect.Handshake{History: "C"}
		c.BackendLeg = &inspect.Leg{Address: "198.51.100.7", Port: 8443, Passthrough: true}
		c.ClientLeg.TLS.Client.Message.Segments = 1
		c.Event.End, c.Event.DurationMS = end, ms
		for _, f := range change {
			f(c)
		}
		return c
	}
	plain := func(c *inspect.Connection) {
		c.BackendLeg.Error = &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhaseHandshake}
		c.BackendLeg.FirstBytes = &inspect.FirstBytes{Protocol: "http_response", Summary: "HTTP/1.1 400 Bad Request"}
	}
	flight := func(c *inspect.Connection) { c.ClientLeg.TLS.Handshake.History = "Csxkn" }
	for _, tt := range []struct {
		name  string
		in    *inspect.Connection
		cause string
		fault inspect.Fault
		leg   string
		words string // in the cause
		never []string
	}{
		{"plain HTTP, and the client resets", passed(inspect.ErrorReset, inspect.EndedByBackend, 9, plain), "backend-not-tls", inspect.FaultBackend, inspect.LegBackend, "--mode bridge --backend tcp://198.51.100.7:8443", []string{"backend-reset", "client-aborted"}},
		{"plain HTTP, and the client resets first", passed(inspect.ErrorReset, inspect.EndedByClient, 9, plain), "backend-not-tls", inspect.FaultBackend, inspect.LegBackend, "HTTP/1.1 400", []string{"backend-reset", "client-aborted"}},
		{"plain HTTP, and the client closes", passed(inspect.ErrorClosed, inspect.EndedByClient, 9, plain), "backend-not-tls", inspect.FaultBackend, inspect.LegBackend, "plain HTTP", []string{"backend-closed", "client-aborted"}},
		{"plain HTTP behind a PROXY header of ours", passed(inspect.ErrorClosed, inspect.EndedByClient, 9, plain, func(c *inspect.Connection) { c.BackendLeg.ProxyProtocol = "v2" }), "backend-not-tls", inspect.FaultProxy, inspect.LegBackend, "--backend-proxy-protocol none", []string{"client-aborted"}},
		{"the backend closes", passed(inspect.ErrorClosed, inspect.EndedByBackend, 9), "backend-closed", inspect.FaultBackend, inspect.LegClient, "198.51.100.7:8443", []string{"client-aborted", "backend-timeout"}},
		{"the client is in a hurry", passed(inspect.ErrorClosed, inspect.EndedByClient, 90), "client-aborted", inspect.FaultNoise, inspect.LegClient, "before it had an answer", []string{"backend-closed", "backend-timeout"}},
		{"the client gives up", passed(inspect.ErrorClosed, inspect.EndedByClient, 2000), "backend-timeout", inspect.FaultBackend, inspect.LegClient, "gave up, 2.0 s after", []string{"backend-closed", "client-aborted"}},
		{"the client gives up with a reset", passed(inspect.ErrorReset, inspect.EndedByClient, 2000), "backend-timeout", inspect.FaultBackend, inspect.LegClient, "198.51.100.7:8443", []string{"backend-reset", "client-aborted"}},
		{"the client's side resets", passed(inspect.ErrorReset, inspect.EndedByClient, 9), "client-aborted", inspect.FaultNetwork, inspect.LegClient, "client's side reset", []string{"backend-reset"}},
		{"the client gives up on a handshake that came on", passed(inspect.ErrorClosed, inspect.EndedByClient, 2000, flight), "client-aborted", inspect.FaultClient, inspect.LegClient, "after the server's certificate", []string{"backend-timeout"}},
		{"nothing comes in time", passed(inspect.ErrorTimeout, inspect.EndedIdle, 2000), "backend-timeout", inspect.FaultBackend, inspect.LegClient, "openssl s_client -connect 198.51.100.7:8443", []string{"client-timeout"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.in
			(&Diagnoser{}).Diagnose(c)
			if c.Cause != tt.cause || c.Fault != tt.fault {
				t.Fatalf("%s, fault %s; want %s, fault %s: %+v", c.Cause, c.Fault, tt.cause, tt.fault, c.Findings)
			}
			f := c.Findings[0]
			said := f.Title + f.Detail
			for _, x := range f.Fixes {
				said += x.Action + x.Snippet
			}
			if f.Leg != tt.leg || !strings.Contains(said, tt.words) {
				t.Errorf("leg %s, want %s; nothing of %q in %q", f.Leg, tt.leg, tt.words, said)
			}
			for _, f := range c.Findings {
				for _, id := range tt.never {
					if f.ID == id {
						t.Errorf("%s: %s", f.ID, f.Detail)
					}
				}
				for _, x := range f.Fixes {
					if strings.Contains(f.Detail+x.Snippet, "192.0.2.1:443") {
						t.Errorf("%s speaks of the listener as of the backend: %s, %s", f.ID, f.Detail, x.Snippet)
					}
				}
			}
		})
	}
}
