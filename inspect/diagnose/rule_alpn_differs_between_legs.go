package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleALPNDiffersBetweenLegs = Rule{
	ID: "alpn-differs-between-legs", Severity: inspect.SeverityInfo, Leg: inspect.LegBetween, Fault: inspect.FaultBackend,
	when:     backendLegUp,
	Title:    "The two legs speak different application protocols",
	Citation: "RFC 7301, Section 3.2",
	Explanation: "The client leg agreed on one protocol, the backend leg on another. A proxy that understands HTTP translates between them, and this is fine; where bytes are bridged, the backend receives a protocol that it did not choose, " +
		"and requests break (a warning then).",
	CausedBy: []string{idBackendALPNMismatch},
	check: func(e *evidence) *match {
		if e.c.HTTP != nil {
			return nil // requests are translated
		}
		if !e.client.established() || !e.backend.established() || e.client.leg.Passthrough || e.backend.leg.Plain {
			return nil
		}
		front, back := e.client.tls.NextProtocol, e.backend.tls.NextProtocol
		if front == back || orHTTP1(front) == orHTTP1(back) {
			return nil
		}
		m := &match{
			offered: []string{or(front, "none")}, accepted: []string{or(back, "none")},
			detail: "client leg " + or(bound(front), "none") + ", backend leg " + or(bound(back), "none"),
			fixes:  append([]inspect.Fix{}, alpnFixes([]string{front})...),
		}
		if e.backend.leg.Error != nil && e.backend.leg.Error.Phase == inspect.PhaseTransfer {
			m.severity = inspect.SeverityWarning
		}
		return m
	},
}

// orHTTP1 is what is spoken without a negotiated protocol.
func orHTTP1(p string) string { return or(p, "http/1.1") }
