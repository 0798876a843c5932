package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertExpiringSoon = Rule{
	ID: string(chain.ExpiringSoon), Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend's certificate expires soon",
	Citation:    "RFC 5280, Section 4.1.2.5",
	Explanation: "Less than 30 days are left, and less than a third of its life. If renewal is automatic, it is late: look at its log. Check: `openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null`.",
	CausedBy:    []string{"cert-expired"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.ExpiringSoon)
		if m != nil {
			m.fixes = append([]inspect.Fix{fix(forBackend, "renew the certificate", "certbot renew && systemctl reload nginx")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
