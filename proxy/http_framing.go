package proxy

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
)

// Reasons to refuse a request for how the end of its body is told (RFC 9112, Section 6.1). net/http settles these cases by itself and takes the
// field away that it does not believe: a handler would never know.
var (
	errTwoFramings = errors.New("Content-Length and Transfer-Encoding in one request")
	errOldFraming  = errors.New("Transfer-Encoding in a request of HTTP/1.0")
)

// framingWatch follows the requests of a connection of HTTP/1 in what is read, however it is cut into pieces, and finds those that servers
// disagree about where they end. Where it cannot follow net/http refuses the request and ends the connection.
type framingWatch struct {
	in      framingState
	left    int64  // bytes of the body or the chunk still to come
	pending []byte // of the header, or a line, that was cut
	read    int    // headers

	wrong   atomic.Pointer[wrongFraming] // the last request that is followed
	unended atomic.Bool                  // what was read ends within the body of a request, as far as it can be followed
}

// wrongFraming is a fault of the request with that number.
type wrongFraming struct {
	number int
	why    error
}

type framingState uint8

const (
	inHeader framingState = iota
	inBody
	inChunkSize
	inChunk
	inChunkEnd
	inTrailers
	inUnknown // not followed any more
)

// judge is what is wrong with a request, by its number on the connection.
func (w *framingWatch) judge(number int) error {
	if wrong := w.wrong.Load(); wrong != nil && wrong.number == number {
		return wrong.why
	}
	return nil
}

// see looks at the next bytes.
func (w *framingWatch) see(b []byte) {
	for len(b) > 0 && w.in != inUnknown {
		switch w.in {
		case inHeader:
			b = w.header(b)
		case inBody, inChunk:
			n := min(w.left, int64(len(b)))
			b, w.left = b[n:], w.left-n
			switch {
			case w.left > 0:
			case w.in == inChunk:
				w.in = inChunkEnd
			default:
				w.in = inHeader
			}
		default:
			line, rest, whole := w.line(b)
			if b = rest; whole {
				w.chunkLine(line)
			}
		}
	}
	if unended := w.in != inHeader; unended != w.unended.Load() {
		w.unended.Store(unended)
	}
}

// line takes a line from b, or keeps what there is of it.
func (w *framingWatch) line(b []byte) (line, rest []byte, whole bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 || len(w.pending) > 0 {
		upTo := i + 1
		if i < 0 {
			upTo = len(b)
		}
		w.pending = append(w.pending, b[:upTo]...)
		if len(w.pending) > maxRequestHeader {
			w.in, w.pending = inUnknown, nil
		}
		if i < 0 {
			return nil, nil, false
		}
		line, w.pending = w.pending, nil
		return bytes.TrimRight(line, "\r\n"), b[upTo:], w.in != inUnknown
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), b[i+1:], true
}

// chunkLine is the next line of a body in chunks.
func (w *framingWatch) chunkLine(line []byte) {
	switch w.in {
	case inChunkSize:
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimRight(size, " \t")), 16, 63)
		switch {
		case err != nil:
			w.in = inUnknown
		case n == 0:
			w.in = inTrailers
		default:
			w.in, w.left = inChunk, int64(n)
		}
	case inChunkEnd:
		if w.in = inChunkSize; len(line) > 0 {
			w.in = inUnknown
		}
	case inTrailers:
		if len(line) == 0 {
			w.in = inHeader
		}
	}
}

// header reads a header, and judges it when it is whole.
func (w *framingWatch) header(b []byte) (rest []byte) {
	if len(w.pending) == 0 {
		b = bytes.TrimLeft(b, "\r\n") // RFC 9112, Section 2.2
		if n := headerEnd(b, 0); n > 0 {
			w.settle(b[:n])
			return b[n:]
		}
		w.pending = append(w.pending, b...)
	} else {
		had := len(w.pending)
		w.pending = append(w.pending, b...)
		if n := headerEnd(w.pending, max(0, had-len("\r\n\r"))); n > 0 {
			w.settle(w.pending[:n])
			w.pending = nil
			return b[n-had:]
		}
	}
	if len(w.pending) > 2*maxRequestHeader {
		w.in, w.pending = inUnknown, nil
	}
	return nil
}

// headerEnd is the length of the header that b begins with, up to and with the empty line; 0: it is not whole. The empty line is looked for
// from a place on.
func headerEnd(b []byte, from int) int {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0
		}
		from += i + 1
		switch next := b[from:]; {
		case bytes.HasPrefix(next, []byte("\n")):
			return from + 1
		case bytes.HasPrefix(next, []byte("\r\n")):
			return from + 2
		}
	}
}

// settle judges a header and finds what follows it.
func (w *framingWatch) settle(header []byte) {
	w.read++
	first, fields, _ := bytes.Cut(header, []byte("\n"))
	coded, long, length := false, false, ""
	for line := range bytes.Lines(fields) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case len(name) == len("Transfer-Encoding") && strings.EqualFold(string(name), "Transfer-Encoding"):
			coded = true
		case len(name) == len("Content-Length") && strings.EqualFold(string(name), "Content-Length"):
			long, length = true, string(bytes.TrimSpace(value))
		}
	}
	old := bytes.HasSuffix(bytes.TrimRight(first, "\r\n"), []byte(" HTTP/1.0"))
	switch {
	case coded && old:
		w.fault(errOldFraming)
	case coded && long:
		w.fault(errTwoFramings)
	case coded:
		w.in = inChunkSize
	case long:
		n, err := strconv.ParseUint(length, 10, 63)
		if w.in, w.left = inBody, int64(n); err != nil {
			w.in = inUnknown
		} else if n == 0 {
			w.in = inHeader
		}
	}
}

// fault notes a request that must be refused. The connection ends with it.
func (w *framingWatch) fault(why error) {
	w.wrong.Store(&wrongFraming{w.read, why})
	w.in = inUnknown
}

// midHeader reports whether a header has begun, as far as it can be followed.
func (w *framingWatch) midHeader() bool {
	return w.in == inUnknown || w.in == inHeader && len(w.pending) > 0
}
