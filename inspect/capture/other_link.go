package capture

import "encoding/binary"

// otherLink decodes link types that are seldom met, and leaves the rest to gopacket.
func (d *decoder) otherLink(link uint32, b []byte, s *segment) error {
	cut := func(n int, next func([]byte, *segment) error) error {
		if len(b) < n {
			return errMalformed
		}
		return next(b[n:], s)
	}
	switch link {
	case linkPPPD: // direction
		return cut(1, d.ppp)
	case linkEnc: // OpenBSD's IPsec: address family, index of the association, flags
		return cut(12, d.anyIP)
	case linkIPNET: // Solaris: version, family, hook, length, group, two interfaces
		return cut(24, d.anyIP)
	case linkNetAnalyzer: // four bytes of the device that captured
		return cut(4, d.ethernet)
	case linkMPLS:
		return d.mpls(b, s)
	case linkFrameDir: // direction
		return cut(1, d.frameRelay)
	case linkCHDLCDir:
		return cut(1, func(b []byte, s *segment) error { return d.link(linkCHDLC, b, s) })
	case linkNFLog:
		return d.netfilterLog(b, s)
	case linkPKTAP:
		return d.packetTap(b, s)
	case linkFrameRelay:
		return d.frameRelay(b, s)
	case linkATM: // RFC 2684: LLC and SNAP
		return d.etherType(0, b, s)
	case linkTokenRing:
		return d.tokenRing(b, s)
	}
	return d.rareLink(link, b, s)
}

// netfilterLog is a message of Linux's NFLOG target: family, version, group, and attributes, one of which is the packet.
func (d *decoder) netfilterLog(b []byte, s *segment) error {
	const payload = 9
	if len(b) < 4 {
		return errMalformed
	}
	for b = b[4:]; len(b) >= 4; {
		order := binary.ByteOrder(binary.LittleEndian) // of who captured; lengths are small
		length := int(order.Uint16(b))
		if length > len(b) {
			order = binary.BigEndian
			length = int(order.Uint16(b))
		}
		if length < 4 || length > len(b) {
			return errMalformed
		}
		if order.Uint16(b[2:])&0x3FFF == payload {
			return d.anyIP(b[4:length], s)
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return errOther
}

// packetTap is the header of macOS's pktap interfaces: its length, the type of record, and the link type of what follows.
func (d *decoder) packetTap(b []byte, s *segment) error {
	const ofPacket = 1
	if len(b) < 12 || !d.deeper() {
		return errMalformed
	}
	length, kind, inner := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	if uint64(length) > uint64(len(b)) || length < 12 || inner == linkPKTAP {
		return errMalformed
	}
	if kind != ofPacket {
		return errOther
	}
	return d.link(inner, b[length:], s)
}

// frameRelay is a frame of RFC 2427: an address of two to four bytes, then Cisco's EtherType or a NLPID.
func (d *decoder) frameRelay(b []byte, s *segment) error {
	const (
		last         = 1 // of an address byte
		unnumbered   = 3
		nlpidIPv4    = 0xCC
		nlpidIPv6    = 0x8E
		nlpidSNAP    = 0x80
		organization = 3
	)
	at := 0
	for at < 4 && at < len(b) && b[at]&last == 0 {
		at++
	}
	if at++; len(b) < at+2 {
		return errMalformed
	}
	b = b[at:]
	if b[0] != unnumbered { // Cisco's: an EtherType
		return d.etherType(binary.BigEndian.Uint16(b), b[2:], s)
	}
	if b = b[1:]; b[0] == 0 && len(b) > 1 { // a byte that aligns
		b = b[1:]
	}
	switch b[0] {
	case nlpidIPv4, nlpidIPv6:
		return d.anyIP(b[1:], s)
	case nlpidSNAP:
		if len(b) < 1+organization+2 {
			return errMalformed
		}
		return d.etherType(binary.BigEndian.Uint16(b[4:]), b[6:], s)
	}
	return errOther
}

// tokenRing is a frame of IEEE 802.5: access and frame control, addresses, a route if the source address says so, LLC.
func (d *decoder) tokenRing(b []byte, s *segment) error {
	const header = 14
	if len(b) < header+2 {
		return errMalformed
	}
	at := header
	if b[8]&0x80 != 0 {
		at += int(b[14] & 31)
	}
	if at > len(b) {
		return errMalformed
	}
	return d.etherType(0, b[at:], s)
}
