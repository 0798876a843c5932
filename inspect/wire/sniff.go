package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Protocol is what the first bytes of a connection are, as the record's first_bytes.protocol says it.
type Protocol string

// Protocols that Sniff knows. "Greeting" means that the side that was contacted speaks first.
const (
	ProtocolUnknown       Protocol = "unknown"
	ProtocolTLS           Protocol = "tls"       // a handshake record
	ProtocolTLSAlert      Protocol = "tls_alert" // an alert record
	ProtocolSSLv2         Protocol = "sslv2"     // an SSLv2-format CLIENT-HELLO or SERVER-HELLO
	ProtocolDTLS          Protocol = "dtls"      // a DTLS record, where TCP should carry TLS
	ProtocolHTTP          Protocol = "http"      // a request of HTTP/1
	ProtocolHTTPResponse  Protocol = "http_response"
	ProtocolHTTP2         Protocol = "http2" // HTTP/2 with prior knowledge: its connection preface
	ProtocolSSH           Protocol = "ssh"
	ProtocolSMTP          Protocol = "smtp"           // greeting or command
	ProtocolFTP           Protocol = "ftp"            // greeting or command
	ProtocolIMAP          Protocol = "imap"           // greeting
	ProtocolPOP3          Protocol = "pop3"           // greeting
	ProtocolProxyProtocol Protocol = "proxy_protocol" // a PROXY protocol header, v1 or v2
	ProtocolPostgreSQL    Protocol = "postgresql"     // SSLRequest, GSSENCRequest or StartupMessage
	ProtocolMySQL         Protocol = "mysql"          // greeting
	ProtocolRDP           Protocol = "rdp"            // X.224 connection request
	ProtocolSOCKS         Protocol = "socks"          // SOCKS4 or SOCKS5
	ProtocolLDAP          Protocol = "ldap"
	ProtocolRedis         Protocol = "redis"
	ProtocolRTSP          Protocol = "rtsp"
	ProtocolSIP           Protocol = "sip"
	ProtocolXMPP          Protocol = "xmpp"
	ProtocolMQTT          Protocol = "mqtt"
	ProtocolAMQP          Protocol = "amqp"
	ProtocolMemcached     Protocol = "memcached"
	ProtocolTelnet        Protocol = "telnet"
)

// Sniff tells what the first bytes of a connection are, of either side. It looks at no more than the first 256. Certain is
// false while more bytes could change the answer; with none it is ProtocolUnknown.
func Sniff(b []byte) (p Protocol, certain bool) {
	b = b[:min(len(b), 256)]
	if len(b) == 0 {
		return ProtocolUnknown, false
	}
	if p := sniffTLS(b); p != "" {
		return p, len(b) >= 6
	}
	if p := sniffText(b); p != "" {
		return p, true
	}
	if p := sniffBinary(b); p != "" {
		return p, true
	}
	return ProtocolUnknown, len(b) >= 16 || bytes.IndexByte(b, '\n') >= 0
}

// sniffTLS tells TLS, its SSLv2 format and DTLS, as soon as nothing contradicts them.
func sniffTLS(b []byte) Protocol {
	switch {
	case b[0] >= 20 && b[0] <= 23 && len(b) > 1 && b[1] == 3 && (len(b) < 3 || b[2] <= 4):
		switch b[0] {
		case byte(ContentTypeAlert):
			return ProtocolTLSAlert
		case byte(ContentTypeHandshake):
			return ProtocolTLS
		}
		return ProtocolTLS
	case b[0] >= 20 && b[0] <= 26 && len(b) > 2 && b[1] == 0xFE && b[2] >= 0xFC:
		return ProtocolDTLS
	case b[0]&0x80 != 0 && len(b) >= 5:
		for _, fromClient := range [...]bool{true, false} {
			r := Reader{FromClient: fromClient, headLen: recordHeaderSize}
			copy(r.head[:], b)
			if r.maybeSSLv2() && (fromClient || b[2] == sslv2ServerHello) {
				return ProtocolSSLv2
			}
		}
	}
	return ""
}

