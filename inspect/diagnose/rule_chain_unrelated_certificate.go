package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainUnrelatedCertificate = Rule{
	ID: string(chain.Unrelated), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend sends a certificate that does not belong to the chain",
	Citation:    "RFC 8446, Section 4.4.2",
	Explanation: "One of the certificates sent issued none of the others: a left-over of a former chain, or the wrong file. Most clients ignore it; some refuse, and often the one that is needed is missing instead. Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.Unrelated)
		if m != nil {
			m.detail += e.rightChain()
			if e.chain.reason(chain.Unrelated) == chain.ReasonDuplicateSent {
				m.title = "The backend sends a certificate twice"
			}
			m.fixes = append(serveChain("take the unrelated certificate out of the file"), fix(forBackend, "see what is sent, in its order", e.showCerts()))
		}
		return m
	},
}
