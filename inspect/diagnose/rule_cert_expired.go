package diagnose

import (
	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

var ruleCertExpired = Rule{
	ID: string(chain.Expired), Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        chainFaulty,
	Title:       "The backend's certificate is expired",
	Citation:    "RFC 5280, Section 4.1.2.5",
	Explanation: "The leaf's end of validity is past. Every verifying client refuses it. A renewal that was not loaded (no reload after it) looks the same. Check: `openssl s_client -connect HOST:PORT -servername NAME </dev/null | openssl x509 -noout -dates`.",
	CausedBy:    []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		m := e.chainFault(chain.Expired)
		if m != nil {
			m.fixes = append([]inspect.Fix{fix(forBackend, "renew the certificate, and reload the server so that it is used", "certbot renew && systemctl reload nginx")}, serveChain("serve the new certificate")...)
		}
		return m
	},
}
