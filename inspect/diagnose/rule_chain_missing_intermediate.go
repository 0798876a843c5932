package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainMissingIntermediate = Rule{
	ID: string(chain.MissingIntermediate), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend does not send an intermediate certificate",
	Citation:    "RFC 8446, Section 4.4.2",
	Explanation: "The leaf's issuer is neither sent nor a known root, so no path can be built. Browsers often hide this (they fetch or remember intermediates); curl, Java, Go and every proxy fail with \"unable to get local issuer certificate\". Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.MissingIntermediate)
		if m == nil {
			return nil
		}
		if missing := e.chain.fault(chain.MissingIntermediate).Missing; missing != "" {
			m.accepted = []string{missing}
		}
		m.detail += e.rightChain()
		m.fixes = append(serveChain("send leaf and intermediates in one file"), fix(forBackend, "see what is sent, and who issued the last certificate", e.showCerts()))
		m.fixes = append(m.fixes, trustCA(e.chain.view)...)
		return m
	},
}
