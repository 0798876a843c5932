package quicwire

import "bytes"

// Bounds of a CRYPTO stream.
const (
	maxRanges = 64 // pieces out of order that a stream keeps apart; browsers scatter a hello over some twenty
	maxAhead  = 32 << 10
)

// span is a part of a stream, end excluded.
type span struct{ begin, end int }

// cryptoStream puts the CRYPTO frames of one side at one level in order (RFC 9000, Section 19.6).
type cryptoStream struct {
	buf       []byte
	spans     []span // what of buf is filled: sorted, disjoint, not touching
	read      int    // bytes handed out as messages
	frames    int    // that brought something new, since the last message was handed out
	datagrams int
	before    []byte // what was handed out before the handshake began anew, and is not handed out again
	last      int    // number of the datagram that the last frame came in
}

// add puts a frame's data in its place. Where data is there already it stays: both are authenticated, so they are equal, or the sender
// breaks RFC 9000, Section 2.2.
func (s *cryptoStream) add(offset uint64, data []byte, datagram, bound int) *PacketError {
	if len(data) == 0 {
		return nil
	}
	end := offset + uint64(len(data))
	bound = min(bound, s.contiguous()+maxAhead)
	if end > uint64(bound) {
		return &PacketError{Kind: ErrCryptoBound, Got: int(min(end, 1<<31-1)), Want: bound}
	}
	fresh, err := s.insert(int(offset), data)
	if fresh {
		s.frames++
		if s.datagrams == 0 || s.last != datagram {
			s.datagrams++
			s.last = datagram
		}
	}
	return err
}

// insert copies what of data fills gaps.
func (s *cryptoStream) insert(begin int, data []byte) (fresh bool, err *PacketError) {
	end := begin + len(data)
	// first and past enclose the spans that the new one touches; they become one.
	first := 0
	for first < len(s.spans) && s.spans[first].end < begin {
		first++
	}
	past, merged := first, span{begin, end}
	at := begin // what is before it is filled
	if first == len(s.spans) || s.spans[first].begin > end {
		if len(s.spans) >= maxRanges {
			return false, &PacketError{Kind: ErrRangeBound, Got: len(s.spans) + 1, Want: maxRanges}
		}
	}
	if end > len(s.buf) {
		s.grow(end)
	}
	for ; past < len(s.spans) && s.spans[past].begin <= end; past++ {
		have := s.spans[past]
		if at < have.begin {
			copy(s.buf[at:have.begin], data[at-begin:])
			fresh = true
		}
		at = max(at, have.end)
		merged = span{min(merged.begin, have.begin), max(merged.end, have.end)}
	}
	if at < end {
		copy(s.buf[at:end], data[at-begin:])
		fresh = true
	}
	if s.spans == nil {
		s.spans = make([]span, 0, 8)
	}
	if first == past {
		s.spans = append(s.spans, span{})
		copy(s.spans[first+1:], s.spans[first:])
	} else {
		s.spans = append(s.spans[:first+1], s.spans[past:]...)
	}
	s.spans[first] = merged
	return fresh, nil
}

// grow makes room up to end. What was handed out stays where it is, in the old array if there is a new one.
func (s *cryptoStream) grow(end int) {
	if end <= cap(s.buf) {
		s.buf = s.buf[:end]
		return
	}
	grown := make([]byte, end, max(end, 2*cap(s.buf), 2048))
	copy(grown, s.buf)
	s.buf = grown
}

// contiguous is how far the stream has come without a gap.
func (s *cryptoStream) contiguous() int {
	if len(s.spans) > 0 && s.spans[0].begin == 0 {
		return s.spans[0].end
	}
	return 0
}

// peek is the next whole handshake message (RFC 8446, Section 4: a type and three bytes of length), without handing it out.
func (s *cryptoStream) peek() []byte {
	have := s.buf[s.read:max(s.read, s.contiguous())]
	if len(have) < messageHeader {
		return nil
	}
	n := messageLength(have)
	if n > len(have) {
		return nil
	}
	return have[:n:n]
}

const messageHeader = 4

func messageLength(b []byte) int { return messageHeader + int(b[1])<<16 + int(b[2])<<8 + int(b[3]) }

// next hands out a whole message.
func (s *cryptoStream) next(m *Message) bool {
	b := s.peek()
	if b == nil {
		return false
	}
	s.read += len(b)
	if len(s.before) > 0 && s.read == len(b) && bytes.Equal(s.before, b) {
		s.before = nil
		return s.next(m)
	}
	m.Type, m.Bytes, m.Frames, m.Datagrams = b[0], b, s.frames, s.datagrams
	if s.read == len(s.buf) {
		s.frames, s.datagrams = 0, 0
	}
	return true
}

// partial is what there is of a message that is not whole, and its length with the header as far as that is known.
func (s *cryptoStream) partial() (have []byte, announced int) {
	have = s.buf[s.read:max(s.read, s.contiguous())]
	if len(have) >= messageHeader {
		announced = messageLength(have)
	}
	return have, announced
}

// whole is all that has come without a gap, handed out or not.
func (s *cryptoStream) whole() []byte { return s.buf[:s.contiguous()] }
