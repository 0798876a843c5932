package capture

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Packet is one packet as the capture has it, its link layer included.
type Packet struct {
	Time     time.Time
	Number   uint64 // in the capture, from 1
	LinkType uint32 // https://www.tcpdump.org/linktypes.html
	Length   int    // on the wire
	Data     []byte
}

// address is an IP address; one of IPv4 is mapped into IPv6.
type address [16]byte

func (a *address) set4(b []byte) {
	*a = address{10: 0xFF, 11: 0xFF}
	copy(a[12:], b[:4])
}

func (a *address) set6(b []byte) { copy(a[:], b[:16]) }

// endpoint is one end of a connection.
type endpoint struct {
	address address
	port    uint16
}

func (e endpoint) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.address).Unmap(), e.port)
}

// less orders endpoints, so that both directions of a connection have one key.
func (e *endpoint) less(o *endpoint) bool {
	a, b := binary.BigEndian.Uint64(e.address[8:]), binary.BigEndian.Uint64(o.address[8:])
	if a != b {
		return a < b
	}
	a, b = binary.BigEndian.Uint64(e.address[:]), binary.BigEndian.Uint64(o.address[:])
	if a != b {
		return a < b
	}
	return e.port < o.port
}

// Protocols of IP that carry what is looked for.
const (
	protoTCP = 6
	protoUDP = 17
)

// segment is a TCP segment or a UDP datagram, the innermost of a packet.
type segment struct {
	from, to endpoint
	proto    uint8
	ttl      uint8
	id       uint16 // of the IPv4 header; 0: none
	payload  []byte
	missing  int // bytes of payload that the snapshot length cut off

	seq, ack uint32
	flags    uint8
	window   uint16
	mss      uint16 // of a SYN; 0: it does not say

	at     int64  // nanoseconds since 1970
	number uint64 // of the packet, from 1
}

// Flags of TCP (RFC 9293, Section 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

func (s *segment) has(flag uint8) bool { return s.flags&flag != 0 }

// end is the sequence number behind the segment.
func (s *segment) end() uint32 {
	end := s.seq + uint32(len(s.payload)+s.missing)
	if s.has(flagSYN) {
		end++
	}
	if s.has(flagFIN) {
		end++
	}
	return end
}

// keep is a copy of a frame.
func (p *frame) keep(number uint64) Packet {
	return Packet{Time: time.Unix(0, p.at).UTC(), Number: number, LinkType: p.link, Length: p.length, Data: append([]byte(nil), p.data...)}
}
