package diagnose

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// asksFor is the protocol in which TLS is asked for, as --starttls and --backend-starttls have it, of one that was seen on a leg; empty: there
// is no such option for it.
func asksFor(protocol string) string {
	switch protocol {
	case "smtp", "imap", "pop3", "ldap":
		return protocol
	case "postgresql":
		return "postgres"
	}
	return ""
}

// greetingPort is the protocol whose servers speak first that a port is known for; empty: none.
func greetingPort(port int) string {
	switch port {
	case 25, 587:
		return "smtp"
	case 143:
		return "imap"
	case 110:
		return "pop3"
	}
	return ""
}

// startTLSGreets reports whether the servers of a protocol speak first.
func startTLSGreets(protocol string) bool {
	return protocol == "smtp" || protocol == "imap" || protocol == "pop3"
}

// askingPort is likewise for those whose clients speak first.
func askingPort(port int) string {
	switch port {
	case 389:
		return "ldap"
	case 5432:
		return "postgres"
	}
	return ""
}

// Beginnings of clients that ask for TLS.
const (
	sslRequest   = "\x00\x00\x00\x08\x04\xd2\x16\x2f" // PostgreSQL
	ldapStartTLS = "1.3.6.1.4.1.1466.20037"           // RFC 4511, Section 4.14.1
)

// wantsStartTLS is the protocol in which a client asked for TLS where it is spoken at once; empty: it did not.
func (e *evidence) wantsStartTLS() string {
	v := e.client
	if e.foreign() || v.leg == nil || v.leg.FirstBytes == nil {
		return ""
	}
	switch raw := v.leg.FirstBytes.Raw; {
	case bytes.HasPrefix(raw, []byte(sslRequest)):
		return "postgres"
	case v.firstProtocol() == "ldap" && bytes.Contains(raw, []byte(ldapStartTLS)):
		return "ldap"
	}
	return ""
}

// beginInPlainText is the fix for a listener whose clients ask for TLS in a protocol.
func beginInPlainText(protocol string) inspect.Fix {
	return fix(forSelf, "have this listener be asked for TLS in the protocol of its clients", "tlstriage proxy --starttls "+protocol+" …")
}

// waitsForGreeting adds what is to say of a client that did not say a byte: that of a protocol whose server speaks first waits to be
// spoken to.
func (e *evidence) waitsForGreeting(m *match) {
	if e.foreign() || e.client.spoke || e.client.leg.StartTLS != nil {
		return
	}
	if p := greetingPort(e.c.Server.Port); p != "" {
		m.fault = inspect.FaultProxy
		m.detail += "; on this port clients of " + p + " wait for the server to speak first"
		m.fixes = append([]inspect.Fix{beginInPlainText(p)}, m.fixes...)
		return
	}
	m.fixes = append(m.fixes, fix(forSelf, "clients of SMTP, IMAP and POP3 wait for the server to speak first, and are to ask for TLS then", "tlstriage proxy --starttls smtp …  # or imap, pop3"))
}

// silentInDialogue is about a client that is in the middle of asking for TLS and does not go on; nil: it is another one.
func (e *evidence) silentInDialogue() *match {
	s := e.client.leg.StartTLS
	if s == nil || e.client.phase() != inspect.PhaseStartTLS {
		return nil
	}
	return &match{
		ended: true, fault: inspect.FaultClient, title: "The client did not ask for TLS in time",
		detail: "the dialogue in which clients of " + bound(s.Protocol) + " ask for TLS began, and the client did not bring it to its end",
		fixes:  []inspect.Fix{fix(forClient, "let the client ask for TLS; if it only connects (a probe), this is harmless", startTLSClient(s.Protocol))},
	}
}

// askBackendToo adds what is to do where the clients ask for TLS in a protocol and the backend is not asked in it: most often it wants to be.
func (e *evidence) askBackendToo(m *match) {
	s := e.client.leg
	if s == nil || s.StartTLS == nil || s.StartTLS.Direct || !e.backend.exists() || e.backend.leg.StartTLS != nil || e.backend.leg.Plain {
		return
	}
	p := plain(s.StartTLS.Protocol, "PROTOCOL")
	m.fault = inspect.FaultProxy
	m.detail += "; TLS was spoken to it at once, although a server of " + p + " is asked for it most often"
	m.fixes = append([]inspect.Fix{fix(forSelf, "ask the backend for TLS, too", "tlstriage proxy --starttls "+p+" --backend-starttls "+p+" …")}, m.fixes...)
}

// takesNoHeader adds what is to do where a PROXY protocol header was sent to a backend that then ended the connection.
func takesNoHeader(v view, m *match) bool {
	if v.leg == nil || v.leg.ProxyProtocol == "" {
		return false
	}
	m.detail += "; a PROXY protocol header (" + v.leg.ProxyProtocol + ") was sent to it first, which a server that does not expect one takes for garbage"
	m.fixes = append([]inspect.Fix{fix(forSelf, "if the backend does not expect the header, leave it out", "tlstriage proxy --backend-proxy-protocol none …")}, m.fixes...)
	return true
}

// spokenInstead is the protocol of a server that answered the wish for TLS with something else; empty: that cannot be told.
func spokenInstead(s *inspect.StartTLS) string {
	if s == nil || s.Refused || s.Answer == "" {
		return ""
	}
	switch p, _ := wire.Sniff([]byte(s.Answer)); p {
	case wire.ProtocolUnknown, wire.ProtocolTLS:
		return ""
	case wire.ProtocolPostgreSQL, wire.ProtocolSSLv2, wire.ProtocolSOCKS:
		return "" // too short a beginning to tell
	default:
		if string(p) == s.Protocol {
			return ""
		}
		return string(p)
	}
}

// asksForAnother is about a backend that was asked for TLS in a protocol which it does not speak.
func asksForAnother(v view, m *match) {
	m.title = "The backend does not speak the protocol in which it is asked for TLS"
	m.fault = inspect.FaultProxy
	p := spokenInstead(v.leg.StartTLS)
	ask := asksFor(p)
	switch {
	case ask != "":
		m.detail += "; it speaks " + spoken(p)
		m.fixes = []inspect.Fix{fix(forSelf, "ask it in the protocol that it speaks", "tlstriage proxy --backend-starttls "+ask+" --backend tls://"+backendName(v)+" …")}
	case p != "":
		m.detail += "; it speaks " + spoken(p)
		m.fixes = []inspect.Fix{fix(forSelf, "name the port on which the service is", "tlstriage proxy --backend tls://HOST:PORT …")}
	default:
		m.fixes = []inspect.Fix{fix(forSelf, "see what the port speaks, and ask in that", "nc -v "+hostOf(v)+" "+portOf(v))}
	}
	m.fixes = append(m.fixes, fix(forSelf, "if the port speaks TLS at once, do not ask for it", "tlstriage proxy --backend tls://"+backendName(v)+" …  # without --backend-starttls"))
}
