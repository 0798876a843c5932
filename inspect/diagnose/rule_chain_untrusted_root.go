package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainUntrustedRoot = Rule{
	ID: string(chain.UntrustedRoot), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend's chain leads to a root that is not trusted here",
	Citation:    "RFC 5280, Section 6.1",
	Explanation: "The chain is whole, but its root is not among those that this program was given: a private authority, or a public one that this machine's list is too old for. An intermediate that the backend does not send looks the same where nothing tells that it is one: then the detail names both. Check: `openssl verify -CAfile ROOTS -untrusted intermediates.pem leaf.pem`.",
	CausedBy:    []string{"default-certificate-served", "cert-self-signed", "chain-missing-intermediate"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.UntrustedRoot)
		switch {
		case m == nil:
		case e.chain.undecided(chain.UntrustedRoot):
			m.title = "The backend's chain leads to an authority that is not known here: a root that is not trusted, or an intermediate that was not sent"
			m.fixes = e.eitherWay()
		case e.watched():
			m.fixes = append(trustInClient(), fix(forBackend, "or use a certificate of a public authority", ""))
		default:
			m.fixes = append(trustCA(e.chain.view), fix(forBackend, "or use a certificate of a public authority", ""), fix(forSelf, "or update this machine's roots", "update-ca-certificates"))
		}
		return m
	},
}
