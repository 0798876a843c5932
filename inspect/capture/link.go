package capture

import (
	"encoding/binary"
	"errors"
)

// Link types (https://www.tcpdump.org/linktypes.html), and the numbers that some systems' raw IP and loopback have in files.
const (
	linkNull       = 0
	linkEthernet   = 1
	linkPPP        = 9
	linkRawBSD     = 12
	linkRawOpenBSD = 14
	linkPPPHDLC    = 50
	linkPPPEther   = 51
	linkRaw        = 101
	linkCHDLC      = 104
	linkWiFi       = 105
	linkLoop       = 108
	linkCooked     = 113
	linkRadiotap   = 127
	linkAVS        = 163
	linkPPPDir     = 204
	linkIPv4       = 228
	linkIPv6       = 229
	linkCooked2    = 276

	linkMPLS        = 219
	linkCHDLCDir    = 205
	linkFrameDir    = 206
	linkTokenRing   = 6
	linkATM         = 100
	linkFrameRelay  = 107
	linkEnc         = 109
	linkPrism       = 119
	linkPPPD        = 166
	linkPPI         = 192
	linkIPNET       = 226
	linkNFLog       = 239
	linkNetAnalyzer = 240
	linkPKTAP       = 258
)

// Why a packet gives no segment. They are counted, never printed.
var (
	errRefusedLink = errors.New("link type is not decoded")
	errMalformed   = errors.New("headers exceed the packet")
	errOther       = errors.New("no TCP or UDP inside")
	errFragment    = errors.New("a fragment of a datagram that is not whole yet")
)

// maxLayers is how many headers a packet may have from the link layer to TCP or UDP.
const maxLayers = 32

// decoder finds the innermost segment of packets. It allocates only for fragments and rare link types.
type decoder struct {
	fragments fragments
	layers    int    // headers of the packet that is being decoded
	networks  int    // of which IP
	rest      []byte // the frames that follow in an aggregate of 802.11; nil: none

	undelivered icmpError // what it says of another packet
}

// decode finds the innermost segment of a packet.
func (d *decoder) decode(p *frame, s *segment) error {
	d.layers, d.networks, d.rest = 0, 0, nil
	s.missing = p.length - len(p.data)
	return d.link(p.link, p.data, s)
}

// more finds the segment of the next frame in a packet that holds several; false: there is none.
func (d *decoder) more(s *segment) (error, bool) {
	if d.rest == nil {
		return nil, false
	}
	d.layers, d.networks = 0, 0
	return d.aggregated(d.rest, s), true
}

func (d *decoder) link(link uint32, b []byte, s *segment) error {
	switch link {
	case linkEthernet:
		return d.ethernet(b, s)
	case linkRaw, linkRawBSD, linkRawOpenBSD, linkIPv4, linkIPv6:
		return d.anyIP(b, s)
	case linkNull, linkLoop:
		return d.loopback(b, s)
	case linkCooked: // packet type, ARPHRD type, address and its length, protocol
		if len(b) < 16 {
			return errMalformed
		}
		return d.cooked(binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[14:]), b[16:], s)
	case linkCooked2: // protocol, reserved, interface index, ARPHRD type, packet type, address and its length
		if len(b) < 20 {
			return errMalformed
		}
		return d.cooked(binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b), b[20:], s)
	case linkPPP, linkPPPHDLC:
		return d.ppp(b, s)
	case linkPPPDir:
		if len(b) < 1 {
			return errMalformed
		}
		return d.ppp(b[1:], s)
	case linkPPPEther:
		return d.pppoe(b, s)
	case linkCHDLC: // address, control, EtherType
		if len(b) < 4 {
			return errMalformed
		}
		return d.etherType(binary.BigEndian.Uint16(b[2:]), b[4:], s)
	case linkWiFi:
		return d.wifi(b, s)
	case linkRadiotap:
		if len(b) < 8 || int(binary.LittleEndian.Uint16(b[2:])) > len(b) {
			return errMalformed
		}
		return d.wifi(b[binary.LittleEndian.Uint16(b[2:]):], s)
	case linkAVS:
		return d.avs(b, s)
	case linkPrism:
		return d.prism(b, s)
	case linkPPI:
		return d.ppi(b, s)
	}
	return d.otherLink(link, b, s)
}

