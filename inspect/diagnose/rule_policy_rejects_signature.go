package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var rulePolicyRejectsSignature = Rule{
	ID: "policy-rejects-signature", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:        policyRefuses,
	Title:       "The endpoint cannot sign with any algorithm that the client accepts",
	Citation:    "RFC 8446, Section 4.2.3; RFC 9155",
	Explanation: "At the real endpoint this client fails: its signature algorithms do not fit the endpoint's certificate. A client that knows only SHA-1 or MD5 must be updated; otherwise a second certificate of the other key type helps.",
	check: func(e *evidence) *match {
		m := e.policyRefuses(policy.DimensionSignature)
		if m != nil {
			m.fixes = signatureFixes()
		}
		return m
	},
}
