package starttls

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds of a dialogue.
const (
	maxDialogueLines = 128
	maxDialogueLine  = 4 << 10
	maxDialogueBytes = 64 << 10
	shownAnswer      = 120
)

// dialogue is a STARTTLS conversation. What is read is read byte by byte, so that nothing of the TLS behind it is lost.
type dialogue struct {
	protocol Protocol
	conn     io.ReadWriter
	in       *bufio.Reader
	heard    []byte // lines as they came
	greeting []byte // those that the server began with
}

func newDialogue(protocol Protocol, conn io.ReadWriter) *dialogue {
	return &dialogue{protocol: protocol, conn: conn, in: bufio.NewReaderSize(io.LimitReader(oneByte{conn}, maxDialogueBytes), 16)}
}

// Ask asks a server for TLS. name is said where the protocol has the client name the server. What is behind the dialogue is not
// read. The greeting is what a server that speaks first said, as it came: whoever asks for somebody else owes it to them. The error is an
// *Error, or that of the connection.
func Ask(protocol Protocol, name string, conn io.ReadWriter) (greeting []byte, err error) {
	d := newDialogue(protocol, conn)
	err = d.ask(name)
	var no *Error
	if errors.As(err, &no) && no.Refused && len(d.greeting) > 0 && offered(protocol, helloOf(protocol), d.heard) == withoutTLS {
		no.Absent = true
	}
	return d.greeting, err
}

// helloOf is the command to which a server lists what it can do, where Ask gives one.
func helloOf(protocol Protocol) string {
	switch protocol {
	case SMTP:
		return "EHLO"
	case LMTP:
		return "LHLO"
	}
	return ""
}

// Greeting reads what a server says that speaks first, and no more, as it came. The error is as that of Ask.
func Greeting(protocol Protocol, conn io.ReadWriter) ([]byte, error) {
	d := newDialogue(protocol, conn)
	err := d.greet()
	return d.heard, err
}

// greet reads the greeting of a protocol whose server speaks first.
func (d *dialogue) greet() error {
	switch d.protocol {
	case SMTP:
		return d.reply("220")
	case IMAP:
		return d.expect("* OK")
	case POP3:
		return d.expect("+OK")
	}
	return nil
}

func (d *dialogue) ask(name string) error {
	switch protocol := d.protocol; protocol {
	case SMTP, LMTP:
		return d.replies("220", helloOf(protocol)+" tlstriage.invalid", "250", "STARTTLS", "220")
	case FTP:
		return d.replies("220", "AUTH TLS", "234")
	case NNTP:
		return d.replies("20", "STARTTLS", "382")
	case IMAP:
		return d.lines("* OK", "a STARTTLS", "a OK")
	case POP3:
		return d.lines("+OK", "STLS", "+OK")
	case Sieve:
		return d.lines("OK", "STARTTLS", "OK")
	case XMPP:
		return d.xmpp("jabber:client", name)
	case XMPPServer:
		return d.xmpp("jabber:server", name)
	case Postgres:
		return d.postgres()
	case MySQL:
		return d.mysql()
	case LDAP:
		return d.ldap()
	case RDP:
		return d.rdp()
	}
	return fmt.Errorf("starttls: %q is none of %v", d.protocol, Protocols())
}

// oneByte reads a byte at a time, so that a buffer above it never holds more than was asked for.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return o.r.Read(b[:1])
}

func (d *dialogue) say(text string) error {
	_, err := io.WriteString(d.conn, text)
	return err
}

func (d *dialogue) unexpected(refused bool, answer string) error {
	return &Error{Protocol: d.protocol, Refused: refused, Answer: wire.FirstLine([]byte(answer), shownAnswer)}
}

func (d *dialogue) line() (string, error) {
	var line []byte
	for len(line) < maxDialogueLine {
		c, err := d.in.ReadByte()
		if err != nil {
			if len(line) > 0 && err == io.EOF {
				return "", d.unexpected(false, string(line))
			}
			return "", err
		}
		if line = append(line, c); c == '\n' {
			d.heard = append(d.heard, line...)
			return strings.TrimRight(string(line), "\r\n"), nil
		}
	}
	return "", d.unexpected(false, string(line))
}

