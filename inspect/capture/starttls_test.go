package capture_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// dialogue is what two sides say, a line for each segment: > is the client's, < the server's. \r\n ends those of text protocols.
func dialogue(lines ...string) (talk []turn) {
	for _, line := range lines {
		talk = append(talk, turn{line[0] == '>', []byte(line[1:])})
	}
	return talk
}

// ber is an element of BER with its length in so many bytes; 0: the short form.
func ber(tag byte, long int, content string) string {
	if long == 0 {
		return string([]byte{tag, byte(len(content))}) + content
	}
	b := []byte{tag, 0x80 | byte(long)}
	for i := long - 1; i >= 0; i-- {
		b = append(b, byte(len(content)>>(8*i)))
	}
	return string(b) + content
}

// startTLS is the extended operation of LDAP (RFC 4511, Section 4.14), and the answer.
func startTLS(id string, long int) (request, response string) {
	const oid = "1.3.6.1.4.1.1466.20037"
	id = ber(2, 0, id)
	request = ber(0x30, long, id+ber(0x77, long, ber(0x80, 0, oid)))
	return request, ber(0x30, long, id+ber(0x78, long, "\x0a\x01\x00\x04\x00\x04\x00"+ber(0x8A, 0, oid)))
}

// TestStartTLSInItsForms has the ways in which programs go over to TLS, each in segments as they would be sent and cut into small ones.
func TestStartTLSInItsForms(t *testing.T) {
	ldap, ldapYes := startTLS("\x01", 0)
	ldap2, ldap2Yes := startTLS("\x02\x03", 1)
	ldap4, ldap4Yes := startTLS("\x7F\xFF\xFF\xFF", 4)
	mysql := func(version string) string {
		body := "\x0a" + version + "\x00\x11\x22\x33\x44abcdefgh\x00\xff\xff\x21\x02\x00\xff\x81\x15" + strings.Repeat("\x00", 10) + "ijklmnopqrst\x00mysql_native_password\x00"
		return string([]byte{byte(len(body)), 0, 0, 0}) + body
	}
	talk := ecdhe(t)
	for name, before := range map[string][]turn{
		"smtp, several lines": dialogue("<220-mx.example.com ESMTP\r\n220-no spam\r\n", "<220 ready\r\n", ">EHLO c\r\n", "<250-mx\r\n250-SIZE 1000\r\n", "<250-STARTTLS\r\n250 HELP\r\n", ">STARTTLS\r\n", "<220 2.0.0 Ready to start TLS\r\n"),
		"smtp, pipelined":     dialogue("<220 mx.example.com ESMTP Postfix\r\n", ">EHLO c\r\nSTARTTLS\r\n", "<250-mx\r\n250 STARTTLS\r\n220 go\r\n"),
		"smtp, HELO first":    dialogue("<220 mx ESMTP\r\n", ">HELO c\r\n", "<250 mx\r\n", ">NOOP\r\n", "<250 OK\r\n", ">starttls\r\n", "<220 go ahead\r\n"),
		"smtp, refused first": dialogue("<220 mx ESMTP\r\n", ">EHLO c\r\n", "<250 STARTTLS\r\n", ">MAIL FROM:<a@b>\r\n", "<530 5.7.0 Must issue a STARTTLS command first\r\n", ">STARTTLS\r\n", "<220 go\r\n"),
		"smtp, LMTP":          dialogue("<220 mx LMTP\r\n", ">LHLO c\r\n", "<250-mx\r\n250 STARTTLS\r\n", ">STARTTLS\r\n", "<220 go\r\n"),
		"imap, capabilities":  dialogue("<* OK [CAPABILITY IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED] Dovecot ready.\r\n", ">A001 CAPABILITY\r\n", "<* CAPABILITY IMAP4rev1 STARTTLS\r\nA001 OK done\r\n", ">A002 STARTTLS\r\n", "<A002 OK Begin TLS negotiation now.\r\n"),
		"imap, preauth":       dialogue("<* PREAUTH IMAP4rev1 server logged in as x\r\n", ">x.y+z STARTTLS\r\n", "<x.y+z OK\r\n"),
		"pop3, capabilities":  dialogue("<+OK POP3 ready <1896.697170952@mx.example.com>\r\n", ">CAPA\r\n", "<+OK\r\nSTLS\r\n.\r\n", ">STLS\r\n", "<+OK Begin TLS negotiation\r\n"),
		"ftp, AUTH SSL":       dialogue("<220-FileZilla Server\r\n220-more\r\n", "<220 end\r\n", ">AUTH TLS\r\n", "<534 no\r\n", ">AUTH SSL\r\n", "<234 AUTH command OK. Expecting TLS Negotiation.\r\n"),
		"ftp, FEAT first":     dialogue("<220 (vsFTPd 3.0.5)\r\n", ">FEAT\r\n", "<211-Features:\r\n AUTH TLS\r\n211 End\r\n", ">AUTH TLS\r\n", "<234 Proceed with negotiation.\r\n"),
		"ldap":                dialogue(">"+ldap, "<"+ldapYes),
		"ldap, long":          dialogue(">"+ldap2, "<"+ldap2Yes),
		"ldap, of Windows":    dialogue(">"+ldap4, "<"+ldap4Yes),
		"xmpp, of clients":    dialogue("><?xml version='1.0'?>", "><stream:stream from='a@example.com' to='example.com' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>", "<<?xml version='1.0'?><stream:stream from='example.com' id='7' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>", "<<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>", "><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'></starttls>", "<<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
		"xmpp, of servers":    dialogue("><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='b.example' from='a.example' version='1.0'>", "<<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='b.example' version='1.0'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>", "><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "<<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
		"irc":                 dialogue("<:irc.example.com NOTICE * :*** Looking up your hostname\r\n", ">STARTTLS\r\n", "<:irc.example.com 670 * :STARTTLS successful, proceed with TLS handshake\r\n"),
		"irc, registering":    dialogue(">NICK n\r\nUSER n 0 * :n\r\n", "<:irc.example.com NOTICE n :hello\r\n", ">STARTTLS\r\n", "<:irc.example.com 670 n :go\r\n"),
		"postgresql":          dialogue(">\x00\x00\x00\x08\x04\xd2\x16\x2f", "<S"),
		"postgresql, GSS":     dialogue(">\x00\x00\x00\x08\x04\xd2\x16\x30", "<N", ">\x00\x00\x00\x08\x04\xd2\x16\x2f", "<S"),
		"mysql":               dialogue("<"+mysql("8.0.36"), ">\x20\x00\x00\x01\x85\xae\xff\x19\x00\x00\x00\x01\xff"+strings.Repeat("\x00", 23)),
		"mysql, of MariaDB":   dialogue("<"+mysql("5.5.5-10.6.12-MariaDB-0ubuntu0.22.04.1"), ">\x20\x00\x00\x01\x84\xae\xfe\x20\x00\x00\x00\x40\x2d"+strings.Repeat("\x00", 23)),
		"mysql, old":          dialogue("<"+mysql("4.0.31"), ">\x05\x00\x00\x01\x04\x08\x00\x00\x00"),
		"rdp, cookie":         dialogue(">\x03\x00\x00\x29\x24\xe0\x00\x00\x00\x00\x00Cookie: mstshash=user\r\n\x01\x00\x08\x00\x0b\x00\x00\x00", "<\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x08\x00\x00\x00"),
		"rdp":                 dialogue(">\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x08\x08\x00\x01\x00\x00\x00", "<\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00"),
		"nntp":                dialogue("<201 news.example.com\r\n", ">CAPABILITIES\r\n", "<101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n", ">STARTTLS\r\n", "<382 Continue with TLS negotiation\r\n"),
		"sieve":               dialogue("<\"IMPLEMENTATION\" \"Cyrus timsieved\"\r\n\"SASL\" \"\"\r\n", "<\"STARTTLS\"\r\nOK\r\n", ">STARTTLS\r\n", "<OK\r\n"),
		"amqp":                dialogue(">AMQP\x02\x01\x00\x00", "<AMQP\x02\x01\x00\x00"),
		", NATS":              dialogue("<INFO {\"server_id\":\"N\",\"tls_required\":true}\r\n"),
		"other, VNC":          dialogue("<RFB 003.008\n", ">RFB 003.008\n", "<\x01\x13", ">\x13", "<\x00\x02", ">\x00\x02", "<\x00\x01\x00\x00\x01\x04", ">\x00\x00\x01\x04", "<\x01"),
		"other, NBD":          dialogue("<NBDMAGICIHAVEOPT\x00\x03", ">\x00\x00\x00\x03", ">IHAVEOPT\x00\x00\x00\x05\x00\x00\x00\x00", "<\x00\x03\xe8\x89\x04\x55\x65\xa9\x00\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00\x00"),
	} {
		for _, size := range []int{1 << 16, 7, 1} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				upgrade, _, _ := strings.Cut(name, ",")
				if size == 1 && name == "mysql, old" {
					t.Skip("its first two bytes alone are those of SOCKS")
				}
				w := newBuilder()
				c, s := client(5), server()
				s.port = 10000
				w.open(c, s)
				for i, x := range slices.Concat(before, talk) {
					n := size
					if i > len(before) {
						n = 1 << 16
					}
					for part := range slices.Chunk(x.data, n) {
						if x.client {
							w.segment(c, s, psh|ack, part, 20)
						} else {
							w.segment(s, c, psh|ack, part, 20)
						}
					}
				}
				w.close(c, s)
				got, err := only(t, bytes.NewReader(w.b))
				if err != nil {
					t.Fatal(err)
				}
				if !got.ClientLeg.TLS.Established || got.Capture.Upgrade != upgrade || got.Client.Port != int(c.port) {
					t.Errorf("upgrade %q, want %q; %+v", got.Capture.Upgrade, upgrade, got.ClientLeg.TLS)
				}
			})
		}
	}
}
