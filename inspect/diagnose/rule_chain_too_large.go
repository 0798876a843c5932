package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainTooLarge = Rule{
	ID: string(chain.TooLarge), Severity: inspect.SeverityInfo, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The chain does not fit the first flight",
	Citation:    "RFC 6928, Section 2",
	Explanation: "A server may send ten segments before it hears from the client again. What is longer costs every new connection a further round trip, and over QUIC more. Post-quantum key shares leave less room than there used to be. Check: `openssl s_client -connect HOST:PORT -servername NAME </dev/null | grep 'SSL handshake has read'`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.TooLarge)
		if m != nil {
			m.severity = inspect.SeverityInfo
			m.detail += e.rightChain()
			m.fixes = append([]inspect.Fix{fix(forBackend, "send fewer certificates, or have one with an ECDSA key and fewer names issued", "")}, serveChain("leave out what is not needed")...)
		}
		return m
	},
}
