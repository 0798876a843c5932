package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertWrongUsage = Rule{
	ID: string(chain.WrongUsage), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend's certificate is not meant for servers",
	Citation:    "RFC 5280, Section 4.2.1.12",
	Explanation: "The certificate's usages leave serverAuth out: a client, code or e-mail certificate, or an authority's own was installed. Clients say \"unsuitable certificate purpose\" or \"unsupported certificate\". Check: `openssl x509 -noout -purpose`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.WrongUsage)
		if m != nil {
			m.fixes = append([]inspect.Fix{fix(forBackend, "issue a certificate with extendedKeyUsage serverAuth", "extendedKeyUsage = serverAuth")}, serveChain("serve that certificate")...)
		}
		return m
	},
}
