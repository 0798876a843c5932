package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleBackendALPNMismatch = Rule{
	ID: idBackendALPNMismatch, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     backendRefuses | backendLegUp,
	Title:    "The backend does not speak the application protocol that the client wants",
	Citation: "RFC 7301, Section 3.2",
	Explanation: "The client's protocols are offered to the backend as they are, so that both legs agree. Here the backend refused them all (no_application_protocol), or chose none for a client that offers only HTTP/2, as gRPC clients do. " +
		"Check: `openssl s_client -alpn h2 -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		asked := e.backend.hello.ALPNProtocols
		if e.backendBy == idBackendALPNMismatch {
			m := &match{ended: e.backend.failed(), offered: asked, detail: refusedWords(e.backend, policy.DimensionALPN), fixes: alpnFixes(asked)}
			if e.withoutALPN() != nil {
				m.title = "The backend refuses the application protocols that the client offers, and goes on where none is offered"
				m.detail += "; looked at again without ALPN it takes the same hello"
			}
			if slices.Contains(asked, "http/1.1") && !slices.Contains(asked, "h2") {
				m.fixes = append([]inspect.Fix{fix(forSelf, "if the backend speaks HTTP/2 only: mode http asks it in that, whatever the client speaks", "tlstriage proxy --mode http --backend-protocol h2 …")}, m.fixes...)
			}
			return m
		}
		wants := e.client.hello.ALPNProtocols
		if e.c.HTTP != nil {
			return nil // each leg has a protocol of its own, and requests are carried between them
		}
		if !e.backend.established() || e.backend.leg.Plain || len(asked) == 0 || len(wants) == 0 || e.backend.tls.NextProtocol != "" || e.backend.tls.Resumed {
			return nil
		}
		if slices.ContainsFunc(wants, func(p string) bool { return p == "http/1.1" || p == "http/1.0" }) {
			return nil // without a choice they speak HTTP/1
		}
		severity, without := inspect.SeverityWarning, "the client cannot fall back to HTTP/1.1"
		switch {
		case slices.Contains(wants, "postgresql"):
			without = "clients of PostgreSQL that speak TLS at once (libpq) do not go on without"
			if !e.client.leg.Silent {
				severity, without = inspect.SeverityInfo, without+"; this one did"
			}
		case !slices.Contains(wants, "h2"):
			severity = inspect.SeverityInfo // a server without ALPN may well speak the one protocol that it is there for
		}
		return &match{severity: severity, offered: asked, detail: "offered to the backend: " + enumerate(asked) + "; it chose none, and " + without, fixes: alpnFixes(asked)}
	},
}
