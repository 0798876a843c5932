package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleVersionDowngradeBetweenLegs = Rule{
	ID: "version-downgrade-between-legs", Severity: inspect.SeverityWarning, Leg: inspect.LegBetween, Fault: inspect.FaultBackend,
	when:        backendLegUp,
	Title:       "The backend leg uses a deprecated TLS version, the client leg a current one",
	Citation:    "RFC 8996, Section 2",
	Explanation: "The client speaks TLS 1.2 or 1.3 to the proxy, and its data goes on over TLS 1.1 or older. (TLS 1.3 before TLS 1.2 is no finding.) The backend must learn a current version.",
	CausedBy:    []string{"backend-below-policy"},
	check: func(e *evidence) *match {
		if !currentVersion(e.client.tls.Version) || !legacyVersion(e.backend.tls.Version) || !e.backend.established() {
			return nil
		}
		return &match{
			offered: []string{e.client.tls.Version}, accepted: []string{e.backend.tls.Version},
			detail: "client leg " + e.client.tls.Version + ", backend leg " + e.backend.tls.Version,
			fixes:  append([]inspect.Fix{fix(forBackend, "turn TLS 1.2 and 1.3 on", "")}, acceptVersion("TLSv1.2")...),
		}
	},
}
