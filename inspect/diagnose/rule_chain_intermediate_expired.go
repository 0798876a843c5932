package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainIntermediateExpired = Rule{
	ID: string(chain.IntermediateExpired), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "An intermediate certificate of the backend's chain is expired",
	Citation:    "RFC 5280, Section 6.1.3",
	Explanation: "The leaf is fine, the certificate above it is not. Clients that know another path may go on (then this is a warning), others fail. The authority publishes a newer intermediate under the same name. Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.IntermediateExpired)
		if m != nil {
			m.detail += e.rightChain()
			if e.chain.reason(chain.IntermediateExpired) == chain.ReasonExpiredRoot {
				m.title = "The root of the backend's chain is expired"
			}
			action := "replace the expired intermediate by the authority's current one"
			if e.chain.fault(chain.LegacyPath) != nil {
				action = "leave the expired certificate out: there is another path"
			}
			m.fixes = serveChain(action)
		}
		return m
	},
}
