package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertWrongUsage = Rule{
	ID: "client-cert-wrong-usage", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientCertFaulty,
	Title:    "The client's certificate is not meant for clients",
	Citation: "RFC 5280, Section 4.2.1.12; RFC 8446, Section 4.4.2.2",
	Explanation: "A client certificate came, and its usages leave clientAuth, or signing, out: a server's certificate was given to a client. Public authorities issue no certificates with clientAuth for servers any more, so that one certificate no longer does for both. " +
		"OpenSSL answers unsupported_certificate (alert 43). Check: `openssl x509 -in client.pem -noout -ext extendedKeyUsage,keyUsage`.",
	check: func(e *evidence) *match {
		if e.clientCert != certMisused {
			return nil
		}
		m := &match{ended: e.client.failed(), detail: clientCertWords(e.client)}
		if _, known := clientUsage(e.client.hello.Certificate); !known {
			m.detail += "; its usages were not seen: the alert says so most often"
		}
		m.fixes = []inspect.Fix{fix(forClient, "use a certificate that has clientAuth among its usages, and digitalSignature", "extendedKeyUsage = clientAuth\nkeyUsage = critical,digitalSignature")}
		return m
	},
}
