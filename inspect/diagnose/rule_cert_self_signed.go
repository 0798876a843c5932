package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertSelfSigned = Rule{
	ID: string(chain.SelfSigned), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend's certificate is self-signed",
	Citation:    "RFC 5280, Section 6.1",
	Explanation: "The certificate is its own issuer and is not among the roots: no verifying client can trust it unless it was handed that very certificate. Check: `openssl s_client -connect HOST:PORT -servername NAME` shows the same name for s: and i:.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.SelfSigned)
		if m != nil {
			m.fixes = append([]inspect.Fix{fix(forBackend, "use a certificate of a public or of your own authority", "certbot certonly -d "+plain(e.chain.name, "NAME"))}, append(trustCA(e.chain.view), serveChain("serve that certificate")...)...)
		}
		return m
	},
}
