package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleBackendStartTLSRefused = Rule{
	ID: "backend-starttls-refused", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     legDown,
	Title:    "The backend does not go over from plain text to TLS",
	Citation: "RFC 3207, Section 4; RFC 9051, Section 6.2.1; RFC 4511, Section 4.14; PostgreSQL, Section 55.2.10",
	Explanation: "The backend was asked for TLS in its own protocol (STARTTLS, STLS, the StartTLS operation, SSLRequest) and said no, said something that is no answer to that, or did not list TLS among what it offers, and the client left: TLS is switched off there, its certificate or key could not be " +
		"read, or the port speaks another protocol. In a capture it is the server that refused in the clear, and the client sent its hello all the same. Check: `openssl s_client -starttls PROTOCOL -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		v, leg := e.backend, inspect.LegBackend
		if e.c.Event.Source == inspect.SourceCapture {
			v, leg = e.client, inspect.LegClient
		}
		if !v.exists() || !v.is(inspect.ErrorStartTLS) {
			return nil
		}
		m := &match{ended: true, leg: leg, detail: or(v.message(), "the backend did not go along with the dialogue"), fixes: []inspect.Fix{
			fix(forBackend, "switch TLS on there; its log says why it is off (certificate, key and their modes)", startTLSSetting(v.leg.StartTLS)),
			fix(forSelf, "if the port speaks TLS at once, do not ask for it", "tlstriage proxy --backend tls://"+backendName(v)+" …  # without --backend-starttls"),
		}}
		switch s := v.leg.StartTLS; {
		case s == nil:
		case !s.Refused:
			asksForAnother(v, m)
		default:
			refusesForNow(s, m)
		}
		if leg == inspect.LegClient {
			m.fixes = append(m.fixes[:1:1], fix(forClient, "heed the answer: a hello behind a refusal is taken for a command; if the port speaks TLS at once, do not ask for it", ""))
		}
		return m
	},
}

// refusesForNow is about refusals that are no matter of TLS being switched off: of SMTP those for now (RFC 3207, Section 4) and those of the
// connection as such (RFC 5321, Section 3.8 and 4.2.4; RFC 7504), of IMAP a goodbye in place of a greeting (RFC 9051, Section 7.1.5).
func refusesForNow(s *inspect.StartTLS, m *match) {
	code, _, _ := strings.Cut(s.Answer, " ")
	code, _, _ = strings.Cut(code, "-")
	if s.Protocol != "smtp" && s.Protocol != "lmtp" && code != "*" {
		return
	}
	log := fix(forBackend, "its log says why", "")
	switch code {
	case "454":
		m.title = "The backend cannot go over to TLS just now"
		log.Action = "it has TLS, and something is in its way: its log says what (the certificate, the key, their modes, or what it has run out of); the next attempt may do better"
	case "421":
		m.title = "The backend takes no connection just now"
		log.Action = "it is about to stop, or has as many connections as it takes: its log says which; the next attempt may do better"
	case "521", "550", "554", "*":
		m.title = "The backend refuses the connection, not TLS"
		log.Action = "let it take connections from this proxy's address; its log says which rule is against that (access lists, block lists, limits), and a PROXY protocol header tells it the client's"
	default:
		return
	}
	m.fixes = []inspect.Fix{log}
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
