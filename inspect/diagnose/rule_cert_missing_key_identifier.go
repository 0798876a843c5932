package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertMissingKeyIdentifier = Rule{
	ID: string(chain.MissingKeyID), Severity: inspect.SeverityInfo, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A certificate lacks its key identifiers",
	Citation:    "RFC 5280, Sections 4.2.1.1 and 4.2.1.2",
	Explanation: "Clients that verify strictly (Python 3.13 and later set X509_STRICT by default) refuse a certificate without an authority key identifier, or an authority without a subject key identifier; others do not look. Private authorities made by a few lines of openssl often lack them. Check: `openssl verify -x509_strict -CAfile root.pem -untrusted intermediates.pem leaf.pem`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.MissingKeyID)
		if m != nil {
			m.severity = inspect.SeverityInfo
			if !e.chain.ofLeaf(chain.MissingKeyID) {
				m.title = "An authority's certificate lacks its key identifiers"
			}
			m.fixes = append([]inspect.Fix{fix(forBackend, "have it issued anew with both identifiers", "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
