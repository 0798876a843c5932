package quicwire

import (
	"errors"
	"fmt"
)

// ErrOtherConnection says that a datagram begins another connection between the same two addresses. Nothing of it was read: it
// belongs to a Flow of its own.
var ErrOtherConnection = errors.New("quicwire: the datagram begins another connection")

// PacketError says what of a datagram could not be read.
type PacketError struct {
	Kind   PacketErrorKind
	Type   PacketType // of the packet, as far as known
	Offset int        // of the packet in the datagram
	Got    int
	Want   int
}

// PacketErrorKind is the kind of a PacketError.
type PacketErrorKind uint8

// Kinds of packet errors.
const (
	ErrNotQUIC     PacketErrorKind = iota // no packet of a known form. Got: the first byte
	ErrShort                              // the header or a field ends early: Got bytes there, Want needed
	ErrLength                             // a length exceeds what is left: Got the length, Want what is left
	ErrID                                 // a connection id longer than its version allows (RFC 9000, Section 17.2)
	ErrVersion                            // a version whose keys are not known. Got: the version
	ErrNoKeys                             // the packet's keys cannot be derived from what was seen
	ErrNotOpened                          // the packet did not authenticate: damaged, or of another connection
	ErrFrame                              // a frame that the packet must not carry, or that is malformed. Got: its type, Want: where in the payload
	ErrRetryTag                           // a Retry whose integrity tag is wrong (RFC 9001, Section 5.8)
	ErrCryptoBound                        // CRYPTO data beyond the flow's bound: Got the end, Want the bound
	ErrRangeBound                         // more pieces of CRYPTO data out of order than the flow keeps: Got, Want
	ErrDatagrams                          // more datagrams than the flow looks into
)

// Error gives the place and both numbers.
func (e *PacketError) Error() string {
	head := fmt.Sprintf("quicwire: %s packet at byte %d: ", e.Type, e.Offset)
	switch e.Kind {
	case ErrNotQUIC:
		return fmt.Sprintf("quicwire: not QUIC: byte 0x%02X at %d begins no packet", e.Got, e.Offset)
	case ErrShort:
		return fmt.Sprintf("%sneeds %d bytes, has %d", head, e.Want, e.Got)
	case ErrLength:
		return fmt.Sprintf("%slength %d exceeds remaining %d", head, e.Got, e.Want)
	case ErrID:
		return fmt.Sprintf("%sconnection id of %d bytes, at most %d", head, e.Got, e.Want)
	case ErrVersion:
		return fmt.Sprintf("%skeys of version %s are not known", head, Version(e.Got))
	case ErrNoKeys:
		return head + "its keys cannot be derived from what was seen"
	case ErrNotOpened:
		return head + "does not authenticate"
	case ErrFrame:
		return fmt.Sprintf("%sframe 0x%02x at byte %d of the payload is malformed or not allowed", head, e.Got, e.Want)
	case ErrRetryTag:
		return head + "wrong integrity tag"
	case ErrCryptoBound:
		return fmt.Sprintf("%sCRYPTO data up to %d exceeds the bound %d", head, e.Got, e.Want)
	case ErrRangeBound:
		return fmt.Sprintf("%sCRYPTO data in %d pieces, at most %d", head, e.Got, e.Want)
	case ErrDatagrams:
		return fmt.Sprintf("quicwire: datagram %d of the connection, at most %d are looked into", e.Got, e.Want)
	}
	return head + "malformed"
}
