package probe

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// StartTLS names the protocol in which a server is asked to speak TLS.
type StartTLS string

// Protocols.
const (
	StartTLSSMTP       StartTLS = "smtp"        // RFC 3207
	StartTLSLMTP       StartTLS = "lmtp"        // RFC 2033
	StartTLSIMAP       StartTLS = "imap"        // RFC 9051, Section 6.2.1
	StartTLSPOP3       StartTLS = "pop3"        // RFC 2595, Section 4
	StartTLSFTP        StartTLS = "ftp"         // RFC 4217, Section 4.1
	StartTLSNNTP       StartTLS = "nntp"        // RFC 4642
	StartTLSSieve      StartTLS = "sieve"       // RFC 5804, Section 1.7
	StartTLSLDAP       StartTLS = "ldap"        // RFC 4511, Section 4.14
	StartTLSXMPP       StartTLS = "xmpp"        // RFC 6120, Section 5, as a client
	StartTLSXMPPServer StartTLS = "xmpp-server" // as a server
	StartTLSPostgres   StartTLS = "postgres"    // SSLRequest
	StartTLSMySQL      StartTLS = "mysql"       // SSLRequest of the client/server protocol
	StartTLSRDP        StartTLS = "rdp"         // MS-RDPBCGR, Section 2.2.1.1
)

// StartTLSProtocols are the protocols that are spoken, for a message to who misspelt one.
func StartTLSProtocols() []StartTLS {
	return []StartTLS{StartTLSSMTP, StartTLSLMTP, StartTLSIMAP, StartTLSPOP3, StartTLSFTP, StartTLSNNTP, StartTLSSieve, StartTLSLDAP,
		StartTLSXMPP, StartTLSXMPPServer, StartTLSPostgres, StartTLSMySQL, StartTLSRDP}
}

// StartTLSError says that a server did not go along with the dialogue.
type StartTLSError struct {
	Protocol StartTLS
	Refused  bool   // it said no; otherwise it said something else than the protocol has
	Answer   string // what it said, printable
}

func (e *StartTLSError) Error() string {
	if e.Refused {
		return fmt.Sprintf("probe: starttls %s: the server refuses: %q", e.Protocol, e.Answer)
	}
	return fmt.Sprintf("probe: starttls %s: no answer of the protocol: %q", e.Protocol, e.Answer)
}

// Bounds of a dialogue.
const (
	maxDialogueLines = 128
	maxDialogueLine  = 4 << 10
	maxDialogueBytes = 64 << 10
	shownAnswer      = 120
)

// dialogue is a STARTTLS conversation. What is read is read byte by byte, so that nothing of the TLS behind it is lost.
type dialogue struct {
	protocol StartTLS
	conn     io.ReadWriter
	in       *bufio.Reader
}

func startTLS(protocol StartTLS, name string, conn io.ReadWriter) error {
	d := &dialogue{protocol, conn, bufio.NewReaderSize(io.LimitReader(oneByte{conn}, maxDialogueBytes), 16)}
	switch protocol {
	case StartTLSSMTP, StartTLSLMTP:
		hello := "EHLO tlstriage.invalid"
		if protocol == StartTLSLMTP {
			hello = "LHLO tlstriage.invalid"
		}
		return d.replies("220", hello, "250", "STARTTLS", "220")
	case StartTLSFTP:
		return d.replies("220", "AUTH TLS", "234")
	case StartTLSNNTP:
		return d.replies("20", "STARTTLS", "382")
	case StartTLSIMAP:
		return d.lines("* ", "a STARTTLS", "a OK")
	case StartTLSPOP3:
		return d.lines("+OK", "STLS", "+OK")
	case StartTLSSieve:
		return d.lines("OK", "STARTTLS", "OK")
	case StartTLSXMPP:
		return d.xmpp("jabber:client", name)
	case StartTLSXMPPServer:
		return d.xmpp("jabber:server", name)
	case StartTLSPostgres:
		return d.postgres()
	case StartTLSMySQL:
		return d.mysql()
	case StartTLSLDAP:
		return d.ldap()
	case StartTLSRDP:
		return d.rdp()
	}
	return fmt.Errorf("probe: starttls: %q is none of %v", protocol, StartTLSProtocols())
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
	return &StartTLSError{d.protocol, refused, wire.FirstLine([]byte(answer), shownAnswer)}
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
	for i, want := range [...]string{greeting, answer} {
		if i == 1 {
			if err := d.say(command + "\r\n"); err != nil {
				return err
			}
		}
		for n := 0; ; n++ {
			line, err := d.line()
			if err != nil {
				return err
			}
			if strings.HasPrefix(strings.ToUpper(line), strings.ToUpper(want)) {
				break
			}
			if n == maxDialogueLines || !d.prelude(line) {
				return d.unexpected(refusal(line), line)
			}
		}
	}
	return nil
}

// prelude reports whether a line may come before the one that is waited for: untagged ones of IMAP, capabilities of ManageSieve.
func (d *dialogue) prelude(line string) bool {
	switch d.protocol {
	case StartTLSIMAP:
		return strings.HasPrefix(line, "* ")
	case StartTLSSieve:
		return strings.HasPrefix(line, `"`)
	}
	return false
}

// refusal tells a no from what is no answer of these protocols at all.
func refusal(line string) bool {
	for _, no := range [...]string{"-ERR", "a NO", "a BAD", "NO", "BYE", "* BYE"} {
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
