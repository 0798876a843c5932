package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertRevoked = Rule{
	ID: "client-cert-revoked", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientCertFaulty,
	Title:    "The client's certificate is revoked",
	Citation: "RFC 5280, Section 6.3",
	Explanation: "The server refuses the client's certificate because it stands on a revocation list, or an OCSP responder says so; with certificate_revoked (alert 44), or as this proxy does with bad_certificate (42). Check: " +
		"`openssl crl -in list.crl -noout -text | grep SERIAL`.",
	check: func(e *evidence) *match {
		if e.clientCert != certWithdrawn {
			return nil
		}
		return &match{ended: e.client.failed(), detail: clientCertWords(e.client), fixes: []inspect.Fix{
			fix(forClient, "get a new certificate; ask the authority why this one was revoked", ""),
			fix(forALB, "if it was revoked by mistake, replace the revocation list of the trust store", "aws elbv2 remove-trust-store-revocations --trust-store-arn ARN --revocation-ids ID"),
		}}
	},
}
