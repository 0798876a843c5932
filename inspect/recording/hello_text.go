package recording

import "bytes"

// digits turns hexadecimal or base64 text into bytes, in portions. What the text is in is told from the beginning: a hello in
// hexadecimal begins with two digits of a handshake record, of a handshake type or of an SSLv2 length, while one in base64 has a
// letter behind F among its first three.
type digits struct {
	out    []byte
	base64 bool
	begun  bool
	carry  uint32
	bits   uint
	padded bool
}

func (d *digits) reset() { *d = digits{out: d.out[:0]} }

// add reads a portion; false: it holds what is neither.
func (d *digits) add(text []byte) bool {
	text = bytes.Trim(text, " \t\r\"',;")
	if !d.begun && len(text) > 0 {
		d.begun, d.base64 = true, looksLikeBase64(text)
	}
	if d.base64 {
		return d.addBase64(text)
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c == '0' || c == '\\') && i+1 < len(text) && text[i+1]|0x20 == 'x' && d.bits == 0 {
			i++
			continue
		}
		switch c {
		case ' ', '\t', ':', ',', '-':
			if d.bits != 0 {
				return false
			}
			continue
		}
		v := hexDigit(c)
		if v < 0 {
			return false
		}
		if d.bits == 0 {
			d.carry, d.bits = uint32(v), 4
			continue
		}
		d.out, d.bits = append(d.out, byte(d.carry<<4|uint32(v))), 0
	}
	return true
}

func looksLikeBase64(text []byte) bool {
	for _, c := range text[:min(3, len(text))] {
		switch c {
		case ' ', '\t', ':', ',', '-', '\\', 'x', 'X':
			return false
		}
		if hexDigit(c) < 0 {
			return true
		}
	}
	return false
}

// addBase64 reads both alphabets of RFC 4648, with padding or without.
func (d *digits) addBase64(text []byte) bool {
	for _, c := range text {
		if c == '=' {
			d.padded = true
			continue
		}
		v := base64Digit(c)
		if v < 0 || d.padded {
			return false
		}
		d.carry, d.bits = d.carry<<6|uint32(v), d.bits+6
		if d.bits >= 8 {
			d.bits -= 8
			d.out = append(d.out, byte(d.carry>>d.bits))
			d.carry &= 1<<d.bits - 1
		}
	}
	return true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func base64Digit(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

// helloText collects the lines of hellos: one to a line, or one over several.
type helloText struct {
	digits digits
	need   int   // bytes that are needed before it is worth looking
	line   int64 // where the hello began; 0: none has begun
	offset int64
}

// begun reports whether lines of a hello wait for more.
func (h *helloText) begun() bool { return h.line != 0 }

// add takes a line that is neither blank nor a comment. done: the hello is whole or will never be.
func (h *helloText) add(text []byte, line, offset int64) (msg []byte, sslv2, done bool, err error) {
	if !h.begun() {
		h.digits.reset()
		h.line, h.offset, h.need = line, offset, 5
	}
	if !h.digits.add(text) {
		return nil, false, true, errDigits
	}
	for len(h.digits.out) >= h.need {
		var used int
		msg, used, h.need, sslv2, err = frame(h.digits.out, nil)
		if used > 0 || err != nil {
			return msg, sslv2, true, err
		}
		if h.need > maxFramed {
			return nil, false, true, errHelloMax
		}
	}
	return nil, false, false, nil
}
