package capture

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Bounds on looking for TLS in a connection.
const (
	maxPrefix = 4 << 10  // bytes of what was spoken before TLS that are kept, a direction
	maxTried  = 64 << 10 // bytes of both directions that are looked through
)

// stream is what one direction carries: first whatever was spoken before TLS, then TLS.
type stream struct {
	prefix    []byte // from where what may be TLS would begin, and what was before it
	candidate int    // where in prefix TLS may begin; -1: not in what is there
	name      wire.Protocol
	named     bool // the first bytes were looked at
	any       bool
	tls       bool
	records   recordReader
	broken    bool    // bytes of the handshake are missing
	carrier   carrier // what carries it; nil: TCP alone
}

// begins gives what the first bytes of the direction say that TLS will be carried in; nil: nothing.
func (s *stream) begins() carrier {
	if s.carrier != nil || len(s.prefix) > maxPrefix {
		return nil
	}
	if v := beginsVPNStream(s.prefix); v != nil {
		return v
	}
	if p := beginsTDS(s.prefix); p != nil {
		return p
	}
	return nil
}

// verdict says whether bytes begin TLS.
type verdict uint8

const (
	notTLS verdict = iota
	moreBytes
	isHello  // a ClientHello
	isAnswer // a ServerHello, or its SSLv2 counterpart
	isRecord // a record that comes later in a connection
)

// judge tells whether b begins TLS. It is strict: among the bytes of other protocols there must be no false alarm. first says
// that nothing was sent before b in this direction.
func judge(b []byte, first bool) verdict {
	if len(b) == 0 {
		return moreBytes
	}
	if b[0]&0x80 != 0 && first {
		return judgeSSLv2(b)
	}
	if b[0] < byte(wire.ContentTypeChangeCipherSpec) || b[0] > byte(wire.ContentTypeApplicationData) || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return notTLS
	}
	if len(b) < 5 {
		return moreBytes
	}
	length := int(b[3])<<8 | int(b[4])
	switch wire.ContentType(b[0]) {
	case wire.ContentTypeHandshake:
		return judgeHandshake(b, length)
	case wire.ContentTypeAlert:
		if length < 2 || length > 256 || length > 2 && length < 16 {
			return notTLS
		}
	case wire.ContentTypeChangeCipherSpec:
		if length != 1 || len(b) > 5 && b[5] != 1 {
			return notTLS
		}
	default:
		if length < 16 || length > 1<<14+2048 {
			return notTLS
		}
	}
	return isRecord
}

func judgeHandshake(b []byte, length int) verdict {
	if length < 4 || length > 1<<14+2048 {
		if length > 0 && length < 4 && len(b) > 5 && b[5] == byte(wire.HandshakeTypeClientHello) {
			return isHello // a hello cut into the smallest of records
		}
		return notTLS
	}
	if len(b) < 6 {
		return moreBytes
	}
	switch t := wire.HandshakeType(b[5]); t {
	case wire.HandshakeTypeClientHello, wire.HandshakeTypeServerHello:
		if len(b) < 9 {
			return moreBytes
		}
		n := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
		next := b[9:]
		if length == 4 { // nothing but the message's header: the next record follows
			if len(next) > 0 && next[0] != byte(wire.ContentTypeHandshake) {
				return notTLS
			}
			next = nil
		}
		if n < 34 || n > 1<<17 || len(next) > 0 && next[0] != 3 && next[0] != 0xFE && next[0] != 0x7F {
			return notTLS
		}
		if t == wire.HandshakeTypeClientHello {
			return isHello
		}
		return isAnswer
	}
	return isRecord
}

// judgeSSLv2 tells hellos in the format of SSLv2.
func judgeSSLv2(b []byte) verdict {
	if len(b) < 5 {
		return moreBytes
	}
	length := int(b[0]&0x7F)<<8 | int(b[1])
	switch {
	case b[2] == 1 && (b[3] == 3 && b[4] <= 4 || b[3] == 0 && b[4] == 2):
		if len(b) < 11 {
			return moreBytes
		}
		kinds, id, challenge := int(b[5])<<8|int(b[6]), int(b[7])<<8|int(b[8]), int(b[9])<<8|int(b[10])
		if length == 9+kinds+id+challenge && kinds > 0 && kinds%3 == 0 && challenge >= 16 && challenge <= 32 {
			return isHello
		}
	case b[2] == 4 && b[3] <= 1 && b[4] <= 1:
		if len(b) < 13 {
			return moreBytes
		}
		certificate, kinds, id := int(b[7])<<8|int(b[8]), int(b[9])<<8|int(b[10]), int(b[11])<<8|int(b[12])
		if b[5] == 0 && b[6] == 2 && length == 11+certificate+kinds+id {
			return isAnswer
		}
	}
	return notTLS
}

// helloInside looks for a ClientHello in the middle of b, for connections that speak of TLS before: a PROXY header, a MySQL
// SSLRequest or a CONNECT may lie in one segment with it. -1: there is none.
func helloInside(b []byte) int {
	for at := 1; at < len(b); at++ {
		i := bytes.IndexByte(b[at:], byte(wire.ContentTypeHandshake))
		if i < 0 {
			return -1
		}
		at += i
		if len(b)-at >= 9 && judge(b[at:], false) == isHello {
			return at
		}
	}
	return -1
}

// leadsToTLS reports whether a protocol may go over to TLS in the middle of a segment.
func leadsToTLS(p wire.Protocol) bool {
	switch p {
	case wire.ProtocolProxyProtocol, wire.ProtocolSOCKS, wire.ProtocolHTTP, wire.ProtocolMySQL, wire.ProtocolPostgreSQL, wire.ProtocolSMTP,
		wire.ProtocolIMAP, wire.ProtocolPOP3, wire.ProtocolFTP, wire.ProtocolLDAP, wire.ProtocolXMPP, wire.ProtocolRDP:
		return true
	}
	return false
}

// collect adds bytes that come before TLS, and judges them. at is where in prefix TLS begins.
func (s *stream) collect(b []byte, leads bool) (v verdict, at int) {
	first := !s.any
	if first {
		s.any, s.candidate = true, 0
	} else if s.candidate < 0 {
		s.candidate = len(s.prefix)
	}
	if room := maxPrefix + 16<<10 - len(s.prefix); len(b) > room {
		// Only the beginning, which names the protocol, and what may begin TLS are of use.
		if s.candidate > maxPrefix {
			s.prefix = append(s.prefix[:maxPrefix], s.prefix[s.candidate:]...)
			s.candidate = maxPrefix
		}
	}
	s.prefix = append(s.prefix, b...)
	if v := judge(s.prefix[s.candidate:], s.candidate == 0); v != notTLS {
		return v, s.candidate
	}
	if leads || !s.named && leadsToTLS(s.sniff()) {
		if i := helloInside(s.prefix[s.candidate:]); i > 0 {
			return isHello, s.candidate + i
		}
	}
	s.candidate = -1
	return notTLS, -1
}

// sniff names what the direction began with.
func (s *stream) sniff() wire.Protocol {
	if s.name == "" || !s.named {
		s.name, s.named = wire.Sniff(s.prefix)
	}
	return s.name
}
