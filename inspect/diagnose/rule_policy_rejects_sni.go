package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var rulePolicyRejectsSNI = Rule{
	ID: "policy-rejects-sni", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:        policyRefuses,
	Title:       "The policy does not serve the client's server name",
	Citation:    "RFC 6066, Section 3",
	Explanation: "At the real endpoint this client fails: it sends no server name where one is required, or one that the endpoint does not serve.",
	check: func(e *evidence) *match {
		m := e.policyRefuses(policy.DimensionServerName)
		if m == nil {
			return nil
		}
		if name := e.client.hello.ServerName; name != "" {
			m.fixes = serveName(name)
		} else {
			m.fixes = append([]inspect.Fix{sendSNI()}, defaultServer()...)
		}
		return m
	},
}
