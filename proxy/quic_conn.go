package proxy

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// quicConn stands where a TCP connection has its socket. Nothing is read from it; the one thing that is written to a client in the
// clear is an alert, which becomes the end of the QUIC connection.
type quicConn struct {
	local, remote net.Addr
	end           func(wire.AlertDescription)

	mu    sync.Mutex
	ended bool
}

func (q *quicConn) Read([]byte) (int, error) { return 0, io.EOF }

// Write takes the record of an alert.
func (q *quicConn) Write(b []byte) (int, error) {
	if len(b) == 7 && wire.ContentType(b[0]) == wire.ContentTypeAlert {
		q.close(wire.AlertDescription(b[6]))
	}
	return len(b), nil
}

func (q *quicConn) close(alert wire.AlertDescription) {
	q.mu.Lock()
	again := q.ended
	q.ended = true
	q.mu.Unlock()
	if !again && q.end != nil {
		q.end(alert)
	}
}

func (q *quicConn) Close() error {
	q.close(0)
	return nil
}

func (q *quicConn) CloseWrite() error                { return nil }
func (q *quicConn) LocalAddr() net.Addr              { return q.local }
func (q *quicConn) RemoteAddr() net.Addr             { return q.remote }
func (q *quicConn) SetDeadline(time.Time) error      { return nil }
func (q *quicConn) SetReadDeadline(time.Time) error  { return nil }
func (q *quicConn) SetWriteDeadline(time.Time) error { return nil }

// appendRecords appends a handshake message in records, as TLS over TCP would have it: QUIC has none (RFC 9001, Section 4.1.3).
func appendRecords(dst, message []byte) []byte {
	const most = 1 << 14
	for len(message) > 0 {
		n := min(len(message), most)
		dst = append(dst, byte(wire.ContentTypeHandshake), 3, 3, byte(n>>8), byte(n))
		dst = append(dst, message[:n]...)
		message = message[n:]
	}
	return dst
}

// describe adds to the client's leg what only QUIC has, and takes out what it has not.
func (q *QUIC) describe(leg *inspect.Leg) {
	if q == nil {
		return
	}
	leg.QUIC = q.facts
	if leg.TLS == nil || leg.TLS.Client == nil {
		return
	}
	hello := leg.TLS.Client
	hello.RecordVersion = ""
	if hello.Retry != nil {
		hello.Retry.RecordVersion = ""
	}
	if hello.Message != nil {
		hello.Message.Records, hello.Message.Segments = 0, q.hello
	}
}
