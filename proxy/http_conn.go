package proxy

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// frontConn is a client's connection as the HTTP servers have it, above TLS. It notices what these answer by themselves to a client
// that breaks the rules, of which nobody else would hear: no request comes of it.
type frontConn struct {
	net.Conn // a *tls.Conn, of which the servers see no more than that it is a connection
	session  *httpSession
	frames   *frameWatch   // of HTTP/2; nil: HTTP/1
	framing  *framingWatch // of HTTP/1; nil: HTTP/2
	leading  int           // bytes of an empty line before the first request; -1: that has begun

	read   atomic.Int64 // bytes
	parsed atomic.Int64 // of them, when a request began or ended last
	asking atomic.Int32 // requests that are being answered
	told   atomic.Bool  // the client has its last answer

	switched atomic.Bool // to another protocol
	cut      atomic.Bool // an answer did not come to its end, and must not look as if it did

	deadlines deadlines // of HTTP/1

	batch   *batch    // of HTTP/2
	until   time.Time // when what is being written of it must be
	closing atomic.Bool
}

func newFrontConn(conn *tls.Conn, session *httpSession) *frontConn {
	f := &frontConn{Conn: conn, session: session}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		f.frames = new(frameWatch)
		f.batch = newBatch(conn)
		f.batch.patient = f.extend
	} else {
		f.framing = new(framingWatch)
	}
	return f
}

// begin and end are called for each request.
func (f *frontConn) begin() {
	if f != nil {
		f.asking.Add(1)
		f.parsed.Store(f.read.Load())
	}
}

func (f *frontConn) end() {
	if f != nil {
		f.parsed.Store(f.read.Load())
		f.asking.Add(-1)
	}
}

// misframed says what is wrong with how a request tells its end.
func (f *frontConn) misframed(number int) error {
	if f == nil || f.framing == nil {
		return nil
	}
	return f.framing.judge(number)
}

func (f *frontConn) Read(b []byte) (int, error) {
	var n int
	var err error
	if f.frames != nil {
		n, err = f.Conn.Read(b)
		f.read.Add(int64(n))
	} else if n, err = f.read1(b); err == os.ErrDeadlineExceeded { //nolint:errorlint // an error of the socket wraps it, and is another
		return 0, err
	}
	if f.framing != nil && !f.switched.Load() {
		f.framing.see(b[:n])
	}
	if err != nil && f.frames == nil && errors.Is(err, os.ErrDeadlineExceeded) && f.asking.Load() == 0 && f.read.Load() > f.parsed.Load() && f.framing.midHeader() {
		f.parsed.Store(f.read.Load())
		f.slow()
	}
	if err != nil {
		f.session.clientEnded(err)
	}
	return n, err
}

// The bytes of an empty line before the first request.
const maxLeading = 2

// read1 reads what a client of HTTP/1 sends, without the empty line that some begin with (RFC 9112, Section 2.2). net/http itself passes one over
// behind a POST only.
func (f *frontConn) read1(b []byte) (int, error) {
	for {
		n, err := f.timed(b)
		f.read.Add(int64(n))
		if f.leading < 0 || n == 0 {
			return n, err
		}
		skip := 0
		for skip < n && f.leading < maxLeading && (b[skip] == '\r' || b[skip] == '\n') {
			skip++
			f.leading++
		}
		if skip < n {
			f.leading = -1
		}
		if n = copy(b, b[skip:n]); n > 0 || err != nil {
			return n, err
		}
	}
}

// slow is for a client of HTTP/1 whose request did not come to the end of its header in time. In HTTP/2 there are always frames that
// belong to no request; a header that stops in the middle ends with the idle time.
func (f *frontConn) slow() {
	status := 0
	if !f.session.isClosed() {
		status = http.StatusRequestTimeout
		f.told.Store(true)
		_, _ = io.WriteString(f.Conn, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	}
	f.session.c.ends(endByProxy)
	f.session.refuse(inspect.HTTPFailure{Type: inspect.HTTPSlowRequest, Status: status, Message: "the header did not come in time"})
}

// What net/http writes behind the status line of a request that it refuses.
var refusalHeader = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// The longest of these answers: a status, the header, and a reason that is not made of what the client sent.
const maxServerRefusal = 512

func (f *frontConn) Write(b []byte) (int, error) {
	if f.told.Load() {
		return len(b), nil
	}
	if f.frames != nil {
		f.frames.write(b, f.broken)
		return f.batch.Write(b)
	}
	if len(b) < maxServerRefusal && len(b) > 12 && (b[9] == '4' || b[9] == '5') && bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		if line, reason, ok := bytes.Cut(b, refusalHeader); ok {
			status := int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
			f.session.c.ends(endByProxy)
			f.session.refuse(inspect.HTTPFailure{Type: inspect.HTTPBadRequest, Status: status, Message: string(reason)})
		}
	}
	return f.Conn.Write(b)
}

