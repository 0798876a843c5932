package quicwire

import "encoding/binary"

// reader walks over bytes field by field. After the first field that does not fit it is empty and has failed.
type reader struct {
	rest   []byte
	failed bool
	got    int // bytes that were left, and wanted, where it failed
	want   int
}

func (r *reader) fail(want int) {
	if !r.failed {
		r.failed, r.got, r.want = true, len(r.rest), want
	}
	r.rest = nil
}

// error is what went wrong in the packet of h.
func (r *reader) error(h *Header) error {
	return &PacketError{Kind: ErrShort, Type: h.Type, Got: r.got, Want: r.want}
}

func (r *reader) u8() byte {
	if len(r.rest) < 1 {
		r.fail(1)
		return 0
	}
	v := r.rest[0]
	r.rest = r.rest[1:]
	return v
}

func (r *reader) u32() uint32 {
	if len(r.rest) < 4 {
		r.fail(4)
		return 0
	}
	v := binary.BigEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	return v
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) || r.failed {
		r.fail(n)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// varint reads a variable-length integer (RFC 9000, Section 16).
func (r *reader) varint() uint64 {
	if len(r.rest) < 1 {
		r.fail(1)
		return 0
	}
	n := 1 << (r.rest[0] >> 6)
	if len(r.rest) < n {
		r.fail(n)
		return 0
	}
	v := uint64(r.rest[0] & 0x3f)
	for _, c := range r.rest[1:n] {
		v = v<<8 | uint64(c)
	}
	r.rest = r.rest[n:]
	return v
}

// varintInt is varint for a length: what no datagram can hold becomes one more than any holds.
func (r *reader) varintInt() int {
	return int(min(r.varint(), 1<<20))
}