// deeper counts a header; a packet that nests without end is malformed.
func (d *decoder) deeper() bool {
	d.layers++
	return d.layers <= maxLayers
}

func (d *decoder) ethernet(b []byte, s *segment) error {
	if len(b) < 14 {
		return errMalformed
	}
	return d.etherType(binary.BigEndian.Uint16(b[12:]), b[14:], s)
}

// EtherTypes.
const (
	etherIPv4      = 0x0800
	etherIPv6      = 0x86DD
	etherVLAN      = 0x8100
	etherQinQ      = 0x88A8
	etherQinQOld   = 0x9100
	etherQinQOlder = 0x9200
	etherMPLS      = 0x8847
	etherMPLSMulti = 0x8848
	etherPPPoE     = 0x8864
	etherBridged   = 0x6558 // transparent Ethernet bridging: a frame of Ethernet
	etherERSPAN2   = 0x88BE
	etherERSPAN3   = 0x22EB
	etherPPP       = 0x880B
	etherWCCP      = 0x883E
	etherPBB       = 0x88E7 // provider backbone bridging
	etherMetadata  = 0x8909 // Cisco MetaData
	etherVNTag     = 0x8926
	etherETag      = 0x893F // IEEE 802.1BR
	etherNSH       = 0x894F
	etherMACsec    = 0x88E5
	etherTRILL     = 0x22F3
	etherFabric    = 0x8903 // Cisco FabricPath
	etherTypeMin   = 0x0600 // below it is a length
)

// etherType decodes what an EtherType announces.
func (d *decoder) etherType(t uint16, b []byte, s *segment) error {
	for d.deeper() {
		switch t {
		case etherIPv4:
			return d.ipv4(b, s)
		case etherIPv6:
			return d.ipv6(b, s)
		case etherVLAN, etherQinQ, etherQinQOld, etherQinQOlder: // tag, EtherType
			if len(b) < 4 {
				return errMalformed
			}
			t, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		case etherMetadata, etherVNTag, etherETag: // six or four bytes, EtherType
			n := 6
			if t == etherVNTag {
				n = 4
			}
			if len(b) < n+2 {
				return errMalformed
			}
			t, b = binary.BigEndian.Uint16(b[n:]), b[n+2:]
		case etherMACsec:
			n := openMACsec(b)
			if n == 0 {
				return errOther
			}
			t, b = binary.BigEndian.Uint16(b[n-2:]), b[n:]
		case etherNSH:
			return d.nsh(b, s)
		case etherTRILL, etherFabric:
			return d.bridged(t, b, s)
		case etherMPLS, etherMPLSMulti:
			return d.mpls(b, s)
		case etherPPPoE:
			return d.pppoe(b, s)
		case etherPPP:
			return d.ppp(b, s)
		case etherBridged:
			return d.ethernet(b, s)
		case etherPBB: // service tag
			if len(b) < 4 {
				return errMalformed
			}
			return d.ethernet(b[4:], s)
		default:
			if t >= etherTypeMin {
				return errOther
			}
			// A length: LLC, and SNAP with organization 0 (IEEE 802; RFC 1042) in front of an EtherType.
			if len(b) < 8 || b[0] != 0xAA || b[1] != 0xAA || b[2] != 3 {
				return errOther
			}
			t, b = binary.BigEndian.Uint16(b[6:]), b[8:]
			if t < etherTypeMin {
				return errOther
			}
		}
	}
	return errMalformed
}

// openMACsec is where the payload of a frame begins that is authenticated and not encrypted (IEEE 802.1AE, Section 9); 0: it is encrypted.
func openMACsec(b []byte) int {
	const (
		hasChannel = 0x20
		encrypted  = 0x0C
	)
	if len(b) < 8 || b[0]&encrypted != 0 {
		return 0
	}
	n := 6 + 2
	if b[0]&hasChannel != 0 {
		n += 8
	}
	if n > len(b) {
		return 0
	}
	return n
}

