package report

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// legs writes what became of each leg, and what the policy says.
func (t *Text) legs(b *strings.Builder, c *inspect.Connection) {
	if t.o.Alone && c.ClientLeg == nil && c.BackendLeg != nil {
		if c.BackendLeg.Port != 0 { // a file shook no hands
			t.row(b, "handshake", legWords(c.BackendLeg, false))
		}
		return
	}
	if c.ClientLeg != nil {
		t.row(b, "client leg", legWords(c.ClientLeg, true))
	}
	if c.BackendLeg != nil {
		t.row(b, "backend leg", legWords(c.BackendLeg, false))
	}
	if c.BackendLeg != nil && c.BackendLeg.Experiment != nil {
		for _, cause := range c.BackendLeg.Experiment.Causes {
			t.row(b, "by experiment", clean(cause.Sentence))
		}
	}
	if p := c.Policy; p != nil {
		// The finding below says the rest, where it is the cause.
		t.row(b, "policy", policyWords(p, strings.HasPrefix(c.Cause, "policy-rejects-")))
	}
}

// legWords is one leg in one line.
func legWords(l *inspect.Leg, client bool) string {
	where := ""
	if l.Address != "" {
		where = " at " + address(inspect.Endpoint{Address: l.Address, Port: l.Port})
	}
	switch {
	case l.TLS != nil && l.Established():
		s := "ok" + where + ": " + negotiated(l.TLS)
		if l.Passthrough {
			s += ", passed through untouched"
		}
		return s + certificateWords(l.TLS)
	case l.Plain && l.Error == nil:
		return "ok" + where + ": plain TCP, as configured"
	case l.Passthrough && l.TLS == nil && l.Error == nil:
		return "ok" + where + ": passed through untouched"
	}
	s := "failed" + where
	told := l.TLS != nil && len(l.TLS.Alerts) > 0 && l.Error != nil && (l.Error.Type == inspect.ErrorAlertSent || l.Error.Type == inspect.ErrorAlertReceived)
	if l.Error != nil && !told {
		s += ": " + clean(strings.ReplaceAll(string(l.Error.Type), "_", " "))
		if l.Error.Phase != "" {
			s += " (" + clean(strings.ReplaceAll(string(l.Error.Phase), "_", " ")) + ")"
		}
	}
	if l.FirstBytes != nil {
		s += ", first bytes: " + clean(or(l.FirstBytes.Protocol, "unknown"))
	}
	if l.TLS == nil {
		return s
	}
	if h := l.TLS.Client; h != nil && client {
		s += "; offers " + several(h.SupportedVersions)
	}
	for i, a := range l.TLS.Alerts {
		if i == 3 {
			break
		}
		s += "; " + clean(string(a.From)) + " sent " + clean(a.Description)
	}
	if l.TLS.Server != nil && l.TLS.Server.Validation != nil && l.TLS.Server.Validation.Status == inspect.ValidationInvalid {
		s += certificateWords(l.TLS)
	}
	return s
}

// negotiated lists what was agreed on.
func negotiated(t *inspect.TLS) string {
	var b strings.Builder
	b.Grow(96)
	add := func(p string) {
		if p == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(cleanTo(p, 64))
	}
	add(t.Version)
	add(t.Cipher)
	add(t.Curve)
	add(t.NextProtocol)
	if t.Resumed {
		add("resumed")
	}
	return or(b.String(), "established")
}

func certificateWords(t *inspect.TLS) string {
	if t.Server == nil || t.Server.Validation == nil {
		return ""
	}
	revoked := isRevoked(t.Server)
	switch t.Server.Validation.Status {
	case inspect.ValidationValid:
		if revoked {
			return ", certificate REVOKED"
		}
		return ", certificate valid" + revocationWords(t.Server.Revocation)
	case inspect.ValidationInvalid:
		if revoked {
			return ", certificate NOT valid, REVOKED"
		}
		return ", certificate NOT valid" + revocationWords(t.Server.Revocation)
	case inspect.ValidationNotVisible:
		return ", certificate not visible"
	}
	return ""
}

// isRevoked says whether a certificate that was presented is revoked, by what was asked or by what was stapled where nobody asked.
func isRevoked(s *inspect.Server) bool {
	if s.Revocation != nil {
		return s.Revocation.Status == inspect.RevocationRevoked
	}
	return s.OCSP != nil && s.OCSP.Status == string(inspect.RevocationRevoked)
}

// revocationWords says what was found out about revocation; nothing where nobody asked.
func revocationWords(r *inspect.Revocation) string {
	if r == nil {
		return ""
	}
	switch r.Status {
	case inspect.RevocationGood:
		return ", not revoked"
	case inspect.RevocationUnknown:
		return ", revocation not known"
	}
	return ""
}

func policyWords(p *inspect.PolicyOutcome, short bool) string {
	if p.Accepted {
		s := clean(p.Name) + " would take this client"
		if p.Version != "" {
			s += ": " + clean(strings.TrimSpace(p.Version+" "+p.Cipher))
		}
		return s
	}
	s := clean(p.Name) + " refuses this client (" + clean(or(p.RejectedBy, "reason not known")) + ")"
	if !short {
		s += ": accepts " + several(p.Accepts)
	}
	if p.Enforced {
		s += "; enforced"
	}
	return s
}

// summaryOf is a good connection in one line: both legs.
func summaryOf(c *inspect.Connection) string {
	var s string
	if c.ClientLeg != nil && c.ClientLeg.TLS != nil {
		if s = negotiated(c.ClientLeg.TLS); c.ClientLeg.FirstBytes != nil && !c.ClientLeg.TLS.Established {
			s = clean(c.ClientLeg.FirstBytes.Protocol) // Google's QUIC
		}
	}
	switch l := c.BackendLeg; {
	case l == nil:
	case l.Plain:
		s += " | backend plain TCP"
	case l.TLS != nil:
		s += " | backend " + negotiated(l.TLS)
		if l.TLS.Server != nil && l.TLS.Server.CertificateRequest != nil && !l.TLS.Server.CertificateRequest.CertificateSent {
			s += ", asked for a client certificate and got none"
		}
	case l.Passthrough:
		s += " | passed through"
	}
	return s
}

// several joins values for one line: the first six of them.
func several(l []string) string {
	const shown = 6
	if len(l) == 0 {
		return "nothing known"
	}
	var b strings.Builder
	for i, s := range l {
		if i == shown {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(cleanTo(s, 64))
	}
	return b.String()
}
