package proxy

import (
	"crypto/tls"
	"strings"
)

// maxTicket bounds a ticket, which carries the client's certificates. Its form has room for 64 KiB (RFC 8446, Section 4.6.1), and
// a hello that brings one back must stay within Limits.HelloBytes.
const maxTicket = 16 << 10

// noSession is the ticket of a session that is not to be resumed: it opens to nothing.
const noSession = "-"

// wrapSession seals a session for its ticket and binds it to the listener, the route and the server name.
func (r *Route) wrapSession(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	session.Extra = append(session.Extra, []byte(r.mark+state.ServerName))
	ticket, err := r.base.EncryptTicket(state, session)
	if len(ticket) > maxTicket {
		return []byte(noSession), nil
	}
	return ticket, err
}

// unwrapSession opens a ticket. A session that was made under another server name is not resumed: "A server that implements
// this extension MUST NOT accept the request to resume the session if the server_name extension contains a different name"
// (RFC 6066, Section 3). What the client was never shown a certificate for, it would then be told to be connected to. Nor is one
// of another route, which may trust other clients, where the two share keys.
func (r *Route) unwrapSession(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
	session, err := r.base.DecryptTicket(ticket, state)
	if err != nil || session == nil {
		return nil, nil //nolint:nilerr // crypto/tls goes on with a full handshake
	}
	for _, extra := range session.Extra {
		if name, ok := strings.CutPrefix(string(extra), r.mark); ok && name == state.ServerName {
			return session, nil
		}
	}
	return nil, nil
}
