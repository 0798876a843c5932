package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertUnproven = Rule{
	ID: "client-cert-unproven", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientCertFaulty,
	Title:    "The client did not prove that its certificate is its own",
	Citation: "RFC 8446, Section 4.4.3",
	Explanation: "The client's signature over the handshake does not verify with the key of the certificate that it sent: key and certificate do not belong together, a smart card or key service signs wrongly, or the handshake was changed on the way. " +
		"The server answers decrypt_error (alert 51). Check that both print the same: `openssl x509 -in client.pem -noout -pubkey`, `openssl pkey -in client.key -pubout`.",
	check: func(e *evidence) *match {
		if e.clientCert != certUnproven {
			return nil
		}
		return &match{ended: e.client.failed(), detail: clientCertWords(e.client), fixes: []inspect.Fix{
			fix(forClient, "give it the key that belongs to its certificate", "openssl x509 -in client.pem -noout -pubkey; openssl pkey -in client.key -pubout"),
			fix(forNetwork, "if they belong together, a middlebox may change the handshake: compare captures at both ends", ""),
		}}
	},
}
