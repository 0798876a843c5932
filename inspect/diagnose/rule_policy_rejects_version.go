package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var rulePolicyRejectsVersion = Rule{
	ID: "policy-rejects-version", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:     policyRefuses,
	Title:    "The policy accepts none of the client's TLS versions",
	Citation: "RFC 8446, Section 4.2.1; RFC 8996",
	Explanation: "At the real endpoint this client fails: no version that it offers is in the policy. The client must act when all it has is deprecated, the policy's owner when the client offers TLS 1.2 or 1.3. Check: " +
		"`tlstriage policy show NAME`; `tlstriage proxy --policy NAME` tells for each client what another policy would do.",
	check: func(e *evidence) *match {
		m := e.policyRefuses(policy.DimensionVersion)
		if m != nil {
			top := newest(m.offered)
			m.fixes = e.named(append([]inspect.Fix{updateClient(top)}, acceptVersion(top)...))
		}
		return m
	},
}
