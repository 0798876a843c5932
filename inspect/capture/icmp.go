package capture

import (
	"encoding/binary"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

const (
	protoICMP   = 1
	protoICMPv6 = 58
)

// unreachable is what the network said to a packet that it did not deliver: ICMP quotes the packet's beginning (RFC 792; RFC 4443, Section 3.1).
type unreachable struct {
	reporter address
	from, to endpoint // of the packet that is quoted
	proto    uint8
	seq      uint32 // TCP
	what     string // empty: nothing that ends a connection
	port     bool   // nothing listens there
	number   uint64
}

// icmp4 and icmp6 name what a Destination Unreachable says, as far as it is final.
func icmp4(code byte) string {
	switch code {
	case 0:
		return "net unreachable"
	case 1:
		return "host unreachable"
	case 2:
		return "protocol unreachable"
	case 3:
		return "port unreachable"
	case 9, 10, 13:
		return "administratively prohibited"
	}
	return ""
}

func icmp6(code byte) string {
	switch code {
	case 0:
		return "no route"
	case 1, 5, 6:
		return "administratively prohibited"
	case 3:
		return "address unreachable"
	case 4:
		return "port unreachable"
	}
	return ""
}

// icmp notes what an ICMP message says of a packet that could not be delivered. b is the message, s has the addresses of its own packet.
func (d *decoder) icmp(protocol uint8, b []byte, s *segment) {
	const header = 8
	u := &d.refused
	u.what = ""
	if len(b) < header {
		return
	}
	quoted, body := b[header:], []byte(nil)
	switch {
	case protocol == protoICMP && b[0] == 3 && len(quoted) >= 20 && quoted[0]>>4 == 4:
		length := int(quoted[0]&15) * 4
		if length < 20 || length > len(quoted) || binary.BigEndian.Uint16(quoted[6:])&0x1FFF != 0 {
			return
		}
		u.from.address.set4(quoted[12:])
		u.to.address.set4(quoted[16:])
		u.what, u.port, u.proto, body = icmp4(b[1]), b[1] == 3, quoted[9], quoted[length:]
	case protocol == protoICMPv6 && b[0] == 1 && len(quoted) >= 40 && quoted[0]>>4 == 6:
		u.from.address.set6(quoted[8:])
		u.to.address.set6(quoted[24:])
		u.what, u.port, u.proto, body = icmp6(b[1]), b[1] == 4, quoted[6], quoted[40:]
	}
	if len(body) < 8 || u.proto != protoTCP && u.proto != protoUDP {
		u.what = ""
		return
	}
	u.from.port, u.to.port, u.seq = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:]), binary.BigEndian.Uint32(body[4:])
	u.reporter = s.from.address
}

// undelivered takes up what the network said of a packet. Only that of a packet by which a connection began, and that nobody answered, counts.
func (t *Tracker) undelivered(u *unreachable, number uint64) {
	f := t.flowOf(&segment{from: u.from, to: u.to, proto: u.proto})
	if f == nil || f.undelivered != nil || u.from != f.first {
		return
	}
	if c := f.tcp; c != nil && (!f.opened || u.seq != f.isn || c.half[1].packets > 0) || c == nil && (f.udp == nil || f.udp.sides[1].Packets > 0) {
		return
	}
	kept := *u
	kept.number = number
	f.undelivered = &kept
}

// failure says that a connection came to nothing because the network did not deliver its beginning. The server itself says that nothing
// listens; anybody on the way says that there is none.
func (u *unreachable) failure() *inspect.Error {
	reporter := endpoint{address: u.reporter}.addrPort().Addr()
	e := &inspect.Error{Type: inspect.ErrorUnreachable, Phase: inspect.PhaseDial, Message: fmt.Sprintf("ICMP %s from %s (packet %d)", u.what, reporter, u.number)}
	if u.port {
		e.Type = inspect.ErrorRefused
	}
	return e
}
