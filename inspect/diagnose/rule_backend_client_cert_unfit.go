package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendClientCertUnfit = Rule{
	ID: "backend-client-cert-unfit", Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:     backendAsked,
	Title:    "The proxy's client certificate is none that this backend can be expected to take",
	Citation: "RFC 8446, Section 4.4.2.3; RFC 5246, Section 7.4.4",
	Explanation: "The backend asked for a client certificate and got the proxy's, which is expired, not valid yet, not meant for clients, issued by none of the authorities that the backend names, or has a key of a kind that the backend does not ask for. The handshake came to its end all the same: " +
		"nginx, for one, takes any certificate there and answers each request with 400 (`The SSL certificate error`) afterwards, so that nothing but this tells at the start that no request will succeed. A warning, since a backend may ask without need; an error where the key fits none of the backend's signature schemes, " +
		"for then the handshake cannot end. Where the backend does refuse, the finding is `backend-rejects-client-cert`. Check: `openssl x509 -in client.pem -noout -dates -issuer -ext extendedKeyUsage`, and for what the backend names, `openssl s_client -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		reasons := e.shortcomings()
		if len(reasons) == 0 || e.backendBy == idBackendRejectsClientCert {
			return nil
		}
		a := e.backend.alert(inspect.FromClient)
		// In TLS 1.3 our alert is encrypted and not in the record.
		unsigned := e.backend.is(inspect.ErrorAlertSent) && (a == nil || a.Code == alertHandshakeFailure) && !signs(e.backend.hello.Certificate, e.backend)
		if !e.backend.established() && !unsigned {
			return nil // it did not come to it
		}
		m := &match{offered: []string{e.backend.hello.Certificate.Issuer}, accepted: e.backend.server.CertificateRequest.Authorities, fixes: e.betterToShow(reasons[0].fault)}
		if reasons[0].fault == certUnsupported {
			m.offered, m.accepted = nil, e.backend.server.CertificateRequest.SignatureAlgorithms
		}
		if unsigned {
			m.severity, m.ended = inspect.SeverityError, true
			m.title = "The key of the proxy's client certificate signs in no way that the backend takes"
		}
		for i, r := range reasons {
			if i > 0 {
				m.detail += "; "
			}
			m.detail += r.detail
		}
		m.detail += "; " + e.shownWords()
		return m
	},
}
