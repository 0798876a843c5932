package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendRejectsClientCert = Rule{
	ID: idBackendRejectsClientCert, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	Title:    "The backend does not accept the proxy's client certificate",
	Citation: "RFC 8446, Section 4.4.2.4",
	Explanation: "The proxy sent its client certificate and the backend refused it: of an authority that it does not know (unknown_ca), expired, or without the usage clientAuth. Check: " +
		"`openssl verify -purpose sslclient -CAfile BACKENDS_CA client.pem`.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendRejectsClientCert {
			return nil
		}
		m := &match{ended: e.backend.failed(), detail: "the backend answered " + spell(e.backend.alert(inspect.FromServer))}
		if r := e.backend.server.CertificateRequest; r != nil && len(r.Authorities) > 0 {
			m.accepted = r.Authorities
			m.detail += "; it accepts those of " + enumerate(r.Authorities)
		}
		if x := e.backend.hello.Certificate; x != nil {
			m.offered = []string{x.Issuer}
			m.detail += "; sent: " + bound(x.Subject) + ", issued by " + bound(x.Issuer) + ", valid until " + day(x.NotAfter)
		}
		m.fixes = []inspect.Fix{
			fix(forSelf, "use a certificate of an authority that the backend accepts, with its intermediates", "tlstriage proxy --backend-cert FILE --backend-key FILE …"),
			fix(forNginx, "or let the backend accept the authority", "ssl_client_certificate FILE;"),
			fix(forHAProxy, "or let the backend accept the authority", "bind :443 ssl crt FILE ca-file FILE verify required"),
		}
		return m
	},
}
