package starttls

import (
	"bytes"
	"errors"
	"strings"
)

// kind is what a client's command is to a Desk.
type kind int

const (
	other    kind = iota // not before TLS
	asking               // for TLS
	harmless             // may come before it
	leaving
)

// command is one line of a client's.
type command struct {
	tag  string // IMAP
	name string // in capitals; empty: the line is none of the protocol
	line string
	kind kind
}

// Commands that mean something before TLS, and what the Desk answers to them by itself. TAG stands for the client's tag, HOST for
// the server's name.
var answers = map[Protocol]map[string]struct {
	kind   kind
	answer string
}{
	SMTP: {
		"EHLO":     {harmless, "250-HOST\r\n250 STARTTLS\r\n"},
		"HELO":     {harmless, "250 HOST\r\n"},
		"NOOP":     {harmless, "250 2.0.0 OK\r\n"},
		"RSET":     {harmless, "250 2.0.0 OK\r\n"},
		"STARTTLS": {asking, "220 2.0.0 Ready to start TLS\r\n"},
		"QUIT":     {leaving, "221 2.0.0 Bye\r\n"},
		"":         {other, "530 5.7.0 Must issue a STARTTLS command first\r\n"}, // RFC 3207, Section 4
	},
	IMAP: {
		"CAPABILITY": {harmless, "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nTAG OK CAPABILITY completed\r\n"},
		"NOOP":       {harmless, "TAG OK NOOP completed\r\n"},
		"ID":         {harmless, "* ID NIL\r\nTAG OK ID completed\r\n"},
		"STARTTLS":   {asking, "TAG OK Begin TLS negotiation now\r\n"},
		"LOGOUT":     {leaving, "* BYE\r\nTAG OK LOGOUT completed\r\n"},
		"":           {other, "TAG NO [PRIVACYREQUIRED] STARTTLS first\r\n"}, // RFC 5530, Section 3
	},
	POP3: {
		"CAPA": {harmless, "+OK\r\nSTLS\r\n.\r\n"},
		"STLS": {asking, "+OK Begin TLS negotiation\r\n"},
		"QUIT": {leaving, "+OK\r\n"},
		"":     {other, "-ERR STLS first\r\n"},
	},
}

// text is the dialogue of the protocols that are lines of text and whose server speaks first.
func (s *serving) text(greeting []byte) (Agreement, error) {
	agreement, err := s.lines(greeting)
	if err != nil && s.offer == withoutTLS && (s.last != "" || s.plain != "") && ofClientAlone(err) {
		return agreement, &Error{Protocol: s.protocol, Refused: true, Absent: true} // there was nothing to ask for
	}
	return agreement, err
}

// ofClientAlone reports whether an error says that the client's side came to an end without TLS.
func ofClientAlone(err error) bool {
	var said *Error
	var broken *BrokenError
	return errors.As(err, &said) && said.Client && said.Refused || errors.As(err, &broken) && broken.Client
}

func (s *serving) lines(greeting []byte) (Agreement, error) {
	if s.backend != nil {
		said, err := s.greeted()
		if len(said) > 0 {
			if err := s.tell(said); err != nil { // a refusal, too
				return Agreement{}, err
			}
		}
		if err != nil {
			return Agreement{}, s.ofBackend(err)
		}
		greeting = said
		s.look(command{name: "greeting"}, said)
	} else if err := s.tell(ownGreeting(s.protocol, greeting)); err != nil {
		return Agreement{}, err
	}
	host := hostOf(greeting)
	for range maxCommands {
		c, err := s.command()
		if err != nil {
			return Agreement{}, err
		}
		if c.kind == other {
			s.plain = c.name
		} else if c.kind == harmless {
			s.last = c.name
		}
		if s.backend != nil && c.kind != other {
			yes, err := s.relay(c)
			if err != nil || yes && c.kind == asking {
				return Agreement{Relayed: err == nil}, err
			}
		} else if err := s.tell(answerTo(s.protocol, c, host)); err != nil {
			return Agreement{}, err
		}
		switch c.kind {
		case asking:
			return Agreement{}, nil
		case leaving:
			return Agreement{}, s.wentOn(c.name)
		}
	}
	return Agreement{}, s.wentOn(s.plain)
}

// greeted reads the backend's greeting. What it said is given with an error, too.
func (s *serving) greeted() ([]byte, error) {
	err := s.backend.greet()
	return s.taken(), err
}

// taken is what the backend said since it was taken last.
func (s *serving) taken() []byte {
	said := s.backend.heard
	s.backend.heard = nil
	return said
}

// command reads one line of the client's.
func (s *serving) command() (command, error) {
	first, err := s.client.in.ReadByte()
	if err != nil {
		return command{}, s.ofClient(err)
	}
	if first == recordOfHandshake {
		return command{}, &Error{Protocol: s.protocol, Client: true, Answer: "a TLS handshake"}
	}
	if err := s.client.in.UnreadByte(); err != nil {
		return command{}, s.ofClient(err)
	}
	line, err := s.client.line()
	s.client.heard = nil
	if err != nil {
		return command{}, s.ofClient(err)
	}
	c := command{line: line}
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		// What one server takes for a line may be two to another (RFC 5321, Section 2.3.8).
		c.tag, c.name = "*", "?"
		return c, nil
	}
	words := strings.Fields(line)
	if s.protocol == IMAP {
		if len(words) > 0 {
			c.tag = words[0]
			words = words[1:]
		} else {
			c.tag = "*"
		}
	}
	if len(words) > 0 {
		c.name = strings.ToUpper(words[0])
	}
	if known, ok := answers[s.protocol][c.name]; ok && c.name != "" {
		c.kind = known.kind
	} else if len(c.name) > 16 || strings.ContainsFunc(c.name, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		c.name = "?" // a command that is none may be anything, a password too
	}
	if c.kind == asking && len(words) > 1 {
		c.kind = other // STARTTLS has no parameters
	}
	return c, nil
}

