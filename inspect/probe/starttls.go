package probe

import "github.com/tlstriage/tlstriage/inspect/starttls"

// StartTLS names the protocol in which a server is asked to speak TLS. Package starttls has the dialogues.
type StartTLS = starttls.Protocol

// StartTLSError says that a server did not go along with the dialogue.
type StartTLSError = starttls.Error

// Protocols.
const (
	StartTLSSMTP       = starttls.SMTP
	StartTLSLMTP       = starttls.LMTP
	StartTLSIMAP       = starttls.IMAP
	StartTLSPOP3       = starttls.POP3
	StartTLSFTP        = starttls.FTP
	StartTLSNNTP       = starttls.NNTP
	StartTLSSieve      = starttls.Sieve
	StartTLSLDAP       = starttls.LDAP
	StartTLSXMPP       = starttls.XMPP
	StartTLSXMPPServer = starttls.XMPPServer
	StartTLSPostgres   = starttls.Postgres
	StartTLSMySQL      = starttls.MySQL
	StartTLSRDP        = starttls.RDP
)

// How much of what a peer said a message shows.
const shownAnswer = 120

// StartTLSProtocols are the protocols that are spoken, for a message to who misspelt one.
func StartTLSProtocols() []StartTLS { return starttls.Protocols() }
