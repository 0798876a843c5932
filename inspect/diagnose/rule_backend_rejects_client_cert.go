package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendRejectsClientCert = Rule{
	ID: idBackendRejectsClientCert, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:     backendRefuses,
	Title:    "The backend does not accept the proxy's client certificate",
	Citation: "RFC 8446, Section 4.4.2.4",
	Explanation: "The proxy sent its client certificate and the backend refused it: of an authority that it does not know (unknown_ca), expired, revoked, without the usage clientAuth, with a key that signs in no scheme that the backend takes, or with a key that is another's. " +
		"The title says which, as far as the alert and the certificate tell. In TLS 1.3 the refusal comes after the handshake, when the proxy takes the leg for good already; nginx takes any certificate in the handshake and answers the requests with an error page (400, `The SSL certificate error`), which is read here, too. Check: " +
		"`openssl verify -purpose sslclient -CAfile BACKENDS_CA client.pem`.",
	check: func(e *evidence) *match {
		if e.backendBy != idBackendRejectsClientCert {
			return nil
		}
		v := e.backend
		r, x := v.server.CertificateRequest, v.hello.Certificate
		m := &match{ended: v.failed(), detail: "the backend "}
		switch {
		case v.alert(inspect.FromServer) != nil:
			m.detail += "answered " + spell(v.alert(inspect.FromServer))
		default:
			m.detail += "did the handshake to its end and answered the first request with " + boundTo(r.Refusal, 64)
		}
		if x != nil {
			m.offered = []string{x.Issuer}
			m.detail += "; " + e.shownWords()
		}
		if r != nil && len(r.Authorities) > 0 {
			m.accepted = r.Authorities
			m.detail += "; it accepts those of " + enumerate(r.Authorities)
		}
		why := e.whyRefused(v)
		switch why {
		case certOutOfDate:
			m.title = "The proxy's client certificate is expired or not yet valid for the backend"
		case certWithdrawn:
			m.title = "The proxy's client certificate is revoked"
		case certMisused:
			m.title = "The proxy's client certificate is not meant for clients"
		case certUnsupported:
			m.title = "The key of the proxy's client certificate signs in no way that the backend takes"
			m.detail += "; it has " + keyWords(x)
			if r != nil && len(r.SignatureAlgorithms) > 0 {
				m.accepted = r.SignatureAlgorithms
				m.detail += ", and the backend takes " + enumerate(r.SignatureAlgorithms)
			}
		case certUnproven:
			m.title = "The proxy did not prove to the backend that its client certificate is its own"
		case certUntrusted:
			if e.strange() {
				m.title = "The proxy's client certificate is of no authority that the backend names"
			} else if v.alert(inspect.FromServer) == nil {
				m.detail += "; the certificate is of one of these and in its time, so that it may be revoked, or an intermediate lacks: the backend's error log says which"
			}
		}
		m.fixes = e.betterToShow(why)
		return m
	},
}
