package capture

import (
	"encoding/binary"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// carrier is one direction of a protocol that carries TLS in packets of its own.
type carrier interface {
	stream(b []byte, tls func([]byte)) // takes the next bytes of TCP and gives those of TLS in them
	lose()                             // bytes are missing
	protocol() wire.Protocol
}

// protocolTDS names the protocol of Microsoft's SQL Server: a handshake of TLS is carried in its packets ([MS-TDS], Section 2.2.6.5).
const protocolTDS wire.Protocol = "tds"

// Packets of TDS ([MS-TDS], Section 2.2.3.1).
const (
	tdsHeader   = 8
	tdsResponse = 0x04
	tdsPrelogin = 0x12
	tdsOption   = 5 // bytes of an option of a PRELOGIN message
)

// tds is one direction of TDS.
type tds struct {
	header [tdsHeader]byte
	n      int // bytes of it
	left   int // of the packet's payload
	first  bool
	bare   bool // the handshake is over: TLS stands there alone
	lost   bool
}

// beginsTDS tells the PRELOGIN message, and the answer to it, by the first option, which is the version and comes first.
func beginsTDS(b []byte) *tds {
	if len(b) < tdsHeader+tdsOption || b[0] != tdsPrelogin && b[0] != tdsResponse || b[1] != 1 {
		return nil
	}
	length, options := int(binary.BigEndian.Uint16(b[2:])), b[tdsHeader:]
	if offset := int(binary.BigEndian.Uint16(options[1:])); length < tdsHeader+tdsOption+7 || length > 4096 || options[0] != 0 ||
		offset%tdsOption != 1 || tdsHeader+offset+6 > length || binary.BigEndian.Uint16(options[3:]) != 6 {
		return nil
	}
	return &tds{first: true}
}

func (p *tds) protocol() wire.Protocol { return protocolTDS }

func (p *tds) stream(b []byte, tls func([]byte)) {
	for len(b) > 0 && !p.lost {
		if p.bare {
			tls(b)
			return
		}
		if p.left > 0 {
			n := min(p.left, len(b))
			if p.left -= n; !p.first {
				tls(b[:n])
			}
			if b = b[n:]; p.left == 0 {
				p.first = false
			}
			continue
		}
		if p.n == 0 && b[0] >= byte(wire.ContentTypeChangeCipherSpec) && b[0] <= byte(wire.ContentTypeApplicationData) {
			p.bare = true
			continue
		}
		n := copy(p.header[p.n:], b)
		p.n += n
		b = b[n:]
		if p.n == tdsHeader {
			p.n, p.left = 0, max(0, int(binary.BigEndian.Uint16(p.header[2:]))-tdsHeader)
		}
	}
}

func (p *tds) lose() { p.lost = p.lost || !p.bare }
