package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainRootSent = Rule{
	ID: string(chain.RootSent), Severity: inspect.SeverityInfo, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend sends the root along",
	Citation:    "RFC 8446, Section 4.4.2",
	Explanation: "A client trusts its own copy of the root or does not trust it at all; the one that is sent costs bytes in every handshake and helps nobody. Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.RootSent)
		if m != nil {
			m.severity = inspect.SeverityInfo
			m.detail += e.rightChain()
			m.fixes = serveChain("leave the root, the last certificate of the file, out")
		}
		return m
	},
}
