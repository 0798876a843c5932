package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertMalformed = Rule{
	ID: string(chain.Malformed), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "A certificate of the backend does not parse",
	Citation:    "RFC 5280, Section 4.1",
	Explanation: "What was sent as a certificate is not one, or breaks the encoding rules so that strict parsers refuse it (a negative serial number, a wrong encoding of a name). Check: `openssl x509 -in leaf.pem -noout -text`.",
	check: func(e *evidence) *match {
		m := e.chainFault(chain.Malformed)
		if m != nil {
			m.fixes = append([]inspect.Fix{fix(forBackend, "have the certificate issued anew", "")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
