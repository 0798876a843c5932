package capture

import "encoding/binary"

// Protocol numbers of IP (https://www.iana.org/assignments/protocol-numbers).
const (
	protoHopByHop    = 0
	protoIPIP        = 4
	protoIPv6        = 41
	protoRouting     = 43
	protoFragment    = 44
	protoGRE         = 47
	protoAH          = 51
	protoDestination = 60
	protoEtherIP     = 97
	protoMobility    = 135
	protoMPLS        = 137
	protoHIP         = 139
	protoShim6       = 140
)

// anyIP is an IP packet of the version that it says.
func (d *decoder) anyIP(b []byte, s *segment) error {
	if len(b) == 0 {
		return errMalformed
	}
	switch b[0] >> 4 {
	case 4:
		return d.ipv4(b, s)
	case 6:
		return d.ipv6(b, s)
	}
	return errOther
}

// ipv4 is a packet of RFC 791. The total length takes off what padding the link layer added; 0 is left by the segmentation
// offload of whoever captured on the sending host.
func (d *decoder) ipv4(b []byte, s *segment) error {
	if !d.deeper() || len(b) < 20 || b[0]>>4 != 4 {
		return errMalformed
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = len(b) + s.missing
	}
	if header < 20 || header > len(b) || total < header {
		return errMalformed
	}
	d.networks++
	s.from.address.set4(b[12:])
	s.to.address.set4(b[16:])
	s.id, s.ttl = binary.BigEndian.Uint16(b[4:]), b[8]
	s.missing = max(0, total-len(b))
	body := b[header:min(total, len(b))]
	if field := binary.BigEndian.Uint16(b[6:]); field&0x3FFF != 0 {
		whole, ok := d.fragments.add(s, b[9], uint32(s.id), int(field&0x1FFF)*8, field&0x2000 != 0, body)
		if !ok {
			return errFragment
		}
		body = whole
		s.missing = 0
	}
	return d.transport(b[9], body, s)
}

// ipv6 is a packet of RFC 8200, with its extension headers.
func (d *decoder) ipv6(b []byte, s *segment) error {
	if !d.deeper() || len(b) < 40 || b[0]>>4 != 6 {
		return errMalformed
	}
	d.networks++
	s.from.address.set6(b[8:])
	s.to.address.set6(b[24:])
	s.id, s.ttl = 0, b[7]
	next, body := b[6], b[40:]
	if length := int(binary.BigEndian.Uint16(b[4:])); length > 0 { // 0: a jumbogram, or segmentation offload
		s.missing = max(0, length-len(body))
		body = body[:min(length, len(body))]
	}
	for d.deeper() {
		switch next {
		case protoHopByHop, protoRouting, protoDestination, protoMobility, protoHIP, protoShim6, protoAH:
			if len(body) < 8 {
				return errMalformed
			}
			length := 8 + int(body[1])*8
			if next == protoAH {
				length = 8 + int(body[1])*4 // RFC 4302, Section 2.2
			}
			if length > len(body) {
				return errMalformed
			}
			next, body = body[0], body[length:]
		case protoFragment: // RFC 8200, Section 4.5
			if len(body) < 8 {
				return errMalformed
			}
			field, id := binary.BigEndian.Uint16(body[2:]), binary.BigEndian.Uint32(body[4:])
			next, body = body[0], body[8:]
			if field&^6 != 0 { // an atomic fragment is whole (RFC 6946)
				whole, ok := d.fragments.add(s, next, id, int(field&^7), field&1 != 0, body)
				if !ok {
					return errFragment
				}
				body = whole
				s.missing = 0
			}
		default:
			return d.transport(next, body, s)
		}
	}
	return errMalformed
}

// transport decodes what IP carries.
func (d *decoder) transport(protocol uint8, b []byte, s *segment) error {
	switch protocol {
	case protoTCP:
		return tcp(b, s)
	case protoUDP:
		return d.udp(b, s)
	case protoIPIP, protoIPv6:
		return d.anyIP(b, s)
	case protoGRE:
		return d.gre(b, s)
	case protoAH:
		if len(b) < 8 || 8+int(b[1])*4 > len(b) || !d.deeper() {
			return errMalformed
		}
		return d.transport(b[0], b[8+int(b[1])*4:], s)
	case protoMPLS:
		return d.mpls(b, s)
	case protoICMP, protoICMPv6:
		d.icmp(protocol, b, s)
		return errOther
	case protoEtherIP: // RFC 3378
		if len(b) < 2 || b[0]>>4 != 3 {
			return errMalformed
		}
		return d.ethernet(b[2:], s)
	}
	return errOther
}

// tcp is a header of RFC 9293, Section 3.1.
func tcp(b []byte, s *segment) error {
	if len(b) < 20 {
		return errMalformed
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > len(b) {
		return errMalformed
	}
	s.proto = protoTCP
	s.from.port, s.to.port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	s.seq, s.ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	s.flags, s.window = b[13], binary.BigEndian.Uint16(b[14:])
	s.payload = b[header:]
	s.mss = 0
	if s.flags&flagSYN != 0 {
		s.mss = segmentSize(b[20:header])
	}
	return nil
}

// segmentSize is the value of the option Maximum Segment Size (RFC 9293, Section 3.2), 0 without it.
func segmentSize(options []byte) uint16 {
	for len(options) > 0 {
		switch options[0] {
		case 0:
			return 0
		case 1:
			options = options[1:]
			continue
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return 0
		}
		if options[0] == 2 && options[1] == 4 {
			return binary.BigEndian.Uint16(options[2:])
		}
		options = options[options[1]:]
	}
	return 0
}

// udp is a datagram of RFC 768, or what is tunnelled in it.
func (d *decoder) udp(b []byte, s *segment) error {
	if len(b) < 8 {
		return errMalformed
	}
	if length := int(binary.BigEndian.Uint16(b[4:])); length >= 8 && length < len(b) {
		b = b[:length]
	}
	source, destination := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	payload := b[8:]
	if d.tunnel(source, destination, payload, s) {
		return nil
	}
	s.proto, s.from.port, s.to.port = protoUDP, source, destination
	s.payload = payload
	return nil
}
