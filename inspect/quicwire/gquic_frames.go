package quicwire

import "encoding/binary"

// Frames of Google's QUIC (Q050, T050, T051), whose Initial packets are protected like everybody's but filled otherwise. Numbers that are
// no variable-length integers are big-endian.
const (
	googleClose   = 0x02
	googlePing    = 0x07
	googleCrypto  = 0x08
	googleACK     = 0x40 // to 0x7f: 0b01nullmm
	googleACKMore = 0x20 // n: more than one range
)

// speaksGoogleFrames reports whether a version's frames are Google's.
func (v Version) speaksGoogleFrames() bool { return v.GQUIC() || v.googleTLS() }

// googleFrames is frames for Google's versions.
func (f *Flow) googleFrames(from Side, level Level, payload []byte) *PacketError {
	r := reader{rest: payload}
	for len(r.rest) > 0 {
		at := len(payload) - len(r.rest)
		switch t := r.u8(); {
		case t == framePadding, t == googlePing:
		case t == googleCrypto:
			offset := r.varint()
			data := r.bytes(r.varintInt())
			if r.failed {
				break
			}
			f.stats[from].CryptoFrames++
			if err := f.crypto[from][level].add(offset, data, f.datagrams, f.maxCrypto(level)); err != nil {
				return err
			}
		case t == googleClose:
			f.readGoogleClose(from, level, &r)
		case t&0xc0 == googleACK:
			r.skipGoogleACK(t)
		default:
			return &PacketError{Kind: ErrFrame, Got: int(t), Want: at}
		}
		if r.failed {
			return &PacketError{Kind: ErrFrame, Got: int(payload[at]), Want: at}
		}
	}
	if from == FromClient && f.gquic == nil && f.versions[FromClient].GQUIC() {
		f.googleHello()
	}
	return nil
}

// googleHello reads the CHLO of a version that sends it in CRYPTO frames, once its values are there.
func (f *Flow) googleHello() {
	b := f.crypto[FromClient][LevelInitial].whole()
	if n := chloLength(b); n == 0 || n > len(b) {
		return
	}
	if h, ok := findCHLO(b); ok {
		h.Version = f.versions[FromClient]
		f.gquic = h
	}
}

// chloLength is the length of a CHLO, by the end of its last value; 0 if b is not long enough to tell.
func chloLength(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	n := int(binary.LittleEndian.Uint16(b[4:]))
	if n == 0 || len(b) < 8+8*n {
		return 0
	}
	return 8 + 8*n + int(binary.LittleEndian.Uint32(b[8*n+4:]))
}

// readGoogleClose reads a CONNECTION_CLOSE frame: an error code of four bytes and a reason with two bytes of length.
func (f *Flow) readGoogleClose(from Side, level Level, r *reader) {
	code := r.u32()
	length := r.bytes(2)
	if r.failed {
		return
	}
	reason := r.bytes(int(binary.BigEndian.Uint16(length)))
	if !r.failed {
		f.keepClose(Close{From: from, Level: level, Google: true, Code: uint64(code)}, reason)
	}
}

// skipGoogleACK reads over an ACK frame: largest acknowledged, delay, ranges, and times of receipt.
func (r *reader) skipGoogleACK(t byte) {
	size := func(bits byte) int { return []int{1, 2, 4, 6}[bits&3] }
	r.bytes(size(t>>2) + 2)
	more := 0
	if t&googleACKMore != 0 {
		more = int(r.u8())
	}
	r.bytes(size(t) + more*(1+size(t)))
	if times := int(r.u8()); times > 0 {
		r.bytes(5 + 3*(times-1))
	}
}
