package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleSCTInvalid = Rule{
	ID: string(chain.SCTInvalid), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "A certificate timestamp is not what its log signed",
	Citation:    "RFC 6962, Section 3.2",
	Explanation: "A timestamp of the certificate cannot be read, is from the future, or its signature is not that of the log that it names. Browsers do not count it, and refuse the certificate when too few are left. Check: `openssl x509 -noout -text -in leaf.pem | grep -A8 'CT Precertificate SCTs'`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.SCTInvalid)
		if m != nil {
			switch e.chain.reason(chain.SCTInvalid) {
			case chain.ReasonSCTSyntax:
				m.title = "A certificate timestamp cannot be read"
			case chain.ReasonSCTFuture:
				m.title = "A certificate timestamp is from the future"
				m.fixes = append(m.fixes, fix(forSelf, "check this machine's clock first", "timedatectl"))
			}
			m.fixes = append(m.fixes, append([]inspect.Fix{fix(forBackend, "have it issued anew; timestamps belong to one certificate and cannot be carried over to another", "")}, serveChain("serve the new certificate")...)...)
		}
		return m
	},
}
