package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendRejectsClientCert = Rule{
	ID: idBackendRejectsClientCert, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	Title:    "The backend does not accept the proxy's client certificate",
	Citation: "RFC 8446, Section 4.4.2.4",
	Explanation: "The proxy sent its client certificate and the backend refused it: of an authority that it does not know (unknown_ca), expired, revoked, without the usage clientAuth, with a key that signs in no scheme that the backend takes, or with a key that is another's. " +
		"The title says which, as far as the alert and the certificate tell. In TLS 1.3 the refusal comes after the handshake, when the proxy takes the leg for good already. Check: " +
		"`openssl verify -purpose sslclient -CAfile BACKENDS_CA client.pem`.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendRejectsClientCert {
			return nil
		}
		v := e.backend
		m := &match{ended: v.failed(), detail: "the backend answered " + spell(v.alert(inspect.FromServer))}
		r, x := v.server.CertificateRequest, v.hello.Certificate
		if x != nil {
			m.offered = []string{x.Issuer}
			m.detail += "; sent: " + bound(x.Subject) + ", issued by " + bound(x.Issuer) + ", valid until " + day(x.NotAfter)
		}
		if r != nil && len(r.Authorities) > 0 {
			m.accepted = r.Authorities
			m.detail += "; it accepts those of " + enumerate(r.Authorities)
		}
		use := func(action string) inspect.Fix {
			return fix(forSelf, action, "tlstriage proxy --backend-cert FILE --backend-key FILE …")
		}
		switch e.whyRefused(v) {
		case certOutOfDate:
			m.title = "The proxy's client certificate is expired or not yet valid for the backend"
			m.fixes = []inspect.Fix{use("renew the proxy's certificate, and check the clocks of both machines")}
		case certWithdrawn:
			m.title = "The proxy's client certificate is revoked"
			m.fixes = []inspect.Fix{use("use a new certificate; ask the authority why this one was revoked")}
		case certMisused:
			m.title = "The proxy's client certificate is not meant for clients"
			m.fixes = []inspect.Fix{use("use a certificate with the usages clientAuth and digitalSignature; a server's will not do")}
		case certUnsupported:
			m.title = "The key of the proxy's client certificate signs in no way that the backend takes"
			m.detail += "; it has " + keyWords(x)
			if r != nil && len(r.SignatureAlgorithms) > 0 {
				m.accepted = r.SignatureAlgorithms
				m.detail += ", and the backend takes " + enumerate(r.SignatureAlgorithms)
			}
			m.fixes = []inspect.Fix{use("use a certificate with a key on P-256, which all servers take")}
		case certUnproven:
			m.title = "The proxy did not prove to the backend that its client certificate is its own"
			m.fixes = []inspect.Fix{use("give the proxy the key that belongs to its certificate")}
		default:
			m.fixes = []inspect.Fix{
				use("use a certificate of an authority that the backend accepts, with its intermediates"),
				fix(forNginx, "or let the backend accept the authority", "ssl_client_certificate FILE;"),
				fix(forHAProxy, "or let the backend accept the authority", "bind :443 ssl crt FILE ca-file FILE verify required"),
				fix(forApache, "or let the backend accept the authority", "SSLCACertificateFile FILE"),
			}
		}
		return m
	},
}
