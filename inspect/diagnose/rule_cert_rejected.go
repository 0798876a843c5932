package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertRejected = Rule{
	ID: "cert-rejected", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        legDown | chainInvalid,
	Title:       "The backend's certificate was not accepted",
	Citation:    "RFC 8446, Section 4.4.2.4",
	Explanation: "Verification failed for a reason that none of the other findings names (name constraints, a critical extension that nobody knows, an authority that may not issue), or the record holds too little of the chain to say. The detail has the library's words.",
	check: func(e *evidence) *match {
		if slices.Contains(e.found, "cert-revoked") || slices.Contains(e.found, "revocation-unknown") && e.chain.revocation().Mode == revocationRequire {
			return nil
		}
		for _, f := range e.chain.faults {
			if f.Fatal {
				return nil
			}
		}
		v := e.backend
		if !v.exists() && e.foreign() {
			v = e.client
		}
		if !invalid(v) && !v.is(inspect.ErrorCertificate) {
			return nil
		}
		m := &match{ended: v.is(inspect.ErrorCertificate), detail: or(v.message(), "the library gave no reason")}
		if v.leg == e.client.leg {
			m.leg = inspect.LegClient
		}
		if invalid(v) && v.server.Validation.Error != "" {
			m.detail = bound(v.server.Validation.Error)
		}
		m.fixes = append([]inspect.Fix{fix(forBackend, "take the chain apart", "tlstriage certs check "+or(e.file(), backendName(v)))}, serveChain("serve a chain that verifies")...)
		return m
	},
}
