package revocation

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
)

// stream reads DER from a reader without keeping it, and copies what passes to another writer: the hash of what is signed.
type stream struct {
	r      *bufio.Reader
	signed io.Writer // nil: what passes is not signed
	err    error     // of the reader: why there is no more
}

// frame is the inside of one element: so many bytes are left of it.
type frame struct {
	s    *stream
	left int64
}

var errShort = errors.New("an element is longer than the one around it")

// take reads exactly n bytes into buf, which grows if it must.
func (f *frame) take(buf []byte, n int64) ([]byte, error) {
	if n > f.left {
		return nil, errShort
	}
	f.left -= n
	from := len(buf)
	for n > 0 {
		// Claimed lengths are believed piecemeal: memory follows what arrives.
		step := min(n, 4096)
		buf = append(buf, make([]byte, step)...)
		if _, err := io.ReadFull(f.s.r, buf[len(buf)-int(step):]); err != nil {
			f.s.err = err
			return nil, fmt.Errorf("cut short: %w", noEOF(err))
		}
		n -= step
	}
	if f.s.signed != nil {
		if _, err := f.s.signed.Write(buf[from:]); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// header reads a tag and a length, as DER has them: definite and minimal.
func (f *frame) header(buf []byte) (whole []byte, tag byte, length int64, err error) {
	from := len(buf)
	if buf, err = f.take(buf, 2); err != nil {
		return nil, 0, 0, err
	}
	tag, first := buf[from], buf[from+1]
	if tag&0x1f == 0x1f {
		return nil, 0, 0, fmt.Errorf("tag %#x has a high number", tag)
	}
	if first < 0x80 {
		return buf, tag, int64(first), f.holds(int64(first))
	}
	n := int64(first & 0x7f)
	if n == 0 || n > 4 {
		return nil, 0, 0, fmt.Errorf("length in %d octets: indefinite or absurd", n)
	}
	if buf, err = f.take(buf, n); err != nil {
		return nil, 0, 0, err
	}
	for _, b := range buf[from+2:] {
		length = length<<8 | int64(b)
	}
	if length < 0x80 || n > 1 && length < 1<<(8*(n-1)) {
		return nil, 0, 0, fmt.Errorf("length %d is not written as short as it can be", length)
	}
	return buf, tag, length, f.holds(length)
}

func (f *frame) holds(length int64) error {
	if length > f.left {
		return errShort
	}
	return nil
}

// element reads one whole element of at most limit bytes into buf.
func (f *frame) element(buf []byte, limit int64) (whole []byte, tag byte, err error) {
	whole, tag, length, err := f.header(buf)
	if err != nil {
		return nil, 0, err
	}
	if length > limit {
		return nil, 0, fmt.Errorf("element of %d bytes exceeds %d", length, limit)
	}
	whole, err = f.take(whole, length)
	return whole, tag, err
}

// enter goes into an element. Leave it only when it is used up.
func (f *frame) enter(length int64) *frame {
	f.left -= length
	return &frame{s: f.s, left: length}
}

// peek is the next tag; 0 at the end.
func (f *frame) peek() (byte, error) {
	if f.left == 0 {
		return 0, nil
	}
	b, err := f.s.r.Peek(1)
	if err != nil {
		f.s.err = err
		return 0, fmt.Errorf("cut short: %w", noEOF(err))
	}
	return b[0], nil
}

// noEOF is an end that came too soon.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// inside is the content of an element read by element.
func inside(whole []byte) cryptobyte.String {
	var content cryptobyte.String
	in := cryptobyte.String(whole)
	if !in.ReadAnyASN1(&content, nil) {
		return nil
	}
	return content
}
