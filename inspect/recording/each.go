package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"
)

// Each reads the clients of a recording, in order, whatever its form; file names it in errors. It needs memory for a few
// entries at a time. A client is valid until the next one.
//
// An error is an *Error for an entry that gives no client, behind which reading goes on; anything else (a *FormError, or what
// reading returned) is the last.
func Each(r io.Reader, file string) iter.Seq2[*Client, error] {
	return func(yield func(*Client, error) bool) {
		s := stream{file: file, yield: yield}
		if err := s.read(r); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// errStopped says that whoever reads wants no more.
var errStopped = errors.New("stopped")

// stream is a recording that is read in order.
type stream struct {
	file    string
	yield   func(*Client, error) bool
	decoder decoder
	index   int64
}

func (s *stream) read(r io.Reader) error {
	in, form, err := open(r)
	if err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	return s.readForm(in, form)
}

func (s *stream) readForm(in *bufio.Reader, form Form) error {
	switch form {
	case FormEmpty:
		return nil
	case FormRecords:
		return s.lines(in, s.record)
	case FormHelloText:
		return s.hellos(in)
	case FormHelloBinary:
		return s.binary(in)
	}
	return &FormError{File: s.file, Form: form}
}

// maxWindow bounds how far back a zstd stream may refer, which is memory: what zstd --long makes and reads without being told more.
const maxWindow = 128 << 20

// open looks at the form of r, and through a compression.
func open(r io.Reader) (*bufio.Reader, Form, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	form, err := peek(in)
	if err != nil || form != FormGzip && form != FormZstd {
		return in, form, err
	}
	var plain io.Reader
	if form == FormGzip {
		plain, err = gzip.NewReader(in)
	} else {
		// With one at a time the decoder starts no goroutine, and there is nothing to close.
		plain, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	}
	if err != nil {
		return nil, 0, err
	}
	in = bufio.NewReaderSize(plain, 64<<10)
	if form, err = peek(in); form == FormGzip || form == FormZstd {
		form = FormUnknown // compressed twice is nobody's recording
	}
	return in, form, err
}

// Open looks at the form of a recording, also through a compression, and gives what is to be read of it: not compressed, from its
// beginning. It is for whoever reads a form of its own, such as FormCapture; Each and Tally.Read look by themselves.
func Open(r io.Reader, file string) (io.Reader, Form, error) {
	in, form, err := open(r)
	if err != nil {
		return nil, form, fmt.Errorf("%s: %w", file, err)
	}
	if form == FormUnknown {
		return nil, form, &FormError{File: file, Form: form}
	}
	return in, form, nil
}

// peek passes over a byte order mark, and over white space up to where something is to be seen.
func peek(in *bufio.Reader) (Form, error) {
	head, err := in.Peek(DetectBytes)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return 0, err // behind some bytes it comes again when they are read
	}
	form := Detect(head)
	if form == FormEmpty && len(head) == DetectBytes {
		form = FormHelloText // much white space: the lines will tell
	}
	return form, nil
}

// lines hands every line that is not blank to take.
func (s *stream) lines(in io.Reader, take func(line []byte, number, offset int64) error) error {
	source := blocks{r: in}
	var b block
	for {
		if err := source.next(&b); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
		if b.tooLong {
			if err := s.refuse(Malformed, errTooLong, b.line, b.offset); err != nil {
				return err
			}
			continue
		}
		number, offset := b.line, b.offset
		for rest := b.text; len(rest) > 0; number++ {
			line, after := cutLine(rest)
			if offset == 0 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			var err error
			if len(line) > maxLine {
				err = s.refuse(Malformed, errTooLong, number, offset)
			} else {
				err = take(line, number, offset)
			}
			if err != nil {
				return err
			}
			offset += int64(len(rest) - len(after))
			rest = after
		}
	}
}

// refuse hands on an entry that gives no client.
func (s *stream) refuse(reason Reason, err error, line, offset int64) error {
	e := &Error{File: s.file, Line: line, Offset: offset, Index: s.index, Reason: reason, Err: err}
	s.index++
	if !s.yield(nil, e) {
		return errStopped
	}
	return nil
}

// entry hands on what the decoder made of an entry.
func (s *stream) entry(reason Reason, err error, line, offset int64) error {
	if reason != entryAccepted {
		return s.refuse(reason, err, line, offset)
	}
	c := &s.decoder.client
	c.Index, c.Line, c.Offset = s.index, line, offset
	s.index++
	if !s.yield(c, nil) {
		return errStopped
	}
	return nil
}

func (s *stream) record(line []byte, number, offset int64) error {
	if blank(line) || ofCanary(line) {
		return nil
	}
	reason, err := s.decoder.record(line)
	return s.entry(reason, err, number, offset)
}

// hello reads a hello's message.
func (s *stream) hello(msg []byte, sslv2 bool, line, offset int64) error {
	s.decoder.client = Client{}
	reason, err := s.decoder.parse(msg, sslv2)
	return s.entry(reason, err, line, offset)
}

// hellos reads hellos in digits. A blank line or a comment ("#") ends one that is not whole.
func (s *stream) hellos(in io.Reader) error {
	var text helloText
	end := func() error {
		if !text.begun() {
			return nil
		}
		line, offset := text.line, text.offset
		text.line = 0
		return s.refuse(Malformed, errCut, line, offset)
	}
	err := s.lines(in, func(line []byte, number, offset int64) error {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			return end()
		}
		msg, sslv2, done, err := text.add(line, number, offset)
		if err != nil && text.line != number {
			// What began on lines before is not continued by this one, which may begin anew.
			if err := end(); err != nil {
				return err
			}
			msg, sslv2, done, err = text.add(line, number, offset)
		}
		if !done {
			return nil
		}
		line0, offset0 := text.line, text.offset
		text.line = 0
		if err != nil {
			return s.refuse(Malformed, err, line0, offset0)
		}
		return s.hello(msg, sslv2, line0, offset0)
	})
	if err != nil {
		return err
	}
	return end()
}

