package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendStartTLSRefused = Rule{
	ID: "backend-starttls-refused", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     legDown,
	Title:    "The backend does not go over from plain text to TLS",
	Citation: "RFC 3207, Section 4; RFC 9051, Section 6.2.1; RFC 4511, Section 4.14; PostgreSQL, Section 55.2.10",
	Explanation: "The backend was asked for TLS in its own protocol (STARTTLS, STLS, the StartTLS operation, SSLRequest) and said no, said something that is no answer to that, or did not list TLS among what it offers, and the client left: TLS is switched off there, its certificate or key could not be " +
		"read, or the port speaks another protocol. Check: `openssl s_client -starttls PROTOCOL -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		v := e.backend
		if !v.exists() || !v.is(inspect.ErrorStartTLS) {
			return nil
		}
		m := &match{ended: true, detail: or(v.message(), "the backend did not go along with the dialogue"), fixes: []inspect.Fix{
			fix(forBackend, "switch TLS on there; its log says why it is off (certificate, key and their modes)", startTLSSetting(v.leg.StartTLS)),
			fix(forSelf, "if the port speaks TLS at once, do not ask for it", "tlstriage proxy --backend tls://"+backendName(v)+" …  # without --backend-starttls"),
		}}
		if s := v.leg.StartTLS; s != nil && !s.Refused {
			asksForAnother(v, m)
		}
		return m
	},
}

// startTLSSetting is what switches TLS on in the usual server of a protocol.
func startTLSSetting(s *inspect.StartTLS) string {
	if s == nil {
		return ""
	}
	switch s.Protocol {
	case "postgres":
		return "ssl = on  # postgresql.conf, with ssl_cert_file and ssl_key_file"
	case "smtp":
		return "smtpd_tls_security_level = may  # Postfix main.cf, with smtpd_tls_chain_files"
	case "imap", "pop3":
		return "ssl = yes  # Dovecot, with ssl_cert and ssl_key"
	case "ldap":
		return "olcTLSCertificateFile: /etc/ldap/tls/cert.pem  # OpenLDAP cn=config, with olcTLSCertificateKeyFile"
	}
	return ""
}
