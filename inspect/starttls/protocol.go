// Package starttls has the dialogues by which two programs that speak plain text agree to go on in TLS: as the client that asks
// (Ask), and as the server, or the one between, that is asked (Desk). It reads and writes what it is handed and knows neither sockets
// nor time: whoever calls sets deadlines. Everything that a peer says is bounded.
package starttls

import "fmt"

// Protocol names the protocol in which TLS is asked for.
type Protocol string

// Protocols.
const (
	SMTP       Protocol = "smtp"        // RFC 3207
	LMTP       Protocol = "lmtp"        // RFC 2033
	IMAP       Protocol = "imap"        // RFC 9051, Section 6.2.1
	POP3       Protocol = "pop3"        // RFC 2595, Section 4
	FTP        Protocol = "ftp"         // RFC 4217, Section 4.1
	NNTP       Protocol = "nntp"        // RFC 4642
	Sieve      Protocol = "sieve"       // RFC 5804, Section 1.7
	LDAP       Protocol = "ldap"        // RFC 4511, Section 4.14
	XMPP       Protocol = "xmpp"        // RFC 6120, Section 5, as a client
	XMPPServer Protocol = "xmpp-server" // as a server
	Postgres   Protocol = "postgres"    // SSLRequest
	MySQL      Protocol = "mysql"       // SSLRequest of the client/server protocol
	RDP        Protocol = "rdp"         // MS-RDPBCGR, Section 2.2.1.1
)

// Protocols are those in which TLS can be asked for, for a message to who misspelt one.
func Protocols() []Protocol {
	return []Protocol{SMTP, LMTP, IMAP, POP3, FTP, NNTP, Sieve, LDAP, XMPP, XMPPServer, Postgres, MySQL, RDP}
}

// Served are those of them that a Desk serves.
func Served() []Protocol { return []Protocol{Postgres, SMTP, IMAP, POP3, LDAP} }

// Greets reports whether the server of a protocol speaks first.
func (p Protocol) Greets() bool { return p == SMTP || p == IMAP || p == POP3 }

// Error says that a peer did not go along with the dialogue.
type Error struct {
	Protocol Protocol
	Client   bool   // it was the client; false: the server
	Refused  bool   // it said no; otherwise it said something else than the protocol has
	Absent   bool   // of a server: TLS is not among what it offers, and the client left without asking, or there is an Answer; of a client: it just left
	Early    bool   // of a client: it asked before it had said what has to come first, and the server refused that
	Answer   string // what it said, printable. Of a client no more than the name of its command: what follows may be secret
}

func (e *Error) Error() string {
	switch {
	case e.Client && e.Absent:
		return fmt.Sprintf("starttls %s: the client left behind %q, without having asked for TLS", e.Protocol, e.Answer)
	case e.Client && e.Early:
		return fmt.Sprintf("starttls %s: the client asked for TLS before it had said EHLO, and the server refuses that", e.Protocol)
	case e.Absent && e.Answer != "":
		return fmt.Sprintf("starttls %s: the server does not offer it, and refuses: %q", e.Protocol, e.Answer)
	case e.Absent:
		return fmt.Sprintf("starttls %s: the server does not offer it, and the client left", e.Protocol)
	case e.Client && e.Refused:
		return fmt.Sprintf("starttls %s: the client does not ask for TLS, it goes on with %q", e.Protocol, e.Answer)
	case e.Client:
		return fmt.Sprintf("starttls %s: the client says nothing of the protocol: %q", e.Protocol, e.Answer)
	case e.Refused:
		return fmt.Sprintf("starttls %s: the server refuses: %q", e.Protocol, e.Answer)
	}
	return fmt.Sprintf("starttls %s: no answer of the protocol: %q", e.Protocol, e.Answer)
}

// BrokenError says that one of a Desk's two connections failed.
type BrokenError struct {
	Client bool // the client's; false: the backend's
	Err    error
}

func (e *BrokenError) Error() string { return e.Err.Error() }
func (e *BrokenError) Unwrap() error { return e.Err }
