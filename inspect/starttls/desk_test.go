package starttls_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/starttls"
)

const (
	startTLSRequest  = "\x30\x1d\x02\x01\x05\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
	startTLSYes      = "\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
	startTLSNo       = "\x30\x0c\x02\x01\x05\x78\x07\x0a\x01\x34\x04\x00\x04\x00"
	sslRequest       = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	gssRequest       = "\x00\x00\x00\x08\x04\xd2\x16\x30"
	cancelRequest    = "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02"
	startupMessage   = "\x00\x00\x00\x12\x00\x03\x00\x00user\x00me\x00\x00\x00"
	bindRequest      = "\x30\x0c\x02\x01\x05\x60\x07\x02\x01\x03\x04\x00\x80\x00"
	bindConfidential = "\x30\x15\x02\x01\x05\x61\x10\x0a\x01\x0d\x04\x00\x04\x09TLS first"
)

// talk is a peer with a script: lines that begin with S: are said, with C: expected, with F: nothing more is said; it fails the test with what came instead.
func talk(t *testing.T, who string, conn net.Conn, turns []string) {
	for _, turn := range turns {
		text := turn[2:]
		if turn[0] == 'F' {
			conn.(*net.TCPConn).CloseWrite()
			continue
		}
		if turn[0] == 'S' {
			if _, err := io.WriteString(conn, text); err != nil {
				t.Errorf("%s says %q: %v", who, text, err)
				return
			}
			continue
		}
		got := make([]byte, len(text))
		if n, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			t.Errorf("%s waits for %q: %q, %v", who, text, got[:n], err)
			return
		}
	}
}

// pair is a connection of TCP, which holds what nobody reads.
func pair(t *testing.T) (near, far net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{near, far} {
		c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { c.Close() })
	}
	return near, far
}