// nsh is a packet on its way through a chain of services (RFC 8300, Section 2.2): its length in words, and what is in it.
func (d *decoder) nsh(b []byte, s *segment) error {
	if len(b) < 8 || !d.deeper() {
		return errMalformed
	}
	header := int(b[1]&0x3F) * 4
	if header < 8 || header > len(b) {
		return errMalformed
	}
	return d.nextProtocol(b[3], b[header:], s)
}

// bridged is a frame of Ethernet inside of TRILL (RFC 6325, Section 3) or FabricPath.
func (d *decoder) bridged(t uint16, b []byte, s *segment) error {
	header := 2
	if t == etherTRILL {
		if len(b) < 6 {
			return errMalformed
		}
		header = 6 + int(binary.BigEndian.Uint16(b)>>6&0x1F)*4
	}
	if header > len(b) {
		return errMalformed
	}
	return d.ethernet(b[header:], s)
}

// Hardware types of Linux's cooked captures whose protocol field is no EtherType, or whose packets begin elsewhere.
const (
	arphrdNetlink = 824
	arphrdGRE     = 778
)

func (d *decoder) cooked(hardware, t uint16, b []byte, s *segment) error {
	switch hardware {
	case arphrdNetlink:
		return errOther
	case arphrdGRE:
		return d.greType(t, b, false, s)
	}
	return d.etherType(t, b, s)
}

// loopback begins with an address family in the byte order of whoever captured (NULL) or in network order (LOOP).
func (d *decoder) loopback(b []byte, s *segment) error {
	if len(b) < 4 {
		return errMalformed
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xFFFF {
		family = binary.BigEndian.Uint32(b)
	}
	switch family {
	case 2, 10, 24, 28, 30: // IPv4; IPv6 of Linux, of NetBSD and OpenBSD, of FreeBSD, of macOS
		return d.anyIP(b[4:], s)
	}
	return errOther
}

// ppp is a frame of PPP, with or without address and control (RFC 1661, Section 6.6; RFC 1662).
func (d *decoder) ppp(b []byte, s *segment) error {
	if len(b) >= 2 && b[0] == 0xFF && b[1] == 3 {
		b = b[2:]
	} else if len(b) >= 4 && b[0] == 0x0F && b[1] == 0 { // Cisco HDLC inside: EtherTypes
		return d.etherType(binary.BigEndian.Uint16(b[2:]), b[4:], s)
	}
	if len(b) < 2 {
		return errMalformed
	}
	protocol := uint16(b[0])
	if b[0]&1 != 0 { // compressed to one byte
		b = b[1:]
	} else {
		protocol, b = binary.BigEndian.Uint16(b), b[2:]
	}
	switch protocol {
	case 0x21:
		return d.ipv4(b, s)
	case 0x57:
		return d.ipv6(b, s)
	case 0x281, 0x283:
		return d.mpls(b, s)
	}
	return errOther
}

// pppoe is a session packet (RFC 2516, Section 4).
func (d *decoder) pppoe(b []byte, s *segment) error {
	if len(b) < 8 || b[0] != 0x11 {
		return errMalformed
	}
	if b[1] != 0 {
		return errOther
	}
	return d.ppp(b[6:], s)
}

// mpls takes off the labels. What follows does not say what it is (RFC 4385, Section 3): an IP version in the first four
// bits, or zeros of a control word in front of Ethernet, or Ethernet.
func (d *decoder) mpls(b []byte, s *segment) error {
	for d.deeper() {
		if len(b) < 5 {
			return errMalformed
		}
		bottom := b[2]&1 != 0
		if b = b[4:]; !bottom {
			continue
		}
		switch b[0] >> 4 {
		case 4, 6:
			return d.anyIP(b, s)
		case 0:
			if len(b) >= 4+14 && b[1] == 0 {
				return d.ethernet(b[4:], s)
			}
		}
		return d.ethernet(b, s)
	}
	return errMalformed
}
