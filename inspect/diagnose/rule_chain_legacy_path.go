package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainLegacyPath = Rule{
	ID: string(chain.LegacyPath), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "Old clients follow this chain into a dead end",
	Citation:    "RFC 4158, Section 2.4",
	Explanation: "The chain as it is sent leads to a root or cross-certificate that has expired or that nobody trusts any more. Clients that look for other paths (Go, OpenSSL 1.1.0 and later, browsers) find the good one; those that follow the chain as sent (OpenSSL 1.0, GnuTLS before 3.6.14, old appliances and language runtimes that carry them) stop there and say \"certificate has expired\" or \"unable to get issuer certificate\". Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null`.",
	CausedBy:    []string{"default-certificate-served", "chain-intermediate-expired"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.LegacyPath)
		if m != nil {
			m.detail += e.rightChain()
			m.fixes = serveChain("leave out the certificate that leads astray")
			switch e.chain.reason(chain.LegacyPath) {
			case chain.ReasonKeyIDMismatch:
				m.title = "A key identifier in the chain names another key than the issuer has"
				m.fixes = append([]inspect.Fix{fix(forBackend, "serve the issuer's certificate with the key identifier that the leaf names, or have the leaf issued anew", "")}, serveChain("serve the matching chain")...)
			case chain.ReasonUntrustedTop:
				// The certificate is there for old clients that do trust what signed it.
				if !e.chain.refusedByAny(chain.LegacyPath, chain.FamilyOpenSSL10) {
					m.severity = inspect.SeverityInfo
					m.title = "The chain is sent with a cross-certificate of an authority that is not trusted here"
				}
			}
		}
		return m
	},
}
