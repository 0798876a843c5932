package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertMissing = Rule{
	ID: "client-cert-missing", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientCertFaulty | inferred | clientCertNone,
	Title:    "The server wants a client certificate and the client sent none",
	Citation: "RFC 8446, Section 4.4.2.4",
	Explanation: "The server asked for a certificate (mutual TLS) and got none: the client has none configured, or none that fits the authorities and signature schemes that the server lists. In TLS 1.3 the answer is certificate_required " +
		"(alert 116), before it bad_certificate (42) or handshake_failure (40). In a capture without keys a short record of the server tells it, which is a warning: a goodbye looks the same; and where the handshake was done without a certificate, it is only worth knowing. Check: `openssl s_client -connect HOST:PORT` prints the acceptable authorities.",
	check: func(e *evidence) *match {
		m := &match{ended: e.client.failed(), detail: "no client certificate came"}
		if i := e.inferred(inspect.InferredClientCertificateMissing); i != nil && e.client.alert(inspect.FromServer) == nil {
			m.title, m.detail = "The server seems to want a client certificate, and the client to have none", "inferred: "+bound(i.Basis)
			e.likely(m)
		} else if e.clientCert != certMissing {
			if !e.wentWithoutCertificate() {
				return nil
			}
			m.severity, m.title = inspect.SeverityInfo, "The server asks for a client certificate, and took a client without one"
			m.detail = "the client's Certificate message has no certificate in it, and the handshake was done all the same; a web server that insists (nginx: 400, No required SSL certificate was sent) says so in what is encrypted here"
		}
		if r := e.client.server.CertificateRequest; r != nil && len(r.Authorities) > 0 {
			m.accepted = r.Authorities
			m.detail += "; the server takes those of " + enumerate(r.Authorities)
		}
		if r := e.client.server.CertificateRequest; r != nil && len(r.SignatureAlgorithms) > 0 {
			m.detail += "; its key must sign in one of " + enumerate(r.SignatureAlgorithms)
		}
		if a := e.client.alert(inspect.FromServer); a != nil {
			m.detail += "; the server answered " + spell(a)
		}
		m.fixes = append([]inspect.Fix{
			fix(forClient, "give it a certificate and key that one of the server's authorities issued", "curl --cert client.pem --key client.key https://"+plain(e.client.hello.ServerName, "NAME")+"/"),
		}, optionalClientCert()...)
		return m
	},
}

// optionalClientCert tells each server how not to insist on a client certificate.
func optionalClientCert() []inspect.Fix {
	return []inspect.Fix{
		fix(forNginx, "if it should be optional", "ssl_verify_client optional;"),
		fix(forHAProxy, "if it should be optional", "bind :443 ssl crt FILE ca-file CA verify optional"),
		fix(forALB, "if it should be optional, turn mutual TLS off or to passthrough", "aws elbv2 modify-listener --listener-arn LISTENER_ARN --mutual-authentication Mode=passthrough"),
		fix(forIngress, "if it should be optional", "nginx.ingress.kubernetes.io/auth-tls-verify-client: \"optional\""),
		fix(forEnvoy, "if it should be optional", "require_client_certificate: false"),
		fix(forApache, "if it should be optional", "SSLVerifyClient optional"),
		fix(forSelf, "if this listener should not insist", "tlstriage proxy --client-auth request …"),
	}
}
