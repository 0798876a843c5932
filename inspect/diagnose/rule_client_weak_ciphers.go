package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleClientWeakCiphers = Rule{
	ID: "client-weak-ciphers", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	Title:       "The client offers only weak cipher suites",
	Citation:    "RFC 9325, Section 4.2",
	Explanation: "Not one of the client's suites has both forward secrecy and authenticated encryption. (Merely including weak suites beside good ones is no finding.) Strict policies will refuse it.",
	CausedBy:    []string{"client-legacy-version"},
	check: func(e *evidence) *match {
		if !outdated(policy.DimensionCipher, e.client.hello.SupportedCiphers) {
			return nil
		}
		suites := offered(e.client.hello, policy.DimensionCipher)
		if len(suites) == 0 {
			return nil
		}
		if e.refusal == policy.DimensionCipher || e.rejects(policy.DimensionCipher) || e.refusal == policy.DimensionVersion || e.rejects(policy.DimensionVersion) {
			return nil // a graver finding says so already
		}
		return &match{offered: suites, detail: "suites offered: " + enumerate(suites), fixes: modernCiphers(suites)}
	},
}
