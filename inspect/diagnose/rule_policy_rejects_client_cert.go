package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var rulePolicyRejectsClientCert = Rule{
	ID: "policy-rejects-client-cert", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:        policyRefuses,
	Title:       "The policy requires a client certificate, which the client did not send",
	Citation:    "RFC 8446, Section 4.4.2.4",
	Explanation: "At the real endpoint this client fails: mutual TLS is required there, and here the client came without a certificate.",
	check: func(e *evidence) *match {
		if e.clientCert != certFine {
			return nil // it was tried, and failed
		}
		m := e.policyRefuses(policy.DimensionClientCertificate)
		if m != nil {
			m.detail = "no client certificate came; policy " + bound(e.c.Policy.Name) + " requires one"
			m.fixes = append([]inspect.Fix{fix(forClient, "give it a certificate of an authority that the endpoint accepts", "curl --cert client.pem --key client.key https://NAME/")}, optionalClientCert()...)
		}
		return m
	},
}
