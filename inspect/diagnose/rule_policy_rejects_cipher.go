package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var rulePolicyRejectsCipher = Rule{
	ID: "policy-rejects-cipher", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:     policyRefuses,
	Title:    "The policy accepts none of the client's cipher suites",
	Citation: "RFC 5246, Section 7.4.1.3; RFC 9325, Section 4.2",
	Explanation: "At the real endpoint this client fails: version agreed, but no suite is left. Clients with only CBC, RSA key exchange, RC4 or 3DES must be updated; a policy that refuses ECDHE with AES-GCM is too strict " +
		"for its clients. Check: `tlstriage policy show NAME`.",
	check: func(e *evidence) *match {
		m := e.policyRefuses(policy.DimensionCipher)
		if m != nil {
			m.fixes = e.named(append(modernCiphers(m.offered), acceptCiphers(m.offered)...))
		}
		return m
	},
}
