package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleChainMissingIntermediate = Rule{
	ID: string(chain.MissingIntermediate), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend does not send an intermediate certificate",
	Citation:    "RFC 8446, Section 4.4.2",
	Explanation: "The issuer of the last certificate sent is neither sent nor a known root, so no path can be built; or what is sent under its name has another key. Where nothing tells an intermediate from a private root, the detail names both. Browsers often hide this (they fetch or remember intermediates); curl, Java, Go and every proxy fail with \"unable to get local issuer certificate\". Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts`.",
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
		switch e.chain.reason(chain.MissingIntermediate) {
		case chain.ReasonUnknownIssuer:
			m.title = "The issuer of the backend's certificate is not known here: an intermediate that was not sent, or a root that is not trusted"
			m.fixes = e.eitherWay()
			return m
		case chain.ReasonAnotherKey:
			m.title = "The backend sends an intermediate certificate with another key than the issuer's"
			m.fixes = append([]inspect.Fix{fix(forBackend, "replace it by the certificate of the same name whose subject key identifier is the leaf's authority key identifier", "openssl x509 -in leaf.pem -noout -ext authorityKeyIdentifier\nopenssl x509 -in intermediate.pem -noout -ext subjectKeyIdentifier")},
				serveChain("send the leaf and the intermediate that issued it in one file")...)
			return m
		}
		m.fixes = append(serveChain("send leaf and intermediates in one file"), fix(forBackend, "see what is sent, and who issued the last certificate", e.showCerts()))
		m.fixes = append(m.fixes, trustCA(e.chain.view)...)
		return m
	},
}
