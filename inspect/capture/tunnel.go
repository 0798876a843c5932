package capture

import "encoding/binary"

// UDP ports of tunnels.
const (
	portGTPU     = 2152
	portVXLAN    = 4789
	portVXLANOld = 8472 // Linux's own, before there was a standard
	portVXLANGPE = 4790
	portCAPWAP   = 5247
	portGeneve   = 6081
	portMPLSUDP  = 6635
	portTeredo   = 3544
	portL2TP     = 1701
	portLISP     = 4341
	portTZSP     = 37008
	portAYIYA    = 5072
	portVXLANACI = 48879 // of Cisco's fabrics
)

// tunnel tries a datagram as a tunnel's, by its ports and by what is in it. When nothing comes of it the datagram is what it
// is, and s keeps the addresses that it had.
func (d *decoder) tunnel(source, destination uint16, b []byte, s *segment) bool {
	before, networks, layers := *s, d.networks, d.layers
	if d.inner(destination, b, s) || source != destination && d.inner(source, b, s) {
		return true
	}
	*s, d.networks, d.layers, d.rest = before, networks, layers, nil
	return false
}

func (d *decoder) inner(port uint16, b []byte, s *segment) bool {
	switch port {
	case portVXLAN, portVXLANOld, portVXLANGPE, portVXLANACI: // RFC 7348, Section 5
		if len(b) < 8 || b[0]&8 == 0 {
			return false
		}
		next := byte(3)
		if port == portVXLANGPE && b[0]&4 != 0 {
			next = b[3]
		}
		return d.nextProtocol(next, b[8:], s) == nil
	case portGeneve: // RFC 8926, Section 3.4
		if len(b) < 8 || b[0]>>6 != 0 || 8+int(b[0]&63)*4 > len(b) {
			return false
		}
		return d.etherType(binary.BigEndian.Uint16(b[2:]), b[8+int(b[0]&63)*4:], s) == nil
	case portGTPU:
		inner, ok := gtpUser(b)
		return ok && d.anyIP(inner, s) == nil
	case portCAPWAP: // RFC 5415, Section 4.3
		header, ok := capwapHeader(b)
		return ok && d.wifi(b[header:], s) == nil
	case portMPLSUDP: // RFC 7510
		return d.mpls(b, s) == nil
	case portL2TP:
		inner, ok := l2tpPayload(b)
		return ok && d.ppp(inner, s) == nil
	case portLISP: // RFC 9300, Section 5.1: eight bytes, then IP
		return len(b) > 8 && d.anyIP(b[8:], s) == nil
	case portTZSP:
		return d.tzsp(b, s)
	case portAYIYA: // draft-massar-v6ops-ayiya, Section 3: lengths of identity and signature, operation, next header, time
		const forward = 1
		if len(b) < 8 || b[2]&0x0F != forward {
			return false
		}
		header := 8 + 1<<(b[0]>>4) + int(b[1]>>4)*4
		return header <= len(b) && (b[3] == protoIPv6 || b[3] == protoIPIP) && d.anyIP(b[header:], s) == nil
	case portTeredo: // RFC 4380, Section 5.1.1; authentication and origin in front of it
		if len(b) >= 13 && b[0] == 0 && b[1] == 1 {
			b = b[min(len(b), 13+int(b[2])+int(b[3])):]
		}
		if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
			b = b[8:]
		}
		return len(b) > 40 && b[0]>>4 == 6 && d.ipv6(b, s) == nil
	}
	return false
}

// nextProtocol is what the next-protocol field of VXLAN-GPE announces.
func (d *decoder) nextProtocol(next byte, b []byte, s *segment) error {
	switch next {
	case 1, 2:
		return d.anyIP(b, s)
	case 3:
		return d.ethernet(b, s)
	case 4:
		return d.nsh(b, s)
	case 5:
		return d.mpls(b, s)
	}
	return errOther
}

// gtpUser takes the header off a G-PDU of GTP-U version 1 (3GPP TS 29.281, Section 5).
func gtpUser(b []byte) ([]byte, bool) {
	const userPacket = 255
	if len(b) < 8 || b[0]>>5 != 1 || b[0]&0x10 == 0 || b[1] != userPacket {
		return nil, false
	}
	flags, b := b[0]&7, b[8:]
	if flags == 0 {
		return b, true
	}
	if len(b) < 4 { // sequence number, N-PDU number, type of the next extension
		return nil, false
	}
	next := b[3]
	if b = b[4:]; flags&4 == 0 {
		return b, true
	}
	for next != 0 {
		if len(b) < 4 || b[0] == 0 || int(b[0])*4 > len(b) {
			return nil, false
		}
		length := int(b[0]) * 4
		next, b = b[length-1], b[length:]
	}
	return b, true
}

