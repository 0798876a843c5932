package starttls

import (
	"errors"
	"io"
)

// Desk is where a client asks for TLS: the server's part of the dialogue.
//
// With a Backend that is asked in the same protocol, what the client says until it asks for TLS goes there, and what the backend
// answers comes back word for word: its greeting, its capabilities, its consent and its refusal. Nothing else is let through in plain
// text: mail, passwords and queries are answered with the protocol's own words for "first TLS". Without one the Desk answers by itself,
// with the greeting that the backend gave elsewhere.
//
// What is read is read byte by byte: what a client sent behind its request in plain text is never taken for what came inside of TLS
// (CVE-2011-0411), it is no hello.
type Desk struct {
	Protocol Protocol      // one of Served
	Client   io.ReadWriter // the connection itself: below TLS
	Backend  io.ReadWriter // likewise; nil: the Desk answers
	Cancel   func([]byte)  // takes PostgreSQL's request to cancel a query where there is no Backend; nil: it is dropped
	Greeting []byte        // what it says first where it answers and the protocol has a greeting; empty: one of its own
}

// Agreement is how a Desk came to its end.
type Agreement struct {
	First   []byte // of the hello, read already: the client speaks TLS without asking for it
	Relayed bool   // the backend has agreed, too
}

// How many commands a client may give before it asks for TLS.
const maxCommands = 64

// Agree goes through the dialogue up to the point where both speak TLS. The error is an *Error or a *BrokenError.
func (d *Desk) Agree() (Agreement, error) {
	s := &serving{protocol: d.Protocol, cancels: d.Cancel, client: newDialogue(d.Protocol, d.Client)}
	if d.Backend != nil {
		s.backend = newDialogue(d.Protocol, d.Backend)
	}
	switch d.Protocol {
	case SMTP, IMAP, POP3:
		return s.text(d.Greeting)
	case LDAP:
		return s.ldap()
	case Postgres:
		return s.postgres()
	}
	return Agreement{}, errors.New("starttls: " + string(d.Protocol) + " is not served")
}

// serving is a Desk at work.
type serving struct {
	protocol        Protocol
	client, backend *dialogue    // backend is nil where there is none to ask
	cancels         func([]byte) // takes a request to cancel; nil: there is nobody
	plain           string       // what the client tried in plain text
	last            string       // what it said of what may come before TLS
	offer           offer        // whether the backend has TLS among what it can do
	extended        bool         // the client has said EHLO
}

// ofClient says that an error is one of the client's connection.
func (s *serving) ofClient(err error) error {
	var said *Error
	if errors.As(err, &said) {
		said.Client = true
		said.Answer = ""
		return said
	}
	if s.plain != "" && errors.Is(err, io.EOF) {
		return s.wentOn(s.plain) // it was told that there is nothing without TLS, and left
	}
	if s.last != "" && errors.Is(err, io.EOF) {
		return &Error{Protocol: s.protocol, Client: true, Refused: true, Absent: true, Answer: s.last}
	}
	return &BrokenError{true, err}
}

// ofBackend says that an error is one of the backend's connection.
func (s *serving) ofBackend(err error) error {
	var said *Error
	if errors.As(err, &said) {
		return said
	}
	return &BrokenError{false, err}
}

// wentOn says that the client did something else than ask for TLS.
func (s *serving) wentOn(with string) error {
	return &Error{Protocol: s.protocol, Client: true, Refused: true, Answer: with}
}

// tell writes to the client.
func (s *serving) tell(b []byte) error {
	if _, err := s.client.conn.Write(b); err != nil {
		return s.ofClient(err)
	}
	return nil
}

// pass writes to the backend.
func (s *serving) pass(b []byte) error {
	if _, err := s.backend.conn.Write(b); err != nil {
		return s.ofBackend(err)
	}
	return nil
}

// The first byte of a record that carries a handshake.
const recordOfHandshake = 0x16