// Close ends the connection, without a close_notify where an answer was cut.
func (f *frontConn) Close() error {
	if f.cut.Load() {
		return f.session.c.client.Close()
	}
	if f.batch != nil {
		f.closing.Store(true)
		f.Conn.SetWriteDeadline(time.Now().Add(lastWrite))
		f.batch.close(func() { f.Conn.Close() })
		return nil
	}
	return f.Conn.Close()
}

// How long the last frames of a connection may take to be written.
const lastWrite = time.Second

// extend gives the next frames the idle time to be written. The deadline is set anew when an eighth of that is over.
func (f *frontConn) extend() {
	idle := f.session.c.limits.Timeouts.Idle
	if now := time.Now(); f.until.Sub(now) < idle-idle/8 && !f.closing.Load() {
		f.until = now.Add(idle)
		f.Conn.SetWriteDeadline(f.until)
	}
}

// CloseWrite ends what is sent, so that the client gets to read the last of it.
func (f *frontConn) CloseWrite() error { return f.Conn.(*tls.Conn).CloseWrite() }

// Codes of HTTP/2 by which a server says that the client broke a rule (RFC 9113, Section 7).
var brokenRules = map[uint32]string{
	0x1: "PROTOCOL_ERROR", 0x3: "FLOW_CONTROL_ERROR", 0x4: "SETTINGS_TIMEOUT", 0x5: "STREAM_CLOSED", 0x6: "FRAME_SIZE_ERROR",
	0x7: "REFUSED_STREAM", 0x9: "COMPRESSION_ERROR", 0xb: "ENHANCE_YOUR_CALM",
}

// streamClosed is what is said to frames for a stream that has ended.
const streamClosed = 0x5

// broken notes a frame by which the server ends a stream or the connection.
func (f *frontConn) broken(kind byte, code uint32) {
	name, ok := brokenRules[code]
	if !ok || kind == frameResetStream && code == streamClosed {
		return // the client was still sending when its stream was answered
	}
	what := "a stream of HTTP/2 was reset"
	if kind == frameGoAway {
		f.session.c.ends(endByProxy)
		what = "the connection of HTTP/2 was ended"
	}
	f.session.refuse(inspect.HTTPFailure{Type: inspect.HTTPBadRequest, Message: fmt.Sprintf("%s with %s", what, name)})
}

// refuse notes what was answered without a request.
func (s *httpSession) refuse(f inspect.HTTPFailure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if f.Status != 0 {
		s.count(f.Status)
	}
	s.note(f)
}

func (s *httpSession) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Types of frames that end something (RFC 9113, Section 6).
const (
	frameResetStream = 0x3
	frameGoAway      = 0x7
)

// frameWatch follows the frames of HTTP/2 in what is written, however it is cut into pieces.
type frameWatch struct {
	header  [9]byte
	payload [8]byte // its beginning, of the types that matter
	have    int     // bytes of header
	got     int     // bytes of payload
	left    int     // bytes of the frame still to come
}

// write looks at the next bytes, and tells of the codes in frames that end a stream or the connection.
func (w *frameWatch) write(b []byte, tell func(kind byte, code uint32)) {
	for len(b) > 0 {
		if w.have < len(w.header) {
			n := copy(w.header[w.have:], b)
			w.have += n
			b = b[n:]
			if w.have < len(w.header) {
				return
			}
			w.left = int(w.header[0])<<16 | int(w.header[1])<<8 | int(w.header[2])
			w.got = 0
		}
		n := min(w.left, len(b))
		kind := w.header[3]
		if kind == frameResetStream || kind == frameGoAway {
			w.got += copy(w.payload[min(w.got, len(w.payload)):], b[:n])
		}
		w.left -= n
		b = b[n:]
		if w.left > 0 {
			continue
		}
		w.have = 0
		switch {
		case kind == frameResetStream && w.got >= 4:
			tell(kind, binary.BigEndian.Uint32(w.payload[:4]))
		case kind == frameGoAway && w.got >= 8:
			tell(kind, binary.BigEndian.Uint32(w.payload[4:8]))
		}
	}
}
