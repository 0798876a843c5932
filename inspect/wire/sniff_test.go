package wire_test

import (
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

var sniffed = []struct {
	name  string
	first string
	want  wire.Protocol
}{
	{"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", wire.ProtocolTLS},
	{"TLS alert", "\x15\x03\x03\x00\x02\x02\x28", wire.ProtocolTLSAlert},
	{"DTLS hello", "\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf4", wire.ProtocolDTLS},
	{"SSLv2 hello", "\x80\x92\x01\x03\x01\x00\x69\x00\x00", wire.ProtocolSSLv2},
	{"SSLv2 server hello", "\x83\x14\x04\x00\x01\x00\x02", wire.ProtocolSSLv2},
	{"HTTP GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", wire.ProtocolHTTP},
	{"HTTP GET cut short", "GET /in", wire.ProtocolHTTP},
	{"HTTP of an odd method", "BREW /pot HTTP/1.1\r\n", wire.ProtocolHTTP},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", wire.ProtocolHTTP2},
	{"HTTP response", "HTTP/1.1 400 Bad Request\r\n", wire.ProtocolHTTPResponse},
	{"SSH", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", wire.ProtocolSSH},
	{"SMTP greeting", "220 mx.example.com ESMTP Postfix\r\n", wire.ProtocolSMTP},
	{"SMTP command", "EHLO client.example\r\n", wire.ProtocolSMTP},
	{"FTP greeting", "220 (vsFTPd 3.0.3)\r\n", wire.ProtocolFTP},
	{"IMAP greeting", "* OK [CAPABILITY IMAP4rev1] ready\r\n", wire.ProtocolIMAP},
	{"POP3 greeting", "+OK Dovecot ready.\r\n", wire.ProtocolPOP3},
	{"PROXY protocol v1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", wire.ProtocolProxyProtocol},
	{"PROXY protocol v2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", wire.ProtocolProxyProtocol},
	{"PostgreSQL SSLRequest", "\x00\x00\x00\x08\x04\xd2\x16\x2f", wire.ProtocolPostgreSQL},
	{"PostgreSQL startup", "\x00\x00\x00\x29\x00\x03\x00\x00user\x00", wire.ProtocolPostgreSQL},
	{"MySQL greeting", "\x4a\x00\x00\x00\x0a8.0.36\x00", wire.ProtocolMySQL},
	{"RDP", "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", wire.ProtocolRDP},
	{"SOCKS5", "\x05\x02\x00\x02", wire.ProtocolSOCKS},
	{"SOCKS4", "\x04\x01\x01\xbb\xc0\x00\x02\x01\x00", wire.ProtocolSOCKS},
	{"LDAP bind", "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", wire.ProtocolLDAP},
	{"LDAP StartTLS", "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", wire.ProtocolLDAP},
	{"Redis inline", "PING\r\n", wire.ProtocolRedis},
	{"Redis array", "*1\r\n$4\r\nPING\r\n", wire.ProtocolRedis},
	{"Redis error", "-ERR unknown command\r\n", wire.ProtocolRedis},
	{"RTSP", "OPTIONS rtsp://example.com/media RTSP/1.0\r\n", wire.ProtocolRTSP},
	{"SIP", "REGISTER sip:example.com SIP/2.0\r\n", wire.ProtocolSIP},
	{"XMPP", "<?xml version='1.0'?><stream:stream", wire.ProtocolXMPP},
	{"MQTT", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", wire.ProtocolMQTT},
	{"AMQP", "AMQP\x00\x00\x09\x01", wire.ProtocolAMQP},
	{"memcached", "STAT pid 1\r\n", wire.ProtocolMemcached},
	{"telnet", "\xff\xfd\x18\xff\xfd\x20", wire.ProtocolTelnet},
	{"a SOCKS5 server that takes no method", "\x05\xff", wire.ProtocolSOCKS},
	{"a SOCKS4 server that refuses", "\x00\x5b\x00\x00\x00\x00\x00\x00", wire.ProtocolSOCKS},
	{"words", "hello there, who are you?\r\n", wire.ProtocolUnknown},
	{"zeros", strings.Repeat("\x00", 64), wire.ProtocolUnknown},
	{"nothing", "", wire.ProtocolUnknown},
}

func TestSniff(t *testing.T) {
	for _, test := range sniffed {
		got, certain := wire.Sniff([]byte(test.first))
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if !certain && test.first != "" {
			t.Errorf("%s: not certain", test.name)
		}
	}
	if p, certain := wire.Sniff([]byte("GE")); p != wire.ProtocolUnknown || certain {
		t.Errorf("two letters of a method: %s, certain %v", p, certain)
	}
}

func TestSniffKnowsEveryRecordedHello(t *testing.T) {
	for _, r := range recordedHellos(t) {
		want := wire.ProtocolTLS
		if r.Format == "sslv2" {
			want = wire.ProtocolSSLv2
		}
		if got, certain := wire.Sniff(r.record); got != want || !certain {
			t.Errorf("%s: %s, certain %v", r.ID, got, certain)
		}
	}
}

func TestFirstLine(t *testing.T) {
	for _, test := range []struct {
		in    string
		limit int
		want  string
	}{
		{"GET / HTTP/1.1\r\nHost: a", 80, "GET / HTTP/1.1"},
		{"\x1b[31mred\x07", 80, `\x1B[31mred\x07`},
		{"a\u202eb", 80, `a\xE2\x80\xAEb`},
		{"back\\slash", 80, `back\\slash`},
		{"\xff\xfe", 80, `\xFF\xFE`},
		{strings.Repeat("a", 100), 10, "aaaaaaaaaa…"},
		{"aaa\x00b", 6, "aaa…"},
		{"", 10, ""},
	} {
		if got := wire.FirstLine([]byte(test.in), test.limit); got != test.want {
			t.Errorf("%q: %q, want %q", test.in, got, test.want)
		}
	}
}