// relay passes a command on and its answer back. It reports whether the answer is yes.
func (s *serving) relay(c command) (yes bool, err error) {
	if err := s.pass([]byte(c.line + "\r\n")); err != nil {
		return false, err
	}
	s.extended = s.extended || c.name == "EHLO"
	switch s.protocol {
	case SMTP:
		want := "2"
		if c.kind == asking {
			want = "220"
		}
		err = s.backend.reply(want)
	case IMAP:
		err = s.tagged(c.tag)
	default:
		err = s.backend.expect("+OK")
		for err == nil && c.name == "CAPA" {
			var line string
			if line, err = s.backend.line(); line == "." || len(s.backend.heard) > maxDialogueBytes {
				break
			}
		}
	}
	if said := s.taken(); len(said) > 0 {
		s.look(c, said)
		if err := s.tell(said); err != nil {
			return false, err
		}
	}
	var no *Error
	if errors.As(err, &no) && no.Refused && c.kind != asking {
		return false, nil // it did not like another command; that is between the two of them
	}
	if err != nil {
		return false, s.refused(no, err)
	}
	return true, nil
}

// refused says whose doing it is that a backend does not go over to TLS. One of SMTP may ask for EHLO first, for its answer to that is where TLS is
// offered (RFC 3207, Section 4).
func (s *serving) refused(no *Error, err error) error {
	switch {
	case no == nil || !no.Refused:
	case s.protocol == SMTP && !s.extended && strings.HasPrefix(no.Answer, "503"):
		return &Error{Protocol: s.protocol, Client: true, Early: true, Answer: "STARTTLS"}
	case s.offer == withoutTLS:
		no.Absent = true
	}
	return s.ofBackend(err)
}

// tagged reads an answer of IMAP up to the line with the tag.
func (s *serving) tagged(tag string) error {
	for range maxDialogueLines {
		line, err := s.backend.line()
		if err != nil {
			return err
		}
		said, ok := strings.CutPrefix(line, tag+" ")
		if !ok {
			continue
		}
		if status, _, _ := strings.Cut(said, " "); !strings.EqualFold(status, "OK") {
			return s.backend.unexpected(true, said)
		}
		return nil
	}
	return s.backend.unexpected(false, "more lines than an answer has")
}

// answerTo is what the Desk says by itself.
func answerTo(p Protocol, c command, host string) []byte {
	known, ok := answers[p][c.name]
	if !ok || c.kind == other {
		known = answers[p][""]
	}
	return []byte(strings.NewReplacer("TAG", c.tag, "HOST", host).Replace(known.answer))
}

// ownGreeting is how the Desk begins: like the backend, or in its own words.
func ownGreeting(p Protocol, greeting []byte) []byte {
	if len(greeting) > 0 {
		return InTLS(p, greeting)
	}
	switch p {
	case SMTP:
		return []byte("220 tlstriage.invalid ESMTP\r\n")
	case IMAP:
		return []byte("* OK ready\r\n")
	}
	return []byte("+OK ready\r\n")
}

// InTLS is the greeting of a server that gave it on the other side of TLS. The capabilities that one of IMAP may have in it differ
// there: "The server MUST NOT advertise the STARTTLS capability once TLS is active" (RFC 9051, Section 6.2.1). A client asks for them
// where they are not told.
func InTLS(p Protocol, greeting []byte) []byte {
	if p != IMAP {
		return greeting
	}
	from := bytes.Index(greeting, []byte("[CAPABILITY "))
	if from < 0 {
		return greeting
	}
	to := bytes.IndexByte(greeting[from:], ']')
	if to < 0 {
		return greeting
	}
	rest := bytes.TrimLeft(greeting[from+to+1:], " ")
	return append(bytes.Clone(greeting[:from]), rest...)
}

// Refusal is how a server of a protocol says that it is not there; nil: it has no words for it.
func Refusal(p Protocol) []byte {
	switch p {
	case SMTP:
		return []byte("421 4.3.2 Service not available\r\n") // RFC 5321, Section 3.8
	case IMAP:
		return []byte("* BYE not available\r\n")
	case POP3:
		return []byte("-ERR not available\r\n")
	case Postgres:
		return postgresFatal("57P03", "the service behind this proxy is not available") // cannot_connect_now
	case LDAP:
		return ldapNotice(ldapUnavailable, "not available")
	}
	return nil
}

// hostOf is the name in a greeting of SMTP.
func hostOf(greeting []byte) string {
	for line := range strings.Lines(string(greeting)) {
		if len(line) < 4 {
			continue
		}
		if words := strings.Fields(line[4:]); len(words) > 0 {
			return words[0]
		}
	}
	return "tlstriage.invalid"
}
