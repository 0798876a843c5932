package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleRevocationUnknown = Rule{
	ID: "revocation-unknown", Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:     revocationKnown,
	Title:    "Nobody could say whether the backend's certificate is revoked",
	Citation: "RFC 6960, Section 2.2; RFC 5280, Section 6.3",
	Explanation: "It was asked, and no answer settled it: the responder or the list could not be reached from here, or must not be asked (its host is not public and not allowed by `--revocation-host`), the answer was too old or signed by somebody else, or the certificate names nobody to ask. A warning, since most clients go on; " +
		"an error in mode require, which refuses what it does not know. As info: it is being asked, and the connection did not wait for the answer. Check from this machine: `openssl x509 -in leaf.pem -noout -ocsp_uri -ext crlDistributionPoints`, then `curl -sI URL`.",
	CausedBy: []string{"cert-revoked", "default-certificate-served"},
	check: func(e *evidence) *match {
		r := e.chain.revocation()
		unknown := e.chain.withStatus(inspect.RevocationUnknown)
		if r.Status != inspect.RevocationUnknown && len(unknown) == 0 {
			return e.chain.stillAsked()
		}
		m := &match{leg: e.chain.leg, detail: "no certificate could be asked about"}
		for i, x := range unknown {
			words := whichCertificate(x) + ": " + or(bound(x.Detail), "no answer settled it")
			if x.URL != "" {
				words += " (" + boundTo(x.URL, 128) + ")"
			}
			if i == 0 {
				m.detail = words
			} else {
				m.detail += "; " + words
			}
		}
		if r.Mode == revocationRequire {
			m.severity = inspect.SeverityError
			m.ended = e.chain.view.is(inspect.ErrorCertificate)
			m.detail += "; mode require refuses that"
		}
		if refused := notAllowed(unknown); len(refused) > 0 {
			m.fixes = append(m.fixes, allowHosts(refused))
		}
		if len(m.fixes) == 0 || len(notAllowed(unknown)) < len(unknown) {
			m.fixes = append(m.fixes, fix(forNetwork, "let this machine reach the responder and the list by HTTP: they stand in the certificate", "openssl x509 -in leaf.pem -noout -ocsp_uri -ext crlDistributionPoints"))
		}
		m.fixes = append(m.fixes, fix(forBackend, "or let the backend staple the answer, so that nobody need ask", ""))
		if r.Mode == revocationRequire {
			m.fixes = append(m.fixes, fix(forSelf, "or do without a proof", "tlstriage proxy --revocation check …"))
		}
		m.fixes = append(m.fixes, stapling("staple the answer")...)
		return m
	},
}