// opening is a protocol's first bytes. Text is compared without regard to case.
type opening struct {
	prefix   string
	protocol Protocol
}

// openings are looked through in order: the longer of two that begin alike comes first.
var openings = [...]opening{
	{"PRI * HTTP/2.0\r\n", ProtocolHTTP2},
	{"HTTP/", ProtocolHTTPResponse},
	{"RTSP/", ProtocolRTSP},
	{"SIP/", ProtocolSIP},
	{"SSH-", ProtocolSSH},
	{"PROXY ", ProtocolProxyProtocol},
	{"EHLO ", ProtocolSMTP}, {"HELO ", ProtocolSMTP}, {"LHLO ", ProtocolSMTP},
	{"+OK", ProtocolPOP3},
	{"* OK", ProtocolIMAP}, {"* PREAUTH", ProtocolIMAP}, {"* BYE", ProtocolIMAP},
	{"AUTH TLS", ProtocolFTP}, {"USER ", ProtocolFTP},
	{"<?xml", ProtocolXMPP}, {"<stream:stream", ProtocolXMPP},
	{"AMQP", ProtocolAMQP},
	{"PING\r\n", ProtocolRedis}, {"INFO\r\n", ProtocolRedis}, {"-ERR ", ProtocolRedis}, {"-NOAUTH ", ProtocolRedis}, {"-DENIED ", ProtocolRedis}, {"+PONG", ProtocolRedis},
	{"STAT ", ProtocolMemcached}, {"VERSION ", ProtocolMemcached}, {"stats\r\n", ProtocolMemcached}, {"version\r\n", ProtocolMemcached},
}

// sniffText tells protocols whose first bytes are text.
func sniffText(b []byte) Protocol {
	for _, o := range openings {
		if len(b) >= len(o.prefix) && strings.EqualFold(string(b[:len(o.prefix)]), o.prefix) {
			return o.protocol
		}
	}
	if len(b) >= 4 && (b[0] == '*' || b[0] == '$') && b[1] >= '1' && b[1] <= '9' && bytes.Contains(b[:min(len(b), 8)], []byte("\r\n")) {
		return ProtocolRedis // RESP: an array or a bulk string
	}
	if p := sniffRequest(b); p != "" {
		return p
	}
	return sniffReply(b)
}

// sniffRequest tells a request line: a method in capitals (RFC 9110, Section 9), a target. RTSP and SIP look alike and say
// who they are in the target or at the end of the line.
func sniffRequest(b []byte) Protocol {
	n := 0
	for n < len(b) && (b[n] >= 'A' && b[n] <= 'Z' || b[n] == '-' || b[n] == '_') {
		n++
	}
	if n < 3 || n > 24 || n == len(b) || b[n] != ' ' {
		return ""
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	target := line[n+1:]
	switch {
	case bytes.HasPrefix(target, []byte("rtsp://")) || bytes.Contains(target, []byte(" RTSP/1.")):
		return ProtocolRTSP
	case bytes.HasPrefix(target, []byte("sip:")) || bytes.Contains(target, []byte(" SIP/2.")):
		return ProtocolSIP
	case bytes.Contains(target, []byte(" HTTP/")):
		return ProtocolHTTP
	}
	switch string(b[:n]) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "PROPFIND":
		return ProtocolHTTP
	}
	return ""
}

