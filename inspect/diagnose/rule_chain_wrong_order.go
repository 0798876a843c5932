package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainWrongOrder = Rule{
	ID: string(chain.WrongOrder), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend sends its chain in the wrong order",
	Citation:    "RFC 5246, Section 7.4.2; RFC 8446, Section 4.4.2",
	Explanation: "Before TLS 1.3 each certificate must be followed by the one that issued it. Most clients sort by themselves; embedded and old ones fail. Check: `openssl s_client -showcerts`: the i: line of one must be the s: line of the next.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.WrongOrder)
		if m != nil {
			m.detail += e.rightChain()
			m.fixes = append(serveChain("put the leaf first, then each certificate's issuer"), fix(forBackend, "see what is sent, in its order", e.showCerts()))
		}
		return m
	},
}
