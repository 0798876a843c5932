package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertUnsupported = Rule{
	ID: "client-cert-unsupported", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientCertFaulty,
	Title:    "The client's key signs in no way that the server takes",
	Citation: "RFC 8446, Sections 4.2.3 and 4.4.2.3",
	Explanation: "The server lists the signature schemes that it takes from clients, and none fits the key of the client's certificate: an elliptic curve that it does not know, Ed25519, an RSA key where it has no rsa_pss schemes (TLS 1.3 takes no others from RSA keys), or SHA-1 alone. " +
		"Check: `openssl s_client -connect HOST:PORT` prints \"Requested Signature Algorithms\".",
	check: func(e *evidence) *match {
		if e.clientCert != certUnsupported {
			return nil
		}
		m := &match{ended: e.client.failed(), detail: clientCertWords(e.client) + "; it has " + keyWords(e.client.hello.Certificate)}
		if r := e.client.server.CertificateRequest; r != nil && len(r.SignatureAlgorithms) > 0 {
			m.accepted = r.SignatureAlgorithms
			m.detail += "; the server takes " + enumerate(r.SignatureAlgorithms)
		}
		m.fixes = []inspect.Fix{
			fix(forClient, "use a certificate with a key on P-256, which all servers take", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.key"),
			fix(forNginx, "or let the server take more schemes", "ssl_conf_command ClientSignatureAlgorithms ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256;"),
			fix(forHAProxy, "or let the server take more schemes (2.8 and later)", "bind :443 ssl crt FILE ca-file CA verify required client-sigalgs ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256"),
		}
		return m
	},
}
