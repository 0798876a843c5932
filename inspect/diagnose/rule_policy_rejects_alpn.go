package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var rulePolicyRejectsALPN = Rule{
	ID: "policy-rejects-alpn", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:        policyRefuses,
	Title:       "The policy speaks none of the client's application protocols",
	Citation:    "RFC 7301, Section 3.2",
	Explanation: "At the real endpoint this client fails with no_application_protocol (alert 120): it offers protocols, and the endpoint has none of them.",
	check: func(e *evidence) *match {
		m := e.policyRefuses(policy.DimensionALPN)
		if m != nil {
			m.fixes = alpnFixes(m.offered)
		}
		return m
	},
}
