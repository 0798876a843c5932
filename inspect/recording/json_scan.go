package recording

import (
	"encoding/binary"
	"math/bits"
)

// scan walks over the text of one JSON value (RFC 8259) and checks that it is one. It knows less than encoding/json: what it
// cannot judge at a glance it does not judge at all, and the line goes the plain way.
type scan struct {
	text  []byte
	at    int
	depth int
}

// maxDepth is where scan leaves nested values to the plain way; records have eight levels.
const maxDepth = 32

func (s *scan) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next is the byte behind white space; 0: none is left.
func (s *scan) next() byte {
	if s.at < len(s.text) && s.text[s.at] > ' ' {
		return s.text[s.at]
	}
	s.space()
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// Eight bytes at once: every byte 1, and the highest bit of every byte.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// text8 finds the bytes of a word that end a run of plain text in a string: control characters, '"' and '\'. The lowest bit
// that is set is right; higher ones need not be.
func text8(w uint64) uint64 {
	quote, slash := w^'"'*ones, w^'\\'*ones
	return ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & highs
}

// str takes a string, whose opening quote is next. Plain says that it is ASCII without escapes, so that the text is the value.
func (s *scan) str() (value []byte, plain, ok bool) {
	text, i := s.text, s.at+1
	start := i
	escaped, high := false, uint64(0)
	for {
		for i+8 <= len(text) {
			w := binary.LittleEndian.Uint64(text[i:])
			if end := text8(w); end != 0 {
				n := bits.TrailingZeros64(end) &^ 7
				high |= w & (1<<n - 1)
				i += n / 8
				break
			}
			high |= w
			i += 8
		}
		if i >= len(text) {
			return nil, false, false
		}
		switch c := text[i]; {
		case c == '"':
			s.at = i + 1
			return text[start:i], !escaped && high&highs == 0, true
		case c == '\\':
			escaped = true
			n := escape(text[i:])
			if n == 0 {
				return nil, false, false
			}
			i += n
		case c < ' ':
			return nil, false, false
		default: // among the last bytes of the text
			high |= uint64(c)
			i++
		}
	}
}

// escape is the length of the escape that b begins with; 0: it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if hexDigit(c) < 0 {
				return 0
			}
		}
		return 6
	}
	return 0
}

// value checks any value.
func (s *scan) value() bool {
	switch c := s.next(); c {
	case '"':
		_, _, ok := s.str()
		return ok
	case '{':
		return s.object(nil, elsewhere)
	case '[':
		return s.array()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return (c == '-' || '0' <= c && c <= '9') && s.number()
	}
}

func (s *scan) word(w string) bool {
	if len(s.text)-s.at < len(w) || string(s.text[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

func (s *scan) array() bool {
	if s.depth++; s.depth > maxDepth {
		return false
	}
	s.at++
	if s.next() == ']' {
		s.at++
		s.depth--
		return true
	}
	for {
		if !s.value() {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case ']':
			s.at++
			s.depth--
			return true
		default:
			return false
		}
	}
}

// number checks a number: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
func (s *scan) number() bool {
	if s.text[s.at] == '-' {
		s.at++
	}
	if s.at < len(s.text) && s.text[s.at] == '0' {
		s.at++
	} else if !s.digits() {
		return false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if !s.digits() {
			return false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		return s.digits()
	}
	return true
}

func (s *scan) digits() bool {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}
