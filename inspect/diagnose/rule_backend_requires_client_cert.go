package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendRequiresClientCert = Rule{
	ID: idBackendRequiresClientCert, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:     backendAsked | backendRefuses,
	Title:    "The backend wants a client certificate from the proxy",
	Citation: "RFC 8446, Section 4.3.2",
	Explanation: "The backend asked for a certificate, none was configured here, and it refused; in TLS 1.3 only after the handshake, with certificate_required (116), and nginx in HTTP alone (400, `No required SSL certificate was sent`). Who must act is whoever runs the proxy: the backend does what it is there for, and to stand before it takes an identity that it knows. " +
		"A proxy that ends TLS cannot pass the client's own certificate on: it needs one of its own, or must let the bytes through untouched. Check: " +
		"`openssl s_client -connect HOST:PORT` prints \"Acceptable client certificate CA names\". As info: it asked and went on without one; an HTTP 400 or 403 may follow.",
	check: func(e *evidence) *match {
		r := e.backend.server.CertificateRequest
		required := e.backendBy == idBackendRequiresClientCert
		asked := r != nil && !r.CertificateSent && e.backend.established() && e.backend.alert(inspect.FromServer) == nil
		if !required && !asked {
			return nil
		}
		m := &match{fixes: []inspect.Fix{
			fix(forSelf, "give the proxy a certificate that the backend accepts", "tlstriage proxy --backend-cert FILE --backend-key FILE …"),
			fix(forSelf, "or let the clients' own certificates through", "tlstriage proxy --mode passthrough …"),
			fix(forNginx, "if nginx stands in the proxy's place", "proxy_ssl_certificate FILE;\nproxy_ssl_certificate_key FILE;"),
			fix(forHAProxy, "if HAProxy stands in the proxy's place", "server NAME "+backendName(e.backend)+" ssl crt FILE verify required ca-file CA"),
			fix(forIngress, "if ingress-nginx stands in the proxy's place", "nginx.ingress.kubernetes.io/proxy-ssl-secret: NAMESPACE/SECRET"),
			fix(forBackend, "or let the backend serve those who have none", "ssl_verify_client optional;  # nginx"),
			fix(forALB, "an ALB sends no client certificate to its targets: turn the demand off there, or use an NLB with a TCP listener", ""),
		}}
		if r != nil && len(r.Authorities) > 0 {
			m.accepted = r.Authorities
		}
		if !required {
			m.severity, m.title = inspect.SeverityInfo, "The backend asked for a client certificate and went on without one"
			m.detail = "none was sent"
			return m
		}
		m.ended = e.backend.failed()
		m.detail = "the proxy sent none"
		if a := e.backend.alert(inspect.FromServer); a != nil {
			m.detail += "; the backend answered " + spell(a)
		} else if r != nil && r.Refusal != "" {
			m.detail += "; the backend did the handshake to its end and answered the first request with " + boundTo(r.Refusal, 64)
		} else {
			m.detail += "; the backend closed the connection"
		}
		if len(m.accepted) > 0 {
			m.detail += "; it accepts those of " + enumerate(m.accepted)
		}
		if r != nil && len(r.SignatureAlgorithms) > 0 {
			m.detail += "; their keys must sign in one of " + enumerate(r.SignatureAlgorithms)
		}
		return m
	},
}