// binary reads hellos as bytes, one behind the other. Records of other types between them are passed over, and what a client
// sends in handshake records behind its hello ends the reading: it cannot be told from ciphertext.
func (s *stream) binary(in *bufio.Reader) error {
	var pending, buf []byte
	offset, need := int64(0), 5
	for {
		pending = grow(pending, need)
		n, err := io.ReadFull(in, pending[len(pending):need])
		pending = pending[:len(pending)+n]
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: %w", s.file, err)
		}
		if len(pending) == 0 || s.index > 0 && len(pending) < need && len(bytes.TrimSpace(pending)) == 0 {
			return nil
		}
		if len(pending) < need {
			return s.refuse(Malformed, errCut, 0, offset)
		}
		if s.index > 0 && pending[0] >= 0x14 && pending[0] <= 0x17 && pending[0] != 0x16 && pending[1] == 3 {
			need = 5 + int(pending[3])<<8 + int(pending[4])
			if len(pending) >= need {
				offset += int64(need)
				pending, need = append(pending[:0], pending[need:]...), 5
			}
			continue
		}
		msg, used, more, sslv2, err := frame(pending, buf)
		switch {
		case err != nil && s.index > 0 && errors.Is(err, errNoHello) && pending[0] == 0x16:
			return nil
		case err != nil:
			return s.refuse(Malformed, err, 0, offset)
		case used == 0 && more > maxFramed:
			return s.refuse(Malformed, errHelloMax, 0, offset)
		case used == 0:
			need = more
			continue
		}
		if err := s.hello(msg, sslv2, 0, offset); err != nil {
			return err
		}
		offset += int64(used)
		pending, need = append(pending[:0], pending[used:]...), 5
	}
}

// grow makes room for n bytes in all.
func grow(b []byte, n int) []byte {
	if cap(b) >= n {
		return b
	}
	return append(make([]byte, 0, max(n, 4096)), b...)
}
