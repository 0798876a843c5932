package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientCertCannotPass = Rule{
	ID: "client-cert-cannot-pass", Severity: inspect.SeverityInfo, Leg: inspect.LegBetween, Fault: inspect.FaultProxy,
	when:     backendAsked | backendRefuses,
	Title:    "The client's own certificate cannot pass a proxy that ends TLS",
	Citation: "RFC 8446, Section 4.4.3",
	Explanation: "A client proves that it has the key of its certificate by signing this very handshake; nobody in the middle can sign another one for it. Where a proxy ends TLS, the backend sees the proxy's certificate or none, never the client's. " +
		"There are two ways out: let the bytes through untouched (passthrough), so that client and backend shake hands with each other; or let the proxy check the client's certificate, show the backend one of its own, and hand the client's identity on in a header (RFC 9440), which the backend must believe from this proxy alone.",
	CausedBy: []string{idBackendRequiresClientCert, idBackendRejectsClientCert},
	check: func(e *evidence) *match {
		asked := e.backend.server.CertificateRequest
		required := e.backendBy == idBackendRequiresClientCert
		refused := e.backendBy == idBackendRejectsClientCert
		if e.foreign() || !e.client.exists() || !required && !refused && (asked == nil || asked.CertificateSent) {
			return nil
		}
		m := &match{severity: inspect.SeverityWarning}
		front := e.client.server.CertificateRequest
		switch x := e.client.hello.Certificate; {
		case x != nil:
			m.detail = "the client sent " + or(bound(x.Subject), "a certificate") + " to this proxy"
			m.offered = []string{or(x.Subject, "a certificate")}
		case front != nil && front.CertificateSent:
			m.detail = "the client sent a certificate to this proxy"
		case required && front == nil:
			m.severity, m.detail = inspect.SeverityInfo, "this listener asks its clients for no certificate, and those of such a backend usually have one"
		default:
			return nil // it was asked and had none, or nothing tells (curl offers post_handshake_auth whether it has one or not)
		}
		m.detail += "; the backend wants one, and what it "
		switch {
		case refused:
			m.detail += "got is the proxy's, which it refuses"
		case required:
			m.detail += "got is none: the client's cannot be handed on"
		default:
			m.severity = inspect.SeverityInfo
			m.detail += "got is none; it went on all the same"
		}
		if asked != nil && len(asked.Authorities) > 0 {
			m.accepted = asked.Authorities
		}
		m.fixes = []inspect.Fix{
			fix(forSelf, "let the bytes through: client and backend then shake hands with each other", "tlstriage proxy --mode passthrough …"),
			fix(forSelf, "or check the client's certificate here, and show the backend one of the proxy's own", "tlstriage proxy --client-ca FILE --client-auth require --backend-cert FILE --backend-key FILE …"),
			fix(forNginx, "if nginx stands in the proxy's place: pass through by name (ngx_stream_ssl_preread), or hand the identity on", "proxy_ssl_certificate FILE;\nproxy_ssl_certificate_key FILE;\nproxy_set_header Client-Cert $ssl_client_escaped_cert;"),
			fix(forHAProxy, "if HAProxy stands in the proxy's place: mode tcp without ssl, or hand the identity on", "http-request set-header Client-Cert :%[ssl_c_der,base64]:"),
			fix(forALB, "an ALB never hands it on as TLS: mutual TLS passthrough puts it into the header X-Amzn-Mtls-Clientcert, or use an NLB with a TCP listener", "aws elbv2 modify-listener --listener-arn LISTENER_ARN --mutual-authentication Mode=passthrough"),
			fix(forIngress, "if ingress-nginx stands in the proxy's place", "nginx.ingress.kubernetes.io/ssl-passthrough: \"true\""),
			fix(forEnvoy, "if Envoy stands in the proxy's place: tcp_proxy behind a filter chain by name, or hand the identity on", "forward_client_cert_details: SANITIZE_SET"),
		}
		return m
	},
}