// reply reads a reply of SMTP's kind: a line with a hyphen behind its code is followed by others, up to one that begins with that
// code and a space. What stands between may begin with anything (RFC 959, Section 4.2).
func (d *dialogue) reply(code string) error {
	first := ""
	for range maxDialogueLines {
		line, err := d.line()
		if err != nil {
			return err
		}
		if first != "" && !(strings.HasPrefix(line, first) && (len(line) == 3 || line[3] == ' ')) {
			continue
		}
		if len(line) < 3 || line[0] < '1' || line[0] > '5' {
			return d.unexpected(false, line)
		}
		if len(line) > 3 && line[3] == '-' {
			first = line[:3]
			continue
		}
		if !strings.HasPrefix(line, code) {
			return d.unexpected(true, line)
		}
		return nil
	}
	return d.unexpected(false, "more lines than a reply has")
}

// replies waits for a code, then says and waits in turns.
func (d *dialogue) replies(greeting string, turns ...string) error {
	if err := d.reply(greeting); err != nil {
		return err
	}
	d.greeting = bytes.Clone(d.heard)
	for i := 0; i+1 < len(turns); i += 2 {
		if err := d.say(turns[i] + "\r\n"); err != nil {
			return err
		}
		if err := d.reply(turns[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// lines waits for a line that begins with the greeting, gives the command, and waits for a line that begins like the answer.
func (d *dialogue) lines(greeting, command, answer string) error {
	if err := d.expect(greeting); err != nil {
		return err
	}
	d.greeting = bytes.Clone(d.heard)
	if err := d.say(command + "\r\n"); err != nil {
		return err
	}
	return d.expect(answer)
}

// expect waits for a line that begins so.
func (d *dialogue) expect(want string) error {
	for n := 0; ; n++ {
		line, err := d.line()
		if err != nil {
			return err
		}
		if strings.HasPrefix(strings.ToUpper(line), strings.ToUpper(want)) {
			return nil
		}
		if n == maxDialogueLines || !d.prelude(line) {
			return d.unexpected(refusal(line), line)
		}
	}
}

// prelude reports whether a line may come before the one that is waited for: untagged ones of IMAP, capabilities of ManageSieve.
func (d *dialogue) prelude(line string) bool {
	switch d.protocol {
	case IMAP:
		return strings.HasPrefix(line, "* ") && !strings.HasPrefix(line, "* BYE") && !strings.HasPrefix(line, "* PREAUTH")
	case Sieve:
		return strings.HasPrefix(line, `"`)
	}
	return false
}

// refusal tells a no from what is no answer of these protocols at all.
func refusal(line string) bool {
	for _, no := range [...]string{"-ERR", "a NO", "a BAD", "NO", "BYE", "* BYE", "* PREAUTH"} {
		if strings.HasPrefix(line, no) {
			return true
		}
	}
	return false
}

// xmpp opens a stream, and asks for TLS once its features are there.
func (d *dialogue) xmpp(namespace, name string) error {
	err := d.say(fmt.Sprintf("<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>",
		namespace, strings.NewReplacer("&", "&amp;", "<", "&lt;", "'", "&apos;").Replace(name)))
	if err != nil {
		return err
	}
	if err := d.until("</stream:features>", "</stream:stream>", "</features>"); err != nil {
		return err
	}
	if err := d.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
		return err
	}
	return d.proceed()
}

// until reads up to the first of the ends; all but the first and the last mean no.
func (d *dialogue) until(ends ...string) error {
	var seen []byte
	for len(seen) < maxDialogueBytes {
		c, err := d.in.ReadByte()
		if err != nil {
			if err == io.EOF && len(seen) > 0 {
				return d.unexpected(false, string(seen))
			}
			return err
		}
		seen = append(seen, c)
		if len(seen) == 1 && c != '<' {
			return d.unexpected(false, string(seen))
		}
		for _, end := range ends {
			if c == '>' && bytes.HasSuffix(seen, []byte(end)) {
				if end == "</stream:stream>" {
					return d.unexpected(true, string(seen))
				}
				return nil
			}
		}
	}
	return d.unexpected(false, string(seen))
}

// proceed waits for <proceed/>.
func (d *dialogue) proceed() error {
	var seen []byte
	for len(seen) < maxDialogueLine {
		c, err := d.in.ReadByte()
		if err != nil {
			return err
		}
		if seen = append(seen, c); c != '>' {
			continue
		}
		if bytes.Contains(seen, []byte("<proceed")) {
			return nil
		}
		return d.unexpected(true, string(seen))
	}
	return d.unexpected(false, string(seen))
}
