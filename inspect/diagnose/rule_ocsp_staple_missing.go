package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleOCSPStapleMissing = Rule{
	ID: "ocsp-staple-missing", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     revocationKnown,
	Title:    "The certificate demands a stapled OCSP response, and none comes",
	Citation: "RFC 7633, Section 4; RFC 6066, Section 8",
	Explanation: "The certificate has the must-staple extension, and the server sends no OCSP response with it: Firefox refuses that (MOZILLA_PKIX_ERROR_REQUIRED_TLS_FEATURE_MISSING), other clients go on. nginx sends none in the first handshakes after a start. " +
		"As a warning: the mode asks for a staple, the certificate names a responder, and the server does not staple. Check: `openssl s_client -connect HOST:PORT -servername NAME -status </dev/null | grep -A2 'OCSP response'`.",
	CausedBy: []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		c := &e.chain
		if c.leaf() == nil || !c.view.spoke || c.stapled().Stapled || !c.couldAnswer("status_request") {
			return nil
		}
		mode, demanded := c.revocation().Mode, c.mustBeStapled()
		if !demanded && !(c.responder && (mode == revocationStaple || mode == revocationRequire)) {
			return nil
		}
		m := &match{leg: c.leg}
		if demanded {
			m.detail = "the certificate demands that an OCSP response be stapled (must-staple), and the server sent none; refused by Firefox"
			m.fixes = append(stapling("staple the response"), fix(forCA, "or have the certificate issued anew without must-staple", ""))
			if e.watchedOn() {
				m.severity = inspect.SeverityWarning
			}
			a := c.view.alert(inspect.FromClient)
			m.ended = c.view.failed() && (c.view.is(inspect.ErrorCertificate) || a != nil && (refusesCertificate(a.Code) || a.Code == alertBadCertificateStatus))
		} else {
			m.severity, m.title = inspect.SeverityWarning, "The backend staples no OCSP response"
			m.detail = "the certificate names an OCSP responder, the server sent no response of it, and mode " + mode + " asks for one"
			m.fixes = append(stapling("staple the response"), fix(forSelf, "or let this program ask the responder itself", "tlstriage proxy --revocation check …"))
		}
		return m
	},
}