func TestDesk(t *testing.T) {
	for _, tt := range []struct {
		name     string
		protocol starttls.Protocol
		greeting string
		client   []string // S: is what the client says
		backend  []string // nil: the desk answers
		relayed  bool
		first    string
		wrong    *starttls.Error
	}{
		{name: "SMTP, answered", protocol: starttls.SMTP, greeting: "220 mx.example ESMTP\r\n",
			client: []string{"C:220 mx.example ESMTP\r\n", "S:EHLO me\r\n", "C:250-mx.example\r\n250 STARTTLS\r\n", "S:MAIL FROM:<a@b>\r\n", "C:530 5.7.0 Must issue a STARTTLS command first\r\n", "S:starttls\r\n", "C:220 2.0.0 Ready to start TLS\r\n"}},
		{name: "SMTP, a line with a CR in it stays here", protocol: starttls.SMTP, relayed: true,
			client:  []string{"C:220 mx ESMTP\r\n", "S:NOOP\rMAIL FROM:<a>\r\n", "C:530 5.7.0 Must issue a STARTTLS command first\r\n", "S:NOOP \x00\r\n", "C:530 5.7.0 Must issue a STARTTLS command first\r\n", "S:STARTTLS\r\n", "C:220 go\r\n"},
			backend: []string{"S:220 mx ESMTP\r\n", "C:STARTTLS\r\n", "S:220 go\r\n"}},
		{name: "IMAP, a tag with a CR in it comes not back", protocol: starttls.IMAP,
			client: []string{"C:* OK ready\r\n", "S:a\rb NOOP\r\n", "C:* NO [PRIVACYREQUIRED] STARTTLS first\r\n", "S:a STARTTLS\r\n", "C:a OK Begin TLS negotiation now\r\n"}},
		{name: "SMTP, of its own", protocol: starttls.SMTP, client: []string{"C:220 tlstriage.invalid ESMTP\r\n", "S:HELO me\r\n", "C:250 tlstriage.invalid\r\n", "S:STARTTLS\r\n", "C:220 2.0.0 Ready to start TLS\r\n"}},
		{name: "SMTP, passed on", protocol: starttls.SMTP, relayed: true,
			client:  []string{"C:220-mx.example ESMTP\r\n220 hello\r\n", "S:EHLO me\r\n", "C:250-mx.example\r\n250-SIZE 1\r\n250 STARTTLS\r\n", "S:RCPT TO:<a@b>\r\n", "C:530 5.7.0 Must issue a STARTTLS command first\r\n", "S:STARTTLS\r\n", "C:220 go ahead\r\n"},
			backend: []string{"S:220-mx.example ESMTP\r\n220 hello\r\n", "C:EHLO me\r\n", "S:250-mx.example\r\n250-SIZE 1\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:220 go ahead\r\n"}},
		{name: "SMTP, refused", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:STARTTLS\r\n", "C:454 4.7.0 TLS not available\r\n"},
			backend: []string{"S:220 mx\r\n", "C:STARTTLS\r\n", "S:454 4.7.0 TLS not available\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Refused: true, Answer: "454 4.7.0 TLS not available"}},
		{name: "SMTP, asked before EHLO", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:HELO me\r\n", "C:250 mx\r\n", "S:STARTTLS\r\n", "C:503 STARTTLS command used when not advertised\r\n"},
			backend: []string{"S:220 mx\r\n", "C:HELO me\r\n", "S:250 mx\r\n", "C:STARTTLS\r\n", "S:503 STARTTLS command used when not advertised\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Client: true, Early: true, Answer: "STARTTLS"}},
		{name: "SMTP, asked although it is not offered", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:EHLO me\r\n", "C:250 mx\r\n", "S:STARTTLS\r\n", "C:503 STARTTLS command used when not advertised\r\n"},
			backend: []string{"S:220 mx\r\n", "C:EHLO me\r\n", "S:250 mx\r\n", "C:STARTTLS\r\n", "S:503 STARTTLS command used when not advertised\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Refused: true, Absent: true, Answer: "503 STARTTLS command used when not advertised"}},
		{name: "SMTP, offered and refused", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:EHLO me\r\n", "C:250-mx\r\n250 STARTTLS\r\n", "S:STARTTLS\r\n", "C:503 not now\r\n"},
			backend: []string{"S:220 mx\r\n", "C:EHLO me\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:503 not now\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Refused: true, Answer: "503 not now"}},
		{name: "SMTP, a command the backend does not know", protocol: starttls.SMTP, relayed: true,
			client:  []string{"C:220 mx\r\n", "S:EHLO me\r\n", "C:502 what?\r\n", "S:HELO me\r\n", "C:250 mx\r\n", "S:STARTTLS\r\n", "C:220 go\r\n"},
			backend: []string{"S:220 mx\r\n", "C:EHLO me\r\n", "S:502 what?\r\n", "C:HELO me\r\n", "S:250 mx\r\n", "C:STARTTLS\r\n", "S:220 go\r\n"}},
		{name: "SMTP, no service", protocol: starttls.SMTP, client: []string{"C:554 no\r\n"}, backend: []string{"S:554 no\r\n"},
			wrong: &starttls.Error{Protocol: starttls.SMTP, Refused: true, Answer: "554 no"}},
		{name: "SMTP, the client leaves", protocol: starttls.SMTP, client: []string{"C:220 tlstriage.invalid ESMTP\r\n", "S:QUIT\r\n", "C:221 2.0.0 Bye\r\n"},
			wrong: &starttls.Error{Protocol: starttls.SMTP, Client: true, Refused: true, Answer: "QUIT"}},
		{name: "SMTP, a password in plain text", protocol: starttls.SMTP, client: []string{"C:220 tlstriage.invalid ESMTP\r\n", "S:AUTH PLAIN c2VjcmV0\r\n", "C:530 5.7.0 Must issue a STARTTLS command first\r\n", "S:QUIT\r\n", "C:221 2.0.0 Bye\r\n"},
			wrong: &starttls.Error{Protocol: starttls.SMTP, Client: true, Refused: true, Answer: "QUIT"}},
		{name: "SMTP, TLS at once", protocol: starttls.SMTP, client: []string{"C:220 tlstriage.invalid ESMTP\r\n", "S:\x16\x03\x01"},
			wrong: &starttls.Error{Protocol: starttls.SMTP, Client: true, Answer: "a TLS handshake"}},
		{name: "SMTP, the backend has no TLS", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:EHLO me\r\n", "C:250-mx says STARTTLS is for others\r\n250 SIZE 1\r\n", "S:QUIT\r\n", "C:221 bye\r\n"},
			backend: []string{"S:220 mx\r\n", "C:EHLO me\r\n", "S:250-mx says STARTTLS is for others\r\n250 SIZE 1\r\n", "C:QUIT\r\n", "S:221 bye\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Refused: true, Absent: true}},
		{name: "SMTP, the backend has no TLS, and the client just goes", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:EHLO me\r\n", "C:250 mx\r\n", "F:"},
			backend: []string{"S:220 mx\r\n", "C:EHLO me\r\n", "S:250 mx\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Refused: true, Absent: true}},
		{name: "SMTP, the backend has TLS, and the client just goes", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:EHLO me\r\n", "C:250-mx\r\n250 StartTLS\r\n", "F:"},
			backend: []string{"S:220 mx\r\n", "C:EHLO me\r\n", "S:250-mx\r\n250 StartTLS\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Client: true, Refused: true, Absent: true, Answer: "EHLO"}},
		{name: "SMTP, what HELO is answered with lists nothing", protocol: starttls.SMTP,
			client:  []string{"C:220 mx\r\n", "S:HELO me\r\n", "C:250 mx\r\n", "S:QUIT\r\n", "C:221 bye\r\n"},
			backend: []string{"S:220 mx\r\n", "C:HELO me\r\n", "S:250 mx\r\n", "C:QUIT\r\n", "S:221 bye\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.SMTP, Client: true, Refused: true, Answer: "QUIT"}},
		{name: "IMAP, the backend has no TLS", protocol: starttls.IMAP,
			client:  []string{"C:* OK ready\r\n", "S:a CAPABILITY\r\n", "C:* CAPABILITY IMAP4rev1\r\na OK done\r\n", "S:b LOGOUT\r\n", "C:* BYE\r\nb OK\r\n"},
			backend: []string{"S:* OK ready\r\n", "C:a CAPABILITY\r\n", "S:* CAPABILITY IMAP4rev1\r\na OK done\r\n", "C:b LOGOUT\r\n", "S:* BYE\r\nb OK\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.IMAP, Refused: true, Absent: true}},
		{name: "POP3, the backend has no TLS", protocol: starttls.POP3,
			client:  []string{"C:+OK ready\r\n", "S:CAPA\r\n", "C:+OK\r\nUIDL\r\n.\r\n", "S:QUIT\r\n", "C:+OK bye\r\n"},
			backend: []string{"S:+OK ready\r\n", "C:CAPA\r\n", "S:+OK\r\nUIDL\r\n.\r\n", "C:QUIT\r\n", "S:+OK bye\r\n"},
			wrong:   &starttls.Error{Protocol: starttls.POP3, Refused: true, Absent: true}},
		{name: "IMAP, answered", protocol: starttls.IMAP, greeting: "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Dovecot ready.\r\n",
			client: []string{"C:* OK Dovecot ready.\r\n", "S:a1 capability\r\n", "C:* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK CAPABILITY completed\r\n", "S:a2 LOGIN me secret\r\n", "C:a2 NO [PRIVACYREQUIRED] STARTTLS first\r\n", "S:a3 STARTTLS\r\n", "C:a3 OK Begin TLS negotiation now\r\n"}},
		{name: "IMAP, passed on", protocol: starttls.IMAP, relayed: true,
			client:  []string{"C:* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", "S:x CAPABILITY\r\n", "C:* CAPABILITY IMAP4rev1 STARTTLS\r\nx OK\r\n", "S:y STARTTLS\r\n", "C:y OK begin\r\n"},
			backend: []string{"S:* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", "C:x CAPABILITY\r\n", "S:* CAPABILITY IMAP4rev1 STARTTLS\r\nx OK\r\n", "C:y STARTTLS\r\n", "S:y OK begin\r\n"}},
		{name: "IMAP, refused", protocol: starttls.IMAP, client: []string{"C:* OK\r\n", "S:y STARTTLS\r\n", "C:y BAD TLS support is not enabled\r\n"}, backend: []string{"S:* OK\r\n", "C:y STARTTLS\r\n", "S:y BAD TLS support is not enabled\r\n"},
			wrong: &starttls.Error{Protocol: starttls.IMAP, Refused: true, Answer: "BAD TLS support is not enabled"}},
		{name: "POP3, answered", protocol: starttls.POP3, client: []string{"C:+OK ready\r\n", "S:CAPA\r\n", "C:+OK\r\nSTLS\r\n.\r\n", "S:USER me\r\n", "C:-ERR STLS first\r\n", "S:STLS\r\n", "C:+OK Begin TLS negotiation\r\n"}},
		{name: "POP3, passed on", protocol: starttls.POP3, relayed: true,
			client:  []string{"C:+OK <1@mail>\r\n", "S:CAPA\r\n", "C:+OK\r\nSTLS\r\nUIDL\r\n.\r\n", "S:STLS\r\n", "C:+OK begin\r\n"},
			backend: []string{"S:+OK <1@mail>\r\n", "C:CAPA\r\n", "S:+OK\r\nSTLS\r\nUIDL\r\n.\r\n", "C:STLS\r\n", "S:+OK begin\r\n"}},
		{name: "POP3, refused", protocol: starttls.POP3, client: []string{"C:+OK\r\n", "S:STLS\r\n", "C:-ERR no TLS here\r\n"}, backend: []string{"S:+OK\r\n", "C:STLS\r\n", "S:-ERR no TLS here\r\n"},
			wrong: &starttls.Error{Protocol: starttls.POP3, Refused: true, Answer: "-ERR no TLS here"}},
		{name: "LDAP, answered", protocol: starttls.LDAP, client: []string{"S:" + bindRequest, "C:" + bindConfidential, "S:" + startTLSRequest, "C:" + startTLSYes}},
		{name: "LDAP, passed on", protocol: starttls.LDAP, relayed: true, client: []string{"S:" + startTLSRequest, "C:" + startTLSYes}, backend: []string{"C:" + startTLSRequest, "S:" + startTLSYes}},
		{name: "LDAP, unavailable", protocol: starttls.LDAP, client: []string{"S:" + startTLSRequest, "C:" + startTLSNo}, backend: []string{"C:" + startTLSRequest, "S:" + startTLSNo},
			wrong: &starttls.Error{Protocol: starttls.LDAP, Refused: true, Answer: "result code 52"}},
		{name: "LDAPS", protocol: starttls.LDAP, client: []string{"S:\x16"}, first: "\x16"},
		{name: "PostgreSQL, answered", protocol: starttls.Postgres, client: []string{"S:" + gssRequest, "C:N", "S:" + sslRequest, "C:S"}},
		{name: "PostgreSQL, passed on", protocol: starttls.Postgres, relayed: true, client: []string{"S:" + sslRequest, "C:S"}, backend: []string{"C:" + sslRequest, "S:S"}},
		{name: "PostgreSQL, refused", protocol: starttls.Postgres, client: []string{"S:" + sslRequest, "C:N"}, backend: []string{"C:" + sslRequest, "S:N"},
			wrong: &starttls.Error{Protocol: starttls.Postgres, Refused: true, Answer: "N"}},
		{name: "PostgreSQL, direct", protocol: starttls.Postgres, client: []string{"S:\x16"}, first: "\x16"},
		{name: "PostgreSQL, a cancellation", protocol: starttls.Postgres, client: []string{"S:" + cancelRequest}, backend: []string{"C:" + cancelRequest},
			wrong: &starttls.Error{Protocol: starttls.Postgres, Client: true, Refused: true, Answer: "CancelRequest"}},
		{name: "PostgreSQL in plain text", protocol: starttls.Postgres, client: []string{"S:" + startupMessage, "C:E"},
			wrong: &starttls.Error{Protocol: starttls.Postgres, Client: true, Refused: true, Answer: "StartupMessage"}},
		{name: "another protocol", protocol: starttls.Postgres, client: []string{"S:GET / HTTP/1.1\r\n\r\n"}, wrong: &starttls.Error{Protocol: starttls.Postgres, Client: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, client := pair(t)
			desk := &starttls.Desk{Protocol: tt.protocol, Client: near, Greeting: []byte(tt.greeting)}
			done := make(chan struct{}, 2)
			go func() { talk(t, "the client", client, tt.client); done <- struct{}{} }()
			if tt.backend == nil {
				done <- struct{}{}
			} else {
				toBackend, backend := pair(t)
				desk.Backend = toBackend
				go func() { talk(t, "the backend", backend, tt.backend); done <- struct{}{} }()
			}
			agreed, err := desk.Agree()
			<-done
			<-done
			var wrong *starttls.Error
			if tt.wrong != nil && (!errors.As(err, &wrong) || *wrong != *tt.wrong) || tt.wrong == nil && err != nil {
				t.Errorf("got %v (%+v), want %+v", err, wrong, tt.wrong)
			}
			if agreed.Relayed != tt.relayed || string(agreed.First) != tt.first {
				t.Errorf("%+v", agreed)
			}
		})
	}
}

// CVE-2011-0411: what a client sends in plain text behind its request stays unread: it is not taken for what comes inside of TLS.
func TestNothingBehindTheRequestIsRead(t *testing.T) {
	for _, protocol := range starttls.Served() {
		asked := map[starttls.Protocol]string{starttls.SMTP: "STARTTLS\r\n", starttls.IMAP: "a STARTTLS\r\n", starttls.POP3: "STLS\r\n", starttls.LDAP: startTLSRequest, starttls.Postgres: sslRequest}[protocol]
		near, client := pair(t)
		go io.WriteString(client, asked+"RSET\r\n")
		if _, err := (&starttls.Desk{Protocol: protocol, Client: near}).Agree(); err != nil {
			t.Fatal(protocol, err)
		}
		if rest, err := bufio.NewReader(near).ReadString('\n'); err != nil || rest != "RSET\r\n" {
			t.Errorf("%s: %q, %v is left", protocol, rest, err)
		}
	}
}

// A client that never comes to the point is left after a bounded number of commands, and one line has a bound too.
func TestDeskIsBounded(t *testing.T) {
	for name, text := range map[string]string{"commands": strings.Repeat("NOOP\r\n", 1000), "a line": strings.Repeat("x", 1<<20)} {
		near, client := pair(t)
		go io.WriteString(client, text)
		go io.Copy(io.Discard, client)
		if _, err := (&starttls.Desk{Protocol: starttls.SMTP, Client: near}).Agree(); err == nil {
			t.Errorf("%s without end were taken", name)
		}
		near.Close()
	}
}

// Refusals are whole messages of their protocols: a client of that protocol reads them as such.
func TestRefusalsAreOfTheProtocol(t *testing.T) {
	for _, p := range starttls.Served() {
		said := starttls.Refusal(p)
		near, far := pair(t)
		far.Write(said)
		far.(*net.TCPConn).CloseWrite()
		_, err := starttls.Ask(p, "name.example", near)
		var wrong *starttls.Error
		if !errors.As(err, &wrong) || len(said) == 0 {
			t.Errorf("%s: %q is read as %v", p, said, err)
		}
	}
	if said := starttls.Refusal(starttls.Postgres); said[0] != 'E' || int(said[4])+1 != len(said) || said[len(said)-1] != 0 || said[len(said)-2] != 0 {
		t.Errorf("%q", said)
	}
	if said := starttls.Refusal(starttls.LDAP); int(said[1])+2 != len(said) || !bytes.HasPrefix(said[2:], []byte("\x02\x01\x00\x78")) || int(said[6])+7 != len(said) {
		t.Errorf("%q", said)
	}
}

func TestGreetingInTLS(t *testing.T) {
	for in, want := range map[string]string{
		"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n": "* OK ready\r\n", "* OK ready\r\n": "* OK ready\r\n", "* OK [CAPABILITY broken\r\n": "* OK [CAPABILITY broken\r\n",
	} {
		if got := starttls.InTLS(starttls.IMAP, []byte(in)); string(got) != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// stranger is a connection whose peer said all that it has to say.
type stranger struct {
	io.Reader
	said bytes.Buffer
}

func (s *stranger) Write(b []byte) (int, error) { return s.said.Write(b) }

// Whatever the two sides say, a desk comes to an end, without a panic, and says no more than the protocol has.
func FuzzDesk(f *testing.F) {
	f.Add(byte(0), []byte(sslRequest), []byte("S"))
	f.Add(byte(1), []byte("EHLO a\r\nSTARTTLS\r\n"), []byte("220 a\r\n250-a\r\n250 b\r\n220 c\r\n"))
	f.Add(byte(2), []byte("a CAPABILITY\r\na STARTTLS\r\n"), []byte("* OK\r\n* CAPABILITY x\r\na OK\r\na OK\r\n"))
	f.Add(byte(3), []byte("CAPA\r\nSTLS\r\n"), []byte("+OK\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n"))
	f.Add(byte(4), []byte(bindRequest+startTLSRequest), []byte(startTLSYes))
	f.Add(byte(4|8), []byte(bindRequest+startTLSRequest), []byte(nil))
	f.Fuzz(func(t *testing.T, kind byte, client, backend []byte) {
		c, b := &stranger{Reader: bytes.NewReader(client)}, &stranger{Reader: bytes.NewReader(backend)}
		desk := &starttls.Desk{Protocol: starttls.Served()[int(kind&7)%5], Client: c}
		if kind&8 == 0 {
			desk.Backend = b
		} else {
			desk.Greeting = backend
		}
		agreed, err := desk.Agree()
		if err == nil && desk.Backend != nil && !agreed.Relayed && agreed.First == nil {
			t.Error("agreed although the backend did not")
		}
		if said := b.said.Len(); said > 2*len(client)+64 {
			t.Errorf("the backend was told %d bytes for %d", said, len(client))
		}
	})
}

// Who asks a server that does not list TLS among what it can do learns that of its refusal.
func TestARefusalOfWhatIsNotOffered(t *testing.T) {
	for _, tt := range []struct {
		name     string
		protocol starttls.Protocol
		server   []string
		want     *starttls.Error
	}{
		{"offered", starttls.SMTP, []string{"S:220 mx\r\n", "C:EHLO tlstriage.invalid\r\n", "S:250-mx\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:454 not now\r\n"},
			&starttls.Error{Protocol: starttls.SMTP, Refused: true, Answer: "454 not now"}},
		{"not offered", starttls.SMTP, []string{"S:220 mx\r\n", "C:EHLO tlstriage.invalid\r\n", "S:250-mx\r\n250 SIZE 1\r\n", "C:STARTTLS\r\n", "S:503 STARTTLS command used when not advertised\r\n"},
			&starttls.Error{Protocol: starttls.SMTP, Refused: true, Absent: true, Answer: "503 STARTTLS command used when not advertised"}},
		{"not offered, but there", starttls.SMTP, []string{"S:220 mx\r\n", "C:EHLO tlstriage.invalid\r\n", "S:250 mx\r\n", "C:STARTTLS\r\n", "S:220 go\r\n"}, nil},
		{"LMTP", starttls.LMTP, []string{"S:220 mx\r\n", "C:LHLO tlstriage.invalid\r\n", "S:250 mx\r\n", "C:STARTTLS\r\n", "S:502 no\r\n"},
			&starttls.Error{Protocol: starttls.LMTP, Refused: true, Absent: true, Answer: "502 no"}},
		{"IMAP tells it in its greeting", starttls.IMAP, []string{"S:* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n", "C:a STARTTLS\r\n", "S:a BAD no\r\n"},
			&starttls.Error{Protocol: starttls.IMAP, Refused: true, Absent: true, Answer: "a BAD no"}},
		{"IMAP does not tell", starttls.IMAP, []string{"S:* OK ready\r\n", "C:a STARTTLS\r\n", "S:a BAD no\r\n"},
			&starttls.Error{Protocol: starttls.IMAP, Refused: true, Answer: "a BAD no"}},
		{"refused in the greeting", starttls.SMTP, []string{"S:554 no\r\n"}, &starttls.Error{Protocol: starttls.SMTP, Refused: true, Answer: "554 no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, server := pair(t)
			done := make(chan struct{})
			go func() { talk(t, "the server", server, tt.server); close(done) }()
			_, err := starttls.Ask(tt.protocol, "name.example", near)
			<-done
			var got *starttls.Error
			if errors.As(err, &got) != (tt.want != nil) || got != nil && *got != *tt.want {
				t.Errorf("%+v, want %+v", err, tt.want)
			}
		})
	}
}
