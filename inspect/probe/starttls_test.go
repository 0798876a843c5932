package probe_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
)

// script is a dialogue as a server has it: lines that begin with S: are said, with C: expected.
func script(conn net.Conn, turns ...string) bool {
	for _, turn := range turns {
		text := turn[2:]
		if strings.HasPrefix(turn, "S:") {
			if _, err := io.WriteString(conn, text); err != nil {
				return false
			}
			continue
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			return false
		}
	}
	return true
}

const ldapYes = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"

func mysqlGreeting(capabilities string) string {
	body := "\x0a8.0.36\x00" + "\x01\x00\x00\x00" + "abcdefgh" + "\x00" + capabilities + "\x2d\x02\x00"
	return string([]byte{byte(len(body)), 0, 0, 0}) + body
}

func dialogues() map[probe.StartTLS][]string {
	return map[probe.StartTLS][]string{
		probe.StartTLSSMTP:     {"S:220-mail.example\r\n220 ready\r\n", "C:EHLO tlstriage.invalid\r\n", "S:250-mail.example\r\n250-SIZE 1\r\n250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:220 go\r\n"},
		probe.StartTLSLMTP:     {"S:220 ready\r\n", "C:LHLO tlstriage.invalid\r\n", "S:250 STARTTLS\r\n", "C:STARTTLS\r\n", "S:220 go\r\n"},
		probe.StartTLSIMAP:     {"S:* OK ready\r\n", "C:a STARTTLS\r\n", "S:* CAPABILITY IMAP4rev1\r\na OK begin\r\n"},
		probe.StartTLSPOP3:     {"S:+OK ready\r\n", "C:STLS\r\n", "S:+OK begin\r\n"},
		probe.StartTLSFTP:      {"S:220-a\r\n 230 b\r\n230-c\r\n220 ftp\r\n", "C:AUTH TLS\r\n", "S:234 go\r\n"},
		probe.StartTLSNNTP:     {"S:200 news\r\n", "C:STARTTLS\r\n", "S:382 go\r\n"},
		probe.StartTLSSieve:    {"S:\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK ready\r\n", "C:STARTTLS\r\n", "S:OK begin\r\n"},
		probe.StartTLSLDAP:     {"C:\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "S:" + ldapYes},
		probe.StartTLSPostgres: {"C:\x00\x00\x00\x08\x04\xd2\x16\x2f", "S:S"},
		probe.StartTLSMySQL:    {"S:" + mysqlGreeting("\xff\xff"), "C:\x20\x00\x00\x01\x00\x8a\x00\x00\x00\x00\x00\x01\x2d" + strings.Repeat("\x00", 23)},
		probe.StartTLSXMPP: {
			"C:<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='start.example' version='1.0'>",
			"S:<?xml version='1.0'?><stream:stream id='1'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
			"C:<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "S:<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
		},
		probe.StartTLSXMPPServer: {
			"C:<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='start.example' version='1.0'>",
			"S:<stream:stream><stream:features/></stream:features>", "C:<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "S:<proceed/>",
		},
		probe.StartTLSRDP: {"C:\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", "S:\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x02\x00\x00\x00"},
	}
}

func TestDialoguesBeforeTLS(t *testing.T) {
	id := ecdsaIdentity(t, "start.example")
	all := dialogues()
	for _, protocol := range probe.StartTLSProtocols() {
		t.Run(string(protocol), func(t *testing.T) {
			turns, ok := all[protocol]
			if !ok {
				t.Fatal("no dialogue to test it with")
			}
			address := serve(t, func(conn net.Conn) {
				if script(conn, turns...) {
					c := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{id.Certificate}})
					_ = c.Handshake()
					discard(conn)
				}
			})
			client := &probe.Client{Timeouts: probe.Timeouts{Preface: 20 * time.Second}}
			x := client.Exchange(t.Context(), probe.Target{Address: address, StartTLS: protocol, Name: "start.example"}, probe.Modern("start.example"), probe.Options{})
			if !x.Accepted() || len(x.Certificates) != 1 {
				t.Errorf("%s: %+v", x.Describe(), x.Error)
			}
		})
	}
}

func TestDialoguesThatEndBeforeTLS(t *testing.T) {
	for name, tc := range map[string]struct {
		protocol probe.StartTLS
		turns    []string
		refused  bool
	}{
		"smtp without":      {probe.StartTLSSMTP, []string{"S:220 ready\r\n", "C:EHLO tlstriage.invalid\r\n", "S:250 ok\r\n", "C:STARTTLS\r\n", "S:502 no\r\n"}, true},
		"not smtp":          {probe.StartTLSSMTP, []string{"S:HTTP/1.1 400 Bad Request\r\n"}, false},
		"imap without":      {probe.StartTLSIMAP, []string{"S:* OK ready\r\n", "C:a STARTTLS\r\n", "S:a BAD what\r\n"}, true},
		"pop3 without":      {probe.StartTLSPOP3, []string{"S:+OK\r\n", "C:STLS\r\n", "S:-ERR what\r\n"}, true},
		"postgres without":  {probe.StartTLSPostgres, []string{"C:\x00\x00\x00\x08\x04\xd2\x16\x2f", "S:N"}, true},
		"mysql without":     {probe.StartTLSMySQL, []string{"S:" + mysqlGreeting("\xff\xf7")}, true},
		"ldap without":      {probe.StartTLSLDAP, []string{"C:\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "S:" + strings.Replace(ldapYes, "\x0a\x01\x00", "\x0a\x01\x02", 1)}, true},
		"xmpp without":      {probe.StartTLSXMPP, []string{"S:<stream:stream><stream:error/></stream:stream>"}, true},
		"an endless line":   {probe.StartTLSFTP, []string{"S:220-" + strings.Repeat("x", 1<<16)}, false},
		"endless lines":     {probe.StartTLSFTP, []string{"S:" + strings.Repeat("220-x\r\n", 1<<12)}, false},
		"a length too long": {probe.StartTLSMySQL, []string{"S:\xff\xff\xff\x00"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, func(conn net.Conn) {
				script(conn, tc.turns...)
				_ = conn.(*net.TCPConn).CloseWrite()
				discard(conn)
			})
			client := &probe.Client{Timeouts: probe.Timeouts{Preface: 20 * time.Second}}
			x := client.Exchange(t.Context(), probe.Target{Address: address, StartTLS: tc.protocol}, probe.Modern(""), probe.Options{})
			if x.Outcome != probe.OutcomeNotTLS || x.Error.Type != inspect.ErrorNotTLS || x.Sent != 0 {
				t.Errorf("%s, %+v", x.Outcome, x.Error)
			}
			if strings.Contains(x.Error.Message, "refuses") != tc.refused {
				t.Errorf("message %q", x.Error.Message)
			}
		})
	}
}

func TestAnUnknownDialogueIsAnError(t *testing.T) {
	address := serve(t, discard)
	x := patient().Exchange(t.Context(), probe.Target{Address: address, StartTLS: "gopher"}, probe.Modern(""), probe.Options{})
	if x.Error == nil || !strings.Contains(x.Error.Message, "gopher") || errors.Is(t.Context().Err(), net.ErrClosed) {
		t.Errorf("%+v", x.Error)
	}
}
