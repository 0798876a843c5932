package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleCertRevoked = Rule{
	ID: "cert-revoked", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     revocationKnown,
	Title:    "A certificate of the backend's chain is revoked",
	Citation: "RFC 5280, Section 5.3.1; RFC 6960, Section 2.2",
	Explanation: "Its authority has taken the certificate back: the detail says which one, who says so, when and why. keyCompromise means that the private key is in other hands. Clients that look (Firefox, Safari, Windows; Chrome for the worst cases) refuse it, " +
		"curl, Go and most proxies do not look and go on. Check: `openssl ocsp -issuer issuer.pem -cert leaf.pem -url RESPONDER -CAfile roots.pem`.",
	CausedBy: []string{"default-certificate-served"},
	check: func(e *evidence) *match {
		s, revoked := e.chain.stapled(), e.chain.revoked()
		if len(revoked) == 0 && s.Status != stapleRevoked {
			return nil
		}
		m := &match{leg: e.chain.leg, ended: e.chain.view.is(inspect.ErrorCertificate)}
		upper := false
		for i, x := range revoked {
			if i > 0 {
				m.detail += "; "
			}
			m.detail += whichCertificate(x) + " is revoked"
			if !x.RevokedAt.IsZero() {
				m.detail += " since " + day(x.RevokedAt)
			}
			if x.Reason != "" {
				m.detail += " (" + boundTo(x.Reason, 64) + ")"
			}
			if by := saidBy(x); by != "" {
				m.detail += ", says " + by
			} else if x.Detail != "" {
				m.detail += ": " + bound(x.Detail)
			}
			upper = upper || x.Index > 0
		}
		if m.detail == "" {
			m.detail = "the backend's certificate is revoked, says the OCSP response that it staples itself"
			if s.Detail != "" {
				m.detail += ": " + bound(s.Detail)
			}
		}
		m.fixes = []inspect.Fix{fix(forBackend, "have a certificate issued for a new key, and find out why this one was revoked", "certbot certonly --force-renewal -d "+plain(e.chain.name, "NAME"))}
		if upper {
			m.title = "An authority of the backend's chain is revoked"
			m.fixes = []inspect.Fix{fix(forBackend, "have a certificate issued by another authority: all that this one signed falls with it", "")}
		}
		if e.watchedOn() {
			m.severity = inspect.SeverityWarning
		}
		m.fixes = append(m.fixes, serveChain("serve the new certificate")...)
		return m
	},
}
