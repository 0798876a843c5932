package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var rulePeerBreaksTLS = Rule{
	ID: "peer-breaks-tls", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     hasError,
	Title:    "This program ended an established connection because of what came over it",
	Citation: "RFC 8446, Section 6.2",
	Explanation: "The handshake was done, and then a peer sent something that TLS does not allow at that point, or that nothing here does: a record that cannot be decrypted, a flood of KeyUpdates or empty records, or the wish of a TLS 1.2 client to negotiate anew. " +
		"Renegotiation is legal, and a real service may take it; TLS 1.3 has none, and neither has this program (nor most load balancers).",
	check: func(e *evidence) *match {
		for _, side := range []struct {
			v     view
			leg   string
			who   string
			fault inspect.Fault
			to    string
		}{{e.client, inspect.LegClient, "client", inspect.FaultClient, forClient}, {e.backend, inspect.LegBackend, "backend", inspect.FaultBackend, forBackend}} {
			if !side.v.exists() || !side.v.established() || side.v.leg.Error == nil || side.v.leg.Error.Type != inspect.ErrorAlertSent || side.v.phase() != inspect.PhaseTransfer {
				continue
			}
			words := bound(side.v.leg.Error.Message)
			m := &match{leg: side.leg, fault: side.fault, detail: "what the " + side.who + " sent was answered with a fatal alert: " + words}
			switch {
			case strings.Contains(words, "clientHelloMsg"), strings.Contains(words, "helloRequestMsg"), strings.Contains(words, "no renegotiation"):
				m.fault = inspect.FaultProxy
				m.title = "The " + side.who + " wants to renegotiate, which this program does not do"
				m.fixes = []inspect.Fix{
					fix(forSelf, "if the service needs it, let the bytes through untouched", "tlstriage proxy --mode passthrough …"),
					fix(side.to, "do without renegotiation; ask for a client certificate in the first handshake", ""),
				}
			case strings.Contains(words, "non-advancing"):
				m.detail += ": more than sixteen KeyUpdates, tickets or empty records in a row without data"
				m.fixes = []inspect.Fix{fix(side.to, "update its keys less often", "")}
			default:
				m.fixes = []inspect.Fix{
					fix(side.to, "update its TLS library", ""),
					fix(forNetwork, "if it is current, something between may change the bytes: compare captures at both ends", ""),
				}
			}
			return m
		}
		return nil
	},
}
