package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleGroupNoOverlap = Rule{
	ID: "group-no-overlap", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "Client and server have no key exchange group in common",
	Citation: "RFC 8446, Section 4.2.7; RFC 8422, Section 5.1.1",
	Explanation: "No curve or other group is in both lists, so no (EC)DHE key exchange is possible; in TLS 1.3 that ends the handshake, in TLS 1.2 it takes all ECDHE suites away. Check: " +
		"`openssl s_client -groups P-256:X25519 -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		if e.refusal != policy.DimensionGroup {
			return nil
		}
		m := e.noOverlap(policy.DimensionGroup, "group")
		m.fixes = e.named(append(modernGroups(m.offered), acceptGroups(m.offered)...))
		return m
	},
}

// modernGroups is what to tell a client that lacks the groups that every server has.
func modernGroups(offered []string) []inspect.Fix {
	if slices.Contains(offered, "x25519") && slices.Contains(offered, "secp256r1") {
		return nil
	}
	return []inspect.Fix{fix(forClient, "let it offer x25519 and secp256r1, which every server has", "openssl s_client -groups X25519:P-256 …")}
}
