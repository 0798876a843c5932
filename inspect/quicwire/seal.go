package quicwire

import "encoding/binary"

// sealedNumber is how many bytes of a packet number are sent: all that fit, so that a receiver never has to guess.
const sealedNumber = 4

// SealedOverhead is what a sealed packet has beside its ids, its token and its frames, at most: the first byte, the version, the
// lengths of ids and token, its own length, the packet number and the tag.
const SealedOverhead = 1 + 4 + 2 + 4 + 4 + sealedNumber + tagSize

// Seal appends an Initial or Handshake packet to dst and protects it (RFC 9000, Section 17.2; RFC 9001, Sections 5.3 and 5.4). Of h
// its type, version, ids and token count. frames must not be empty, and with the number be at least four bytes, which padding makes
// sure of (RFC 9001, Section 5.4.2). A type that has no keys of its own gives dst unchanged.
func (k *Keys) Seal(dst []byte, h *Header, number uint64, frames []byte) []byte {
	bits, ok := typeBits(h)
	length := sealedNumber + len(frames) + tagSize
	if !ok || h.Type == PacketRetry || len(h.DestinationID) > maxID || len(h.SourceID) > maxID || length > 1<<14-1 {
		return dst
	}
	start := len(dst)
	dst = appendLong(dst, 0xC0|bits<<4|sealedNumber-1, h)
	if h.Type == PacketInitial {
		dst = append(AppendVarint(dst, uint64(len(h.Token))), h.Token...)
	}
	dst = append(dst, 0x40|byte(length>>8), byte(length))
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(number))
	nonce := k.iv
	for i := range 8 {
		nonce[4+i] ^= byte(number >> (56 - 8*i))
	}
	header := append([]byte(nil), dst[start:]...)
	dst = k.aead.Seal(dst, nonce[:], frames, header)
	mask := k.mask(dst[at+4 : at+4+sampleSize])
	dst[start] ^= mask[0] & 0x0F
	for i := range sealedNumber {
		dst[at+i] ^= mask[1+i]
	}
	return dst
}

// AppendRetry appends a Retry packet, which answers an Initial packet that a client sent to originalID (RFC 9000, Section 17.2.5; RFC 9001,
// Section 5.8). Of h its version, ids and token count. A version whose Retry has no integrity tag gives dst unchanged.
func AppendRetry(dst []byte, h *Header, originalID []byte) []byte {
	retry := Header{Type: PacketRetry, Version: h.Version, DestinationID: h.DestinationID, SourceID: h.SourceID}
	bits, _ := typeBits(&retry)
	if key, _ := retryKeys(h.Version); key == "" || max(len(h.DestinationID), len(h.SourceID), len(originalID)) > maxID {
		return dst
	}
	start := len(dst)
	dst = append(appendLong(dst, 0xCF|bits<<4, &retry), h.Token...)
	return append(dst, retryTag(h.Version, originalID, dst[start:])...)
}

// appendLong appends what all packets with a long header begin with.
func appendLong(dst []byte, first byte, h *Header) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, first), uint32(h.Version))
	dst = append(append(dst, byte(len(h.DestinationID))), h.DestinationID...)
	return append(append(dst, byte(len(h.SourceID))), h.SourceID...)
}

// typeBits are the type bits of a packet that can be made, which version 2 has in another order (RFC 9369, Section 3.2).
func typeBits(h *Header) (bits byte, ok bool) {
	switch h.Type {
	case PacketInitial:
		bits = 0
	case PacketHandshake:
		bits = 2
	case PacketRetry:
		bits = 3
	default:
		return 0, false
	}
	if h.Version == Version2 {
		bits = (bits + 1) & 3
	}
	return bits, true
}

// AppendVarint appends a variable-length integer (RFC 9000, Section 16); v is less than 2^62.
func AppendVarint(dst []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(dst, byte(v))
	case v < 1<<14:
		return binary.BigEndian.AppendUint16(dst, uint16(v)|1<<14)
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(dst, uint32(v)|2<<30)
	}
	return binary.BigEndian.AppendUint64(dst, v|3<<62)
}

// AppendCrypto appends a CRYPTO frame (RFC 9000, Section 19.6).
func AppendCrypto(dst []byte, offset int, data []byte) []byte {
	dst = AppendVarint(AppendVarint(append(dst, frameCrypto), uint64(offset)), uint64(len(data)))
	return append(dst, data...)
}

// AppendACK appends an ACK frame for one packet (RFC 9000, Section 19.3).
func AppendACK(dst []byte, number uint64) []byte {
	return append(AppendVarint(append(dst, frameACK), number), 0, 0, 0) // no delay, no further ranges, one packet
}

// AppendClose appends a CONNECTION_CLOSE frame of the transport without a reason (RFC 9000, Section 19.19).
func AppendClose(dst []byte, code uint64) []byte {
	return append(AppendVarint(append(dst, frameClose), code), 0, 0)
}

// Whole are the handshake bytes of one side at one level from the beginning, as far as they are without a gap: whole messages and
// perhaps the beginning of one. They must not be changed. Unlike Next, it can be called from Secrets.
func (f *Flow) Whole(from Side, level Level) []byte {
	s := &f.crypto[from][level]
	return s.buf[:s.contiguous()]
}

// Highest is the highest packet number of a side at a level that was opened; ok is false before the first one.
func (f *Flow) Highest(from Side, level Level) (number uint64, ok bool) {
	next := f.expected[from][level]
	return next - 1, next > 0
}
