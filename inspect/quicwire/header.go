package quicwire

import (
	"encoding/binary"
	"strconv"
)

// PacketType is the kind of a packet.
type PacketType uint8

// Packet types. Their numbers are ours: those on the wire depend on the version.
const (
	PacketUnknown PacketType = iota
	PacketInitial
	PacketZeroRTT
	PacketHandshake
	PacketRetry
	PacketVersionNegotiation
	PacketOneRTT
	PacketGQUIC // Google's QUIC up to Q046, which had headers of its own
)

// String names the type as RFC 9000 does.
func (t PacketType) String() string {
	switch t {
	case PacketUnknown:
		return "unknown"
	case PacketInitial:
		return "Initial"
	case PacketZeroRTT:
		return "0-RTT"
	case PacketHandshake:
		return "Handshake"
	case PacketRetry:
		return "Retry"
	case PacketVersionNegotiation:
		return "Version Negotiation"
	case PacketOneRTT:
		return "1-RTT"
	case PacketGQUIC:
		return "gQUIC"
	}
	return "type " + strconv.Itoa(int(t))
}

const (
	maxID      = 20 // longest connection id of every version read here (RFC 9000, Section 17.2)
	maxAnyID   = 255
	tagSize    = 16 // of every AEAD that QUIC uses, and of a Retry
	sampleSize = 16 // RFC 9001, Section 5.4.2
)

// Header is what stands in a packet's header unprotected. Its slices are views into the datagram.
type Header struct {
	Type          PacketType
	Version       Version
	DestinationID []byte
	SourceID      []byte
	Token         []byte    // of an Initial; of a Retry the token that the client is to send
	Versions      []Version // of a Version Negotiation; at most 64 are kept
	Packet        []byte    // the whole packet
	Number        int       // where the protected packet number begins in Packet; 0: the packet has none
}

// maxVersions bounds what is kept of a Version Negotiation packet.
const maxVersions = 64

// ParseHeader reads the header of the first packet in b; rest is what was coalesced behind it (RFC 9000, Section 12.2). A short
// header, whose connection id has no length, gives PacketOneRTT and takes all of b. The error is a *PacketError with offsets
// in b.
func ParseHeader(b []byte, h *Header) (rest []byte, err error) {
	*h = Header{}
	r := reader{rest: b}
	first := r.u8()
	if r.failed {
		return nil, r.error(h)
	}
	if first&0x80 == 0 { // RFC 8999, Section 5.2
		if first&0x40 == 0 {
			return nil, &PacketError{Kind: ErrNotQUIC, Got: int(first)}
		}
		h.Type, h.Packet = PacketOneRTT, b
		return nil, nil
	}
	h.Version = Version(r.u32())
	h.DestinationID = r.bytes(int(r.u8()))
	h.SourceID = r.bytes(int(r.u8()))
	if r.failed {
		return nil, r.error(h)
	}
	if h.Version == VersionNegotiation {
		return nil, h.versionNegotiation(b, &r)
	}
	h.Type = typeOf(h.Version, first)
	if n := max(len(h.DestinationID), len(h.SourceID)); n > maxID {
		return nil, &PacketError{Kind: ErrID, Type: h.Type, Got: n, Want: maxID}
	}
	switch h.Type {
	case PacketRetry: // RFC 9000, Section 17.2.5: a token, and the integrity tag as the last 16 bytes
		if len(r.rest) < tagSize {
			return nil, &PacketError{Kind: ErrShort, Type: h.Type, Got: len(r.rest), Want: tagSize}
		}
		h.Token, h.Packet = r.rest[:len(r.rest)-tagSize], b
		return nil, nil
	case PacketInitial: // RFC 9000, Section 17.2.2
		h.Token = r.bytes(r.varintInt())
	}
	length := r.varintInt()
	if r.failed {
		return nil, r.error(h)
	}
	h.Number = len(b) - len(r.rest)
	if length > len(r.rest) {
		return nil, &PacketError{Kind: ErrLength, Type: h.Type, Got: length, Want: len(r.rest)}
	}
	h.Packet, rest = b[:h.Number+length], r.rest[length:]
	return rest, nil
}

