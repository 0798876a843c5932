package capture

import (
	"encoding/binary"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

const (
	protoICMP   = 1
	protoICMPv6 = 58

	icmpUnreachable  = 3 // RFC 792
	icmp6Unreachable = 1 // RFC 4443, Section 3
	icmp6TooBig      = 2
)

// icmpError is what the network said of a packet that it did not deliver: ICMP quotes the packet's beginning (RFC 792; RFC 4443, Section 3).
type icmpError struct {
	reporter address
	from, to endpoint // of the packet that is quoted
	proto    uint8
	seq      uint32 // TCP
	said     string // empty: nothing of that kind
	port     bool   // nothing listens there
	tooLarge bool   // a smaller packet passes
	mtu      int    // of at most so many bytes; 0: that is not said
	number   uint64
}

// icmp4 and icmp6 name what a Destination Unreachable says.
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
	case 4:
		return inspect.FragmentationNeeded
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

// icmp notes what an ICMP message says of a packet that was not delivered. b is the message, s has the addresses of its own packet.
func (d *decoder) icmp(protocol uint8, b []byte, s *segment) {
	const header = 8
	if len(b) < header {
		return
	}
	u := icmpError{reporter: s.from.address}
	quoted, body := b[header:], []byte(nil)
	switch {
	case protocol == protoICMP && b[0] == icmpUnreachable && len(quoted) >= 20 && quoted[0]>>4 == 4:
		length := int(quoted[0]&15) * 4
		if length < 20 || length > len(quoted) || binary.BigEndian.Uint16(quoted[6:])&0x1FFF != 0 {
			return
		}
		u.from.address.set4(quoted[12:])
		u.to.address.set4(quoted[16:])
		u.said, u.port, u.tooLarge, u.proto, body = icmp4(b[1]), b[1] == 3, b[1] == 4, quoted[9], quoted[length:]
		if u.tooLarge {
			u.mtu = int(binary.BigEndian.Uint16(b[6:])) // RFC 1191, Section 4
		}
	case protocol == protoICMPv6 && (b[0] == icmp6Unreachable || b[0] == icmp6TooBig) && len(quoted) >= 40 && quoted[0]>>4 == 6:
		u.from.address.set6(quoted[8:])
		u.to.address.set6(quoted[24:])
		u.said, u.port, u.proto, body = icmp6(b[1]), b[1] == 4, quoted[6], quoted[40:]
		if b[0] == icmp6TooBig {
			u.said, u.port, u.tooLarge, u.mtu = inspect.PacketTooBig, false, true, int(min(binary.BigEndian.Uint32(b[4:]), 1<<16))
		}
	}
	if u.said == "" || len(body) < 8 || u.proto != protoTCP && u.proto != protoUDP {
		return
	}
	u.from.port, u.to.port, u.seq = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:]), binary.BigEndian.Uint32(body[4:])
	d.undelivered = u
}

// undelivered takes up what the network said of a packet of a connection that is watched. Of what it says of one, the last counts, unless
// the connection's beginning was not delivered.
func (t *Tracker) undelivered(u *icmpError) {
	f := t.flowOf(&segment{from: u.from, to: u.to, proto: u.proto})
	switch {
	case f == nil:
	case f.tcp != nil:
		c := f.tcp
		if c.undelivered == nil {
			c.undelivered = new(icmpError)
		} else if c.undelivered.begins(f) || c.undelivered.seq == u.seq && c.undelivered.said == u.said {
			return
		}
		*c.undelivered = *u
		c.keep(t, &segment{number: u.number})
	case f.udp != nil && u.from == f.first && f.udp.sides[1].Packets == 0:
		c := f.udp
		if c.undelivered == nil {
			c.undelivered = new(icmpError)
		} else if !c.undelivered.tooLarge || u.tooLarge {
			return
		}
		*c.undelivered = *u
		c.keep(t, u.number)
	}
}

// begins reports whether it is a connection's request that was not delivered, for good.
func (u *icmpError) begins(f *flow) bool {
	return u != nil && !u.tooLarge && f.opened && u.from == f.first && u.seq == f.isn
}

// unanswered is what the network said of a request that nobody answered; nil: nothing.
func (c *tcpConn) unanswered(f *flow) *icmpError {
	if c.half[1].packets > 0 || !c.undelivered.begins(f) {
		return nil
	}
	return c.undelivered
}

// ofStuck is what the network said of the segment that was sent again and again; nil: nothing.
func (c *tcpConn) ofStuck(f *flow, side int) *icmpError {
	u, h := c.undelivered, &c.half[side]
	if u == nil || u.from != f.end(side) {
		return nil
	}
	if behind := int32(u.seq - h.stuck.seq); behind < 0 || int(behind) >= h.stuck.size {
		return nil
	}
	return u
}

// failure says that a connection came to nothing because the network did not deliver its beginning. Only the server itself can say that
// nothing listens there; whoever else says it keeps others from it.
func (u *icmpError) failure() *inspect.Error {
	e := &inspect.Error{Type: inspect.ErrorUnreachable, Phase: inspect.PhaseDial, Message: fmt.Sprintf("ICMP %s from %s (packet %d)", u.said, u.by(), u.number)}
	if u.port && u.reporter == u.to.address {
		e.Type = inspect.ErrorRefused
	}
	return e
}

// by is who said it.
func (u *icmpError) by() string { return endpoint{address: u.reporter}.addrPort().Addr().String() }

func (u *icmpError) describe() *inspect.Undelivered {
	if u == nil {
		return nil
	}
	return &inspect.Undelivered{Said: u.said, From: u.by(), Packet: u.number, MTU: u.mtu}
}
