package diagnose

import "github.com/tlstriage/tlstriage/inspect"

// leftBehindStartTLS is about a client that asked for TLS, was told to go on, and left in place of its hello. Until then it knows
// nothing of a certificate: what stops it is its own.
func leftBehindStartTLS(s *inspect.StartTLS) *match {
	m := &match{ended: true, title: "The client asked for TLS, and left before its hello"}
	m.detail = "TLS was agreed on (" + bound(s.Protocol) + "), and not a byte of a hello came: most often the client cannot load what its own settings of TLS name (a file of authorities, a certificate, a key); a monitor that only asks looks like this, too"
	m.fixes = []inspect.Fix{fix(forClient, "read its own error; where it verifies, the file of authorities has to be there", startTLSTrust(s.Protocol))}
	return m
}

// startTLSTrust is where the usual client of a protocol has its authorities.
func startTLSTrust(protocol string) string {
	switch protocol {
	case "postgres":
		return "psql 'sslmode=verify-full sslrootcert=FILE'  # without: ~/.postgresql/root.crt"
	case "ldap":
		return "LDAPTLS_CACERT=FILE ldapsearch -ZZ -H ldap://HOST:PORT  # or TLS_CACERT in ldap.conf"
	case "smtp", "imap", "pop3":
		return "curl --cacert FILE --ssl-reqd " + protocol + "://HOST:PORT"
	}
	return ""
}

// leftBefore reports whether a client said what may come before TLS, and left without asking for it.
func (e *evidence) leftBefore() bool {
	v := e.client
	if !v.exists() || !v.is(inspect.ErrorStartTLS) || v.leg.StartTLS == nil {
		return false
	}
	switch v.leg.StartTLS.Answer {
	case "EHLO", "HELO", "NOOP", "RSET", "CAPABILITY", "ID", "CAPA":
		return true
	}
	return false
}

// leftInPlainText reports whether a client of LDAP did the handshake and then said goodbye in plain text.
func (e *evidence) leftInPlainText() bool {
	v := e.client
	return !e.foreign() && v.established() && v.leg.Error != nil && v.leg.Error.Type == inspect.ErrorNotTLS && v.phase() == inspect.PhaseTransfer
}