// sniffReply tells greetings that begin with a number of three digits: SMTP and FTP share 220, and say more behind it.
func sniffReply(b []byte) Protocol {
	if len(b) < 4 || b[0] < '1' || b[0] > '5' || !digit(b[1]) || !digit(b[2]) || b[3] != ' ' && b[3] != '-' {
		return ""
	}
	line := bytes.ToLower(b)
	switch {
	case bytes.Contains(line, []byte("ftp")) || string(b[:3]) == "120" || string(b[:3]) == "530":
		return ProtocolFTP
	case bytes.Contains(line, []byte("smtp")) || bytes.Contains(line, []byte("mail")) || string(b[:3]) == "220" || string(b[:3]) == "554" || string(b[:3]) == "421":
		return ProtocolSMTP
	}
	return ""
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// proxyV2Signature opens a PROXY protocol v2 header.
const proxyV2Signature = "\r\n\r\n\x00\r\nQUIT\n"

// sniffBinary tells protocols whose first bytes are numbers.
func sniffBinary(b []byte) Protocol {
	switch {
	case len(b) >= len(proxyV2Signature) && string(b[:len(proxyV2Signature)]) == proxyV2Signature:
		return ProtocolProxyProtocol
	case len(b) >= 8 && b[0] == 0 && postgresCode(binary.BigEndian.Uint32(b[4:])):
		return ProtocolPostgreSQL
	case len(b) >= 6 && b[0] == 3 && b[1] == 0 && (b[5] == 0xE0 || b[5] == 0xD0): // TPKT, X.224 connection request or confirm
		return ProtocolRDP
	case len(b) >= 6 && b[3] == 0 && b[4] == 10 && digit(b[5]): // packet 0, protocol version 10, "8.0.36"
		return ProtocolMySQL
	case len(b) >= 5 && b[3] == 0 && b[4] == 0xFF && b[2] == 0: // packet 0, error
		return ProtocolMySQL
	case len(b) >= 3 && b[0] == 5 && b[1] >= 1 && len(b) == 2+int(b[1]): // version, number of methods, methods
		return ProtocolSOCKS
	case len(b) == 2 && b[0] == 5 && (b[1] <= 2 || b[1] == 0xFF): // a SOCKS5 server's choice of a method (RFC 1928, Section 3)
		return ProtocolSOCKS
	case len(b) == 8 && b[0] == 0 && b[1] >= 0x5A && b[1] <= 0x5D: // a SOCKS4 server's reply
		return ProtocolSOCKS
	case len(b) >= 9 && b[0] == 4 && (b[1] == 1 || b[1] == 2):
		return ProtocolSOCKS
	case ldapMessage(b):
		return ProtocolLDAP
	case len(b) >= 8 && b[0] == 0x10 && bytes.Contains(b[:min(len(b), 12)], []byte("MQ")): // CONNECT, "MQTT" or "MQIsdp"
		return ProtocolMQTT
	case len(b) >= 3 && b[0] == 0xFF && b[1] >= 0xFB && b[1] != 0xFF: // IAC WILL, WONT, DO, DONT
		return ProtocolTelnet
	}
	return ""
}

// postgresCode reports whether a first message's code is SSLRequest, GSSENCRequest, CancelRequest or protocol 3.
func postgresCode(code uint32) bool {
	return code == 80877103 || code == 80877104 || code == 80877102 || code>>16 == 3
}

// ldapMessage reports whether b begins an LDAPMessage (RFC 4511, Section 4.1.1): SEQUENCE, messageID INTEGER, operation.
func ldapMessage(b []byte) bool {
	if len(b) < 6 || b[0] != 0x30 {
		return false
	}
	at := 2
	if b[1]&0x80 != 0 {
		at += int(b[1] & 0x7F)
	}
	if at+2 >= len(b) || b[at] != 2 || b[at+1] < 1 || b[at+1] > 4 {
		return false
	}
	operation := at + 2 + int(b[at+1])
	return operation < len(b) && b[operation]&0xC0 == 0x40
}

// FirstLine makes the first line of b printable: at most limit bytes of it, what is no printable character escaped as \x1B,
// an ellipsis where something was cut off.
func FirstLine(b []byte, limit int) string {
	line := b
	if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
		line = line[:i]
	}
	var s strings.Builder
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		printable := r >= ' ' && r < 0x7F && r != '\\'
		width := 4 * size
		if printable {
			width = 1
		} else if r == '\\' {
			width = 2
		}
		if s.Len()+width > limit {
			s.WriteString("…")
			break
		}
		switch {
		case printable:
			s.WriteByte(byte(r))
		case r == '\\':
			s.WriteString(`\\`)
		default:
			for _, c := range line[:size] {
				s.Write([]byte{'\\', 'x', upperHex[c>>4], upperHex[c&15]})
			}
		}
		line = line[size:]
	}
	return s.String()
}
