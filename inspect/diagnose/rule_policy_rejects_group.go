package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var rulePolicyRejectsGroup = Rule{
	ID: "policy-rejects-group", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:        policyRefuses,
	Title:       "The policy accepts none of the client's key exchange groups",
	Citation:    "RFC 8446, Section 4.2.7",
	Explanation: "At the real endpoint this client fails: no curve or other group is in both lists. Few policies leave x25519 and secp256r1 out; clients that have neither are old or special.",
	check: func(e *evidence) *match {
		m := e.policyRefuses(policy.DimensionGroup)
		if m != nil {
			m.fixes = e.named(append(modernGroups(m.offered), acceptGroups(m.offered)...))
		}
		return m
	},
}