// versionNegotiation reads the rest of a Version Negotiation packet (RFC 9000, Section 17.2.1).
func (h *Header) versionNegotiation(b []byte, r *reader) error {
	h.Type, h.Packet = PacketVersionNegotiation, b
	if len(r.rest) < 4 {
		return &PacketError{Kind: ErrShort, Type: h.Type, Got: len(r.rest), Want: 4}
	}
	n := min(len(r.rest)/4, maxVersions)
	h.Versions = make([]Version, n)
	for i := range h.Versions {
		h.Versions[i] = Version(binary.BigEndian.Uint32(r.rest[4*i:]))
	}
	return nil
}

// typeOf reads the long packet type: RFC 9000, Section 17.2, and RFC 9369, Section 3.2, where every number is one higher.
func typeOf(v Version, first byte) PacketType {
	n := first >> 4 & 3
	if v == Version2 {
		n = (n - 1) & 3
	}
	return [4]PacketType{PacketInitial, PacketZeroRTT, PacketHandshake, PacketRetry}[n]
}

// Recognize tells, without any cryptography, whether a datagram may belong to the beginning of a QUIC connection: it has the form
// of a packet with a long header of a version that has a meaning, of a Version Negotiation, or of Google's QUIC with a
// version in it. Packets with short headers are never recognized: they look like anything.
func Recognize(datagram []byte) (v Version, t PacketType, ok bool) {
	if len(datagram) < 7 {
		return 0, PacketUnknown, false
	}
	if v, ok := recognizeGQUIC(datagram); ok {
		return v, PacketGQUIC, true
	}
	v = Version(binary.BigEndian.Uint32(datagram[1:]))
	if datagram[0]&0x80 == 0 || v != VersionNegotiation && !v.known() {
		return 0, PacketUnknown, false
	}
	if v == VersionNegotiation {
		return v, PacketVersionNegotiation, recognizeNegotiation(datagram)
	}
	var h Header
	if _, err := ParseHeader(datagram, &h); err != nil {
		return 0, PacketUnknown, false
	}
	// What carries a packet number carries at least enough to sample (RFC 9001, Section 5.4.2).
	if h.Number > 0 && len(h.Packet) < h.Number+4+sampleSize {
		return 0, PacketUnknown, false
	}
	return v, h.Type, true
}

// recognizeNegotiation wants of a packet whose version is four zero bytes that one of the versions it lists is known: anything may
// have zeros.
func recognizeNegotiation(datagram []byte) bool {
	var h Header
	if _, err := ParseHeader(datagram, &h); err != nil || max(len(h.DestinationID), len(h.SourceID)) > maxID {
		return false
	}
	listed := len(datagram) - (7 + len(h.DestinationID) + len(h.SourceID))
	if listed%4 != 0 {
		return false
	}
	for _, v := range h.Versions {
		if v.known() {
			return true
		}
	}
	return false
}

// MayBegin tells whether a datagram has the form of a client's first one in a version that has no meaning here: what every version
// keeps to (RFC 8999, Section 5.1), in the size that the first datagram has (RFC 9000, Sections 7.2 and 14.1). Many things may look like
// that; a server's answer tells, see Flow.VersionNegotiation.
func MayBegin(datagram []byte) bool {
	if len(datagram) < minInitialDatagram || datagram[0]&0xc0 != 0xc0 {
		return false
	}
	v := Version(binary.BigEndian.Uint32(datagram[1:]))
	destination := int(datagram[5])
	if v == VersionNegotiation || v.known() || destination < minFirstID || destination > maxID {
		return false
	}
	return int(datagram[6+destination]) <= maxID
}

// minFirstID is the length of the connection id that a client makes up, at least (RFC 9000, Section 7.2).
const minFirstID = 8