// capwapHeader is the length of the header in front of a whole 802.11 frame.
func capwapHeader(b []byte) (length int, ok bool) {
	const (
		native   = 0x01 // of the third byte: the payload is in its own format, 802.11
		fragment = 0x80
	)
	if len(b) < 8 || b[0] != 0 || b[3]&fragment != 0 || b[2]&native == 0 {
		return 0, false
	}
	length = int(b[1]>>3) * 4
	return length, length >= 8 && length <= len(b)
}

// gre is a packet of RFC 2784 and RFC 2890, or of version 1 (PPTP, RFC 2637).
func (d *decoder) gre(b []byte, s *segment) error {
	const (
		checksum = 0x80
		routing  = 0x40
		key      = 0x20
		sequence = 0x10
		ackV1    = 0x80 // of the second byte
	)
	if len(b) < 4 {
		return errMalformed
	}
	flags, version, t := b[0], b[1]&7, binary.BigEndian.Uint16(b[2:])
	header := 4
	if flags&(checksum|routing) != 0 {
		header += 4
	}
	if flags&key != 0 {
		header += 4
	}
	if flags&sequence != 0 {
		header += 4
	}
	if version == 1 && b[1]&ackV1 != 0 {
		header += 4
	}
	if version > 1 || header > len(b) {
		return errMalformed
	}
	if flags&routing != 0 { // a list of source route entries, the last of which is empty
		for {
			if len(b) < header+4 {
				return errMalformed
			}
			entry := int(b[header+3])
			header += 4 + entry
			if header > len(b) {
				return errMalformed
			}
			if entry == 0 {
				break
			}
		}
	}
	return d.greType(t, b[header:], flags&sequence != 0, s)
}

// greType decodes what GRE carries. ERSPAN of type I has no header of its own, and then GRE has no sequence numbers.
func (d *decoder) greType(t uint16, b []byte, sequence bool, s *segment) error {
	switch t {
	case etherERSPAN2:
		if !sequence {
			return d.ethernet(b, s)
		}
		if len(b) < 8 {
			return errMalformed
		}
		return d.ethernet(b[8:], s)
	case etherERSPAN3: // 12 bytes, 8 more if the last bit says so; draft-foschiano-erspan, Section 4.3
		if len(b) < 12 {
			return errMalformed
		}
		header := 12
		if b[11]&1 != 0 {
			header += 8
		}
		if len(b) < header {
			return errMalformed
		}
		return d.ethernet(b[header:], s)
	case etherWCCP: // with or without a redirect header of four bytes
		if len(b) > 4 && b[0]>>4 != 4 {
			b = b[4:]
		}
		return d.anyIP(b, s)
	}
	return d.etherType(t, b, s)
}

// l2tpPayload takes the header off a data message of L2TP (RFC 2661, Section 3.1).
func l2tpPayload(b []byte) ([]byte, bool) {
	const (
		control  = 0x80
		length   = 0x40
		sequence = 0x08
		offset   = 0x02
	)
	if len(b) < 6 || b[0]&control != 0 || b[1]&0x0F != 2 {
		return nil, false
	}
	header := 6
	if b[0]&length != 0 {
		header += 2
	}
	if b[0]&sequence != 0 {
		header += 4
	}
	if b[0]&offset != 0 {
		if len(b) < header+2 {
			return nil, false
		}
		header += 2 + int(binary.BigEndian.Uint16(b[header:]))
	}
	if len(b) < header+2 {
		return nil, false
	}
	return b[header:], true
}

// tzsp is a packet of TaZmen Sniffer Protocol, by which access points and routers send on what they see: version, type, what is
// encapsulated, and fields with their types and lengths.
func (d *decoder) tzsp(b []byte, s *segment) bool {
	const (
		padding  = 0
		end      = 1
		ethernet = 1
		wifi     = 18
	)
	if len(b) < 5 || b[0] != 1 || b[1] > 1 {
		return false
	}
	kind, b := binary.BigEndian.Uint16(b[2:]), b[4:]
	for {
		if len(b) == 0 {
			return false
		}
		tag := b[0]
		b = b[1:]
		if tag == end {
			break
		}
		if tag == padding {
			continue
		}
		if len(b) < 1 || len(b) < 1+int(b[0]) {
			return false
		}
		b = b[1+int(b[0]):]
	}
	switch kind {
	case ethernet:
		return d.ethernet(b, s) == nil
	case wifi:
		return d.wifi(b, s) == nil
	}
	return false
}
