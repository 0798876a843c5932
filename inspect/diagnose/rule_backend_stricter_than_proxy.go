package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleBackendStricterThanProxy = Rule{
	ID: "backend-stricter-than-proxy", Severity: inspect.SeverityWarning, Leg: inspect.LegBetween, Fault: inspect.FaultBackend,
	when:        backendLegDown,
	Title:       "The proxy takes a client, and the backend refuses the proxy",
	Citation:    "RFC 8446, Section 4.1.1",
	Explanation: "The client leg stands, and the backend leg found nothing in common: what the backend accepts is narrower than what this program offers it. The client is told 502, although its own handshake was fine.",
	CausedBy:    []string{idBackendVersionNoOverlap, idBackendCipherNoOverlap, idBackendALPNMismatch},
	check: func(e *evidence) *match {
		if !e.client.established() || !e.backend.failed() {
			return nil
		}
		switch e.backendBy {
		case idBackendVersionNoOverlap, idBackendCipherNoOverlap, idBackendALPNMismatch:
		default:
			return nil
		}
		return &match{
			offered: offered(e.backend.hello, policy.DimensionVersion),
			detail:  "client leg " + e.client.tls.Version + " " + bound(e.client.tls.Cipher) + "; backend leg refused",
			fixes: []inspect.Fix{
				fix(forBackend, "let it accept what its clients' front accepts", ""),
				fix(forSelf, "see what the backend accepts", enumCiphers(e.backend)),
			},
		}
	},
}
