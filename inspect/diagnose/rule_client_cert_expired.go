package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleClientCertExpired = Rule{
	ID: "client-cert-expired", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	Title:    "The client's certificate is expired or not yet valid",
	Citation: "RFC 5280, Section 4.1.2.5",
	Explanation: "The server asked for a client certificate and refuses the one that came because of its dates. A certificate that is not valid yet points to a clock that is wrong on one of the two machines. Check: " +
		"`openssl x509 -in client.pem -noout -dates`.",
	check: func(e *evidence) *match {
		if e.clientCert != certOutOfDate {
			return nil
		}
		return &match{ended: e.client.failed(), detail: clientCertWords(e), fixes: []inspect.Fix{
			fix(forClient, "renew the client's certificate, and check its clock", "openssl x509 -in client.pem -noout -dates"),
		}}
	},
}

// clientCertWords describes the client's certificate and the server's answer.
func clientCertWords(e *evidence) string {
	s := "the client's certificate was refused"
	if x := e.client.hello.Certificate; x != nil {
		s = fmt.Sprintf("%s, issued by %s, valid from %s to %s", bound(x.Subject), bound(x.Issuer), day(x.NotBefore), day(x.NotAfter))
	}
	if a := e.client.alert(inspect.FromServer); a != nil {
		s += "; the server answered " + spell(a)
	} else if msg := e.client.message(); msg != "" {
		s += "; " + msg
	}
	return s
}
