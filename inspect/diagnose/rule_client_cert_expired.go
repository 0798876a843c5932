package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertExpired = Rule{
	ID: "client-cert-expired", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientCertFaulty,
	Title:    "The client's certificate is expired or not yet valid",
	Citation: "RFC 5280, Section 4.1.2.5",
	Explanation: "The server asked for a client certificate and refuses the one that came because of its dates. A certificate that is not valid yet points to a clock that is wrong on one of the two machines. Check: " +
		"`openssl x509 -in client.pem -noout -dates`.",
	check: func(e *evidence) *match {
		if e.clientCert != certOutOfDate {
			return nil
		}
		return &match{ended: e.client.failed(), detail: clientCertWords(e.client), fixes: []inspect.Fix{
			fix(forClient, "renew the client's certificate, and check its clock", "openssl x509 -in client.pem -noout -dates"),
		}}
	},
}
