package capture_test

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestHelloBehindARefusal has servers that say no in plain text, and a client that sends its hello all the same.
func TestHelloBehindARefusal(t *testing.T) {
	hello := ecdhe(t)[0].data
	say := func(client bool, s string) turn { return turn{client, []byte(s)} }
	for name, test := range map[string]struct {
		talk             []turn
		want             inspect.ErrorType
		protocol, answer string
	}{
		"SMTP":               {[]turn{say(false, "220 mx ESMTP\r\n"), say(true, "EHLO a\r\n"), say(false, "250-mx\r\n250 SIZE 1000\r\n"), say(true, "STARTTLS\r\n"), say(false, "454 4.7.0 TLS not available\r\n")}, inspect.ErrorStartTLS, "smtp", "454 4.7.0 TLS not available"},
		"SMTP, agreed":       {[]turn{say(false, "220 mx ESMTP\r\n"), say(true, "EHLO a\r\n"), say(false, "250-mx\r\n250 STARTTLS\r\n"), say(true, "STARTTLS\r\n"), say(false, "220 go ahead\r\n")}, inspect.ErrorClosed, "", ""},
		"SMTP, second thing": {[]turn{say(false, "220 mx ESMTP\r\n"), say(true, "EHLO a\r\n"), say(false, "502 no EHLO\r\n"), say(true, "STARTTLS\r\n"), say(false, "220 go ahead\r\n")}, inspect.ErrorClosed, "", ""},
		"IMAP":               {[]turn{say(false, "* OK IMAP4rev1 ready\r\n"), say(true, "a STARTTLS\r\n"), say(false, "a BAD no TLS here\r\n")}, inspect.ErrorStartTLS, "imap", "a BAD no TLS here"},
		"IMAP, agreed":       {[]turn{say(false, "* OK IMAP4rev1 ready\r\n"), say(true, "a STARTTLS\r\n"), say(false, "a OK begin\r\n")}, inspect.ErrorClosed, "", ""},
		"POP3":               {[]turn{say(false, "+OK POP3 ready\r\n"), say(true, "STLS\r\n"), say(false, "-ERR no TLS\r\n")}, inspect.ErrorStartTLS, "pop3", "-ERR no TLS"},
		"FTP":                {[]turn{say(false, "220 FTP server ready\r\n"), say(true, "AUTH TLS\r\n"), say(false, "530 Please login\r\n")}, inspect.ErrorStartTLS, "ftp", "530 Please login"},
		"PROXY":              {[]turn{say(true, "PROXY TCP4 198.51.100.1 192.0.2.1 1 443\r\n"), say(false, "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n")}, inspect.ErrorNotTLS, "v1", "HTTP/1.1 400 Bad Request"},
		"PROXY 2":            {[]turn{say(true, "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x01\xc0\x00\x02\x01\x00\x01\x01\xbb"), say(false, "HTTP/1.1 400 Bad Request\r\n\r\n")}, inspect.ErrorNotTLS, "v2", "HTTP/1.1 400 Bad Request"},
		"PROXY, silent":      {[]turn{say(true, "PROXY TCP4 198.51.100.1 192.0.2.1 1 443\r\n")}, inspect.ErrorClosed, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			c, s := client(3), server()
			w.open(c, s)
			for _, x := range append(test.talk, turn{true, hello}) {
				from, to := s, c
				if x.client {
					from, to = c, s
				}
				w.segment(from, to, psh|ack, x.data, 100)
			}
			w.close(s, c)
			records, _ := recordsOf(t, w.b, capture.Options{})
			if len(records) != 1 || records[0].ClientLeg.Error == nil {
				t.Fatalf("%d records", len(records))
			}
			leg := records[0].ClientLeg
			if leg.Error.Type != test.want || records[0].Event.Outcome != inspect.Failure {
				t.Errorf("%+v", leg.Error)
			}
			switch test.want {
			case inspect.ErrorStartTLS:
				if x := leg.StartTLS; x == nil || !x.Refused || x.Protocol != test.protocol || x.Answer != test.answer || !strings.Contains(leg.Error.Message, test.answer) {
					t.Errorf("%+v %s", x, leg.Error.Message)
				}
			case inspect.ErrorNotTLS:
				if x := leg.FirstBytes; x == nil || x.Summary != test.answer || leg.ProxyProtocol != test.protocol || leg.StartTLS != nil {
					t.Errorf("%+v %q", x, leg.ProxyProtocol)
				}
			default:
				if leg.StartTLS != nil || leg.ProxyProtocol != "" || leg.FirstBytes != nil {
					t.Errorf("%+v", leg)
				}
			}
		})
	}
}
