package capture

import "encoding/binary"

// wifi is a frame of IEEE 802.11: of data frames that are not encrypted what is behind LLC.
func (d *decoder) wifi(b []byte, s *segment) error {
	const (
		typeData  = 2
		noData    = 4 // subtypes with this bit carry nothing
		qos       = 8
		bothWays  = 3 // to and from the distribution system: a fourth address
		encrypted = 0x40
		order     = 0x80
		aggregate = 0x80 // of the QoS field: several frames in one
	)
	if len(b) < 24 {
		return errMalformed
	}
	kind, subtype := b[0]>>2&3, b[0]>>4
	if kind != typeData || subtype&noData != 0 || b[1]&encrypted != 0 {
		return errOther
	}
	header, several := 24, false
	if b[1]&bothWays == bothWays {
		header += 6
	}
	if subtype&qos != 0 {
		if len(b) < header+2 {
			return errMalformed
		}
		several = b[header]&aggregate != 0
		header += 2
		if b[1]&order != 0 { // HT Control (IEEE 802.11-2020, Section 9.2.4.6)
			header += 4
		}
	}
	if len(b) < header+8 {
		return errMalformed
	}
	if several {
		return d.aggregated(b[header:], s)
	}
	if b = b[header:]; header%4 != 0 && !isSNAP(b) && isSNAP(b[2:]) {
		b = b[2:] // some cards fill the header up to a multiple of four bytes
	}
	return d.etherType(0, b, s)
}

// isSNAP reports whether b begins with LLC and SNAP of organization 0.
func isSNAP(b []byte) bool {
	return len(b) >= 6 && b[0] == 0xAA && b[1] == 0xAA && b[2] == 3 && b[3] == 0 && b[4] == 0 && b[5] == 0
}

// aggregated is the first frame of an A-MSDU (IEEE 802.11-2020, Section 9.3.2.2): addresses, length, LLC, and what fills it up
// to a multiple of four bytes. The others are kept for more.
func (d *decoder) aggregated(b []byte, s *segment) error {
	const header = 14
	d.rest = nil
	if len(b) < header {
		return errMalformed
	}
	length := int(binary.BigEndian.Uint16(b[12:]))
	body := b[header:]
	if length < len(body) {
		if next := header + (length+header+3)&^3 - header; next+header <= len(b) {
			d.rest = b[next:]
		}
		body = body[:length]
	}
	return d.etherType(0, body, s)
}

// avs is the header that Linux's wlan-ng and its kin put in front of 802.11.
func (d *decoder) avs(b []byte, s *segment) error {
	if len(b) < 8 || uint64(binary.BigEndian.Uint32(b[4:])) > uint64(len(b)) {
		return errMalformed
	}
	return d.wifi(b[binary.BigEndian.Uint32(b[4:]):], s)
}

// prism is that of the Prism cards; the same link type was used for that of AVS.
func (d *decoder) prism(b []byte, s *segment) error {
	const avsMagic = 0x80211
	if len(b) < 8 {
		return errMalformed
	}
	if binary.BigEndian.Uint32(b)>>12 == avsMagic {
		return d.avs(b, s)
	}
	order := binary.ByteOrder(binary.LittleEndian) // of who captured
	if order.Uint32(b[4:]) > 1<<16 {
		order = binary.BigEndian
	}
	length := order.Uint32(b[4:])
	if uint64(length) > uint64(len(b)) {
		return errMalformed
	}
	return d.wifi(b[length:], s)
}

// ppi is the header of the Per-Packet Information of CACE: version, flags, length, and the link type of what follows.
func (d *decoder) ppi(b []byte, s *segment) error {
	if len(b) < 8 || int(binary.LittleEndian.Uint16(b[2:])) > len(b) || binary.LittleEndian.Uint16(b[2:]) < 8 {
		return errMalformed
	}
	inner := binary.LittleEndian.Uint32(b[4:])
	if inner == linkPPI || !d.deeper() {
		return errMalformed
	}
	return d.link(inner, b[binary.LittleEndian.Uint16(b[2:]):], s)
}
