package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleOCSPStapleInvalid = Rule{
	ID: "ocsp-staple-invalid", Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     revocationKnown | hasAlert,
	Title:    "The stapled OCSP response proves nothing",
	Citation: "RFC 6960, Section 3.2; RFC 6066, Section 8",
	Explanation: "The server staples a response that clients must not believe: past its time, of another certificate, signed by somebody else, or one that says \"unknown\". Firefox refuses the connection over it (SEC_ERROR_OCSP_…), others ignore it. " +
		"Most often the server's copy is not renewed: it cannot reach the responder, or nobody runs the update. Check: `openssl s_client -connect HOST:PORT -servername NAME -status </dev/null | grep -E 'Cert Status|Update'`.",
	CausedBy: []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		c := &e.chain
		s := c.stapled()
		refused := e.client.alerted(inspect.FromClient, alertBadCertificateStatus)
		bad := s.Stapled && s.Status != "" && s.Status != stapleGood && s.Status != stapleRevoked
		if !bad && !refused {
			return nil
		}
		m := &match{leg: c.leg}
		switch {
		case !bad:
			m.leg, m.detail = inspect.LegClient, "the client does not accept the stapled OCSP response"
			if !e.foreign() {
				m.fault = inspect.FaultProxy
			}
		case s.Status == "expired":
			m.title = "The stapled OCSP response is past its time"
		case s.Status == "unknown":
			m.title = "The stapled OCSP response says that the responder does not know the certificate"
		}
		if bad {
			m.detail = "the server staples an OCSP response, and it is " + boundTo(s.Status, 64)
			if s.Detail != "" {
				m.detail += ": " + bound(s.Detail)
			}
			if c.mustBeStapled() {
				m.severity = inspect.SeverityError
				m.detail += "; the certificate demands a good one (must-staple)"
			}
		}
		if refused {
			m.severity, m.ended = inspect.SeverityError, e.client.failed()
			m.detail += "; the client answered " + spell(e.client.alert(inspect.FromClient))
		} else if e.watchedOn() {
			m.severity = inspect.SeverityWarning
		}
		m.fixes = append([]inspect.Fix{fix(forBackend, "see what the responder says to the server's own question; if that is good, the server's copy is old", "openssl ocsp -issuer issuer.pem -cert leaf.pem -url $(openssl x509 -in leaf.pem -noout -ocsp_uri)")},
			stapling("renew what is stapled")...)
		return m
	},
}
