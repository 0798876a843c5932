package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainIntermediateExpired = Rule{
	ID: string(chain.IntermediateExpired), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "An intermediate certificate of the backend's chain is expired",
	Citation:    "RFC 5280, Section 6.1.3",
	Explanation: "The leaf is fine, the certificate above it is not. Clients that know another path may go on (then this is a warning), others fail. The authority publishes a newer intermediate under the same name. Where the root itself is expired nothing that the backend sends helps: the side that verifies has to act, whose store holds it, or the leaf has to be issued anew below a living root. Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.IntermediateExpired)
		if m == nil {
			return nil
		}
		root, above := e.chain.expiredAuthorities()
		m.detail += e.rightChain()
		if root && !above {
			return e.rootExpired(m)
		}
		action := "replace the expired intermediate by the authority's current one, or have the leaf issued anew below it where that has another key"
		if e.chain.fault(chain.LegacyPath) != nil || len(e.chain.right) > 0 && !e.chain.fault(chain.IntermediateExpired).Fatal {
			action = "leave the expired certificate out: there is another path"
		}
		m.fixes = serveChain(action)
		if root {
			m.title = "An intermediate certificate of the backend's chain is expired, and so is the root"
			m.fixes = append(e.replaceRoot()[:1], m.fixes...)
		}
		return m
	},
}

// expiredAuthorities reports whether a trusted root is out of its time, and whether a certificate that was sent above the leaf is.
func (c *chainEvidence) expiredAuthorities() (root, sent bool) {
	expired := func(root bool) bool {
		return slices.ContainsFunc(c.faults, func(f chain.Fault) bool {
			return f.ID == chain.IntermediateExpired && (f.Reason == chain.ReasonExpiredRoot) == root
		})
	}
	return expired(true), expired(false)
}

// rootExpired turns the finding to whoever has the root in a store: the server does not even send it.
func (e *evidence) rootExpired(m *match) *match {
	m.title = "The trusted root of the backend's chain is expired"
	m.fault = inspect.FaultProxy
	if e.watched() {
		m.fault = inspect.FaultClient
	}
	m.detail += "; nothing that the backend sends can mend it"
	m.fixes = e.replaceRoot()
	return m
}

// replaceRoot tells the side that verifies how to trust the authority's living root, and the other how to do without.
func (e *evidence) replaceRoot() []inspect.Fix {
	var fixes []inspect.Fix
	if e.watched() {
		fixes = append(fixes, fix(forClient, "in the client's store, replace the expired root by the authority's current one: with the same name and key the chain stands as it is", "openssl x509 -in ROOT.pem -noout -subject -dates -ext subjectKeyIdentifier"))
	} else {
		fixes = trustCA(e.chain.view)
		fixes[0].Action = "in the store that the chain is checked against, replace the expired root by the authority's current one: with the same name and key the chain stands as it is"
	}
	return append(fixes, fix(forCA, "or have the certificate issued anew below a root that is living, and trusted by those who verify", ""))
}
