package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainUntrustedRoot = Rule{
	ID: string(chain.UntrustedRoot), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend's chain leads to a root that is not trusted here",
	Citation:    "RFC 5280, Section 6.1",
	Explanation: "The chain is whole, but its root is not among those that this program was given: a private authority, or a public one that this machine's list is too old for. Check: `openssl verify -CAfile ROOTS -untrusted intermediates.pem leaf.pem`.",
	CausedBy:    []string{"default-certificate-served", "cert-self-signed", "chain-missing-intermediate"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.UntrustedRoot)
		if m != nil {
			if e.watched() {
				m.fixes = []inspect.Fix{fix(forClient, "let it trust this root: it judges the chain itself", "curl --cacert ROOT.pem … / openssl s_client -CAfile ROOT.pem …"), fix(forBackend, "or use a certificate of a public authority", "")}
				return m
			}
			m.fixes = append(trustCA(e.chain.view), fix(forBackend, "or use a certificate of a public authority", ""), fix(forSelf, "or update this machine's roots", "update-ca-certificates"))
		}
		return m
	},
}
