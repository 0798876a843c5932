package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientStartTLSMissing = Rule{
	ID: "client-starttls-missing", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client does not ask for TLS",
	Citation: "RFC 3207, Section 4; RFC 8314, Section 3",
	Explanation: "Clients of this listener begin in plain text and ask for TLS (--starttls). This one went on without, asked for it out of turn, or spoke TLS at once where the server has to speak first: its setting is another one than the port's. " +
		"Nothing that it sent in plain text was passed on, but for a request to cancel a query of PostgreSQL, which is no fault.",
	check: func(e *evidence) *match {
		v := e.client
		if !v.exists() || !v.is(inspect.ErrorStartTLS) || v.leg.StartTLS == nil || e.c.Event.Source == inspect.SourceCapture {
			return nil
		}
		s := v.leg.StartTLS
		if !s.Refused && s.Answer == "" && e.backend.exists() && e.backend.failed() {
			return nil // the backend's doing
		}
		m := &match{ended: true, detail: or(v.message(), "the client did not ask for TLS"), fixes: []inspect.Fix{
			fix(forClient, "let the client ask for TLS", startTLSClient(s.Protocol)),
		}}
		switch {
		case e.needsNoTLS():
			m.severity, m.fault = inspect.SeverityInfo, inspect.FaultNoise
			m.title = "The client came for something that needs no TLS"
			m.fixes = nil
		case e.leftBefore():
			m.severity, m.fault = inspect.SeverityWarning, inspect.FaultNoise
			m.title = "The client left before it asked for TLS"
			m.fixes = []inspect.Fix{
				fix(forClient, "a monitor that says no more needs no remedy; a client that wants TLS has to be told so", startTLSClient(s.Protocol)),
			}
		case s.Answer == "STARTTLS":
			m.title = "The client asks for TLS before it has said EHLO"
			m.fixes = []inspect.Fix{fix(forClient, "let it say EHLO first, and ask for TLS where the answer to that offers it (RFC 3207, Section 4)", startTLSClient(s.Protocol))}
		case s.Answer == "a TLS handshake":
			m.title = "The client speaks TLS at once where it has to ask for it"
			m.fixes = append(m.fixes, fix(forSelf, "or serve TLS at once on this port", "tlstriage proxy …  # without --starttls"))
		}
		return m
	},
}

// needsNoTLS reports whether a client that was to ask for TLS came for something that is rightly done without: to cancel a query, or to leave.
func (e *evidence) needsNoTLS() bool {
	v := e.client
	if !v.exists() || !v.is(inspect.ErrorStartTLS) || v.leg.StartTLS == nil {
		return false
	}
	switch v.leg.StartTLS.Answer {
	case "CancelRequest", "QUIT", "LOGOUT", "unbindRequest":
		return true
	}
	return false
}

// startTLSClient is the setting by which the usual client of a protocol asks for TLS.
func startTLSClient(protocol string) string {
	switch protocol {
	case "postgres":
		return "sslmode=verify-full"
	case "smtp":
		return "curl --ssl-reqd smtp://HOST:PORT"
	case "imap", "pop3":
		return "curl --ssl-reqd " + protocol + "://HOST:PORT"
	case "ldap":
		return "ldapsearch -ZZ -H ldap://HOST:PORT"
	}
	return ""
}
