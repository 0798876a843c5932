package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// tap is a connection whose bytes an observer sees on their way, in both directions, until it is detached. It can hand
// out bytes that were read before (the peeked hello).
//
// It also follows the record boundaries in what it hands to crypto/tls, which asks for more only when it has no whole record
// left. A tap that yields answers such a question at a boundary with errDrained instead of blocking, so that whoever reads
// can let go of its buffer and wait for the socket without one. A tap is used by one reader and one writer at a time.
type tap struct {
	net.Conn
	prefix   []byte            // read before; handed out first
	observer *inspect.Observer // nil: detached
	kept     *transcript       // nil: nobody wants it
	peer     inspect.Side      // who writes what we read
	self     inspect.Side

	connection *connection // for GetConfigForClient, which is handed the net.Conn only

	// HTTP mode, where others read, write and close.
	session *httpSession
	active  *atomic.Int64 // when a byte moved last, in ticks
	closing func()        // called before the connection is closed
	batch   *batch        // what is written goes this way; nil: straight to the connection

	cut       error       // why a write failed: close_notify, which crypto/tls sends all the same, would be read as the rest of a record, or come with a number too many
	openEnded atomic.Bool // an end without close_notify, between two records, is an error of its own

	ended  bool // the peer closed the TCP connection
	owed   bool // the peer may still be sending what nobody reads, and must not lose what was sent to it: linger at the end
	held   bool // deadlines for writing are the connection's matter, not that of crypto/tls
	yields bool // answer errDrained rather than block between records
	ready  bool // the socket has something to read
	once   bool // as yields, after one more read

	header  [5]byte // of the record that was cut at the end of what was handed out
	have    int     // bytes of header; 0: nothing was cut
	missing int     // bytes of that record still to come, once the header is whole
}

// observers are those of connections that were established.
var observers = sync.Pool{New: func() any { return inspect.NewObserver(nil) }}

func newObserver(d *inspect.Describer) *inspect.Observer {
	o := observers.Get().(*inspect.Observer)
	o.Reset(d)
	return o
}

// drainedError says that nothing is left to hand out. crypto/tls takes it for a read that may be tried again.
type drainedError struct{}

func (drainedError) Error() string   { return "proxy: nothing to read for the moment" }
func (drainedError) Timeout() bool   { return true }
func (drainedError) Temporary() bool { return true }

var errDrained error = drainedError{}

var errCutOff = fmt.Errorf("the connection ended without close_notify: %w", io.ErrUnexpectedEOF)

func (t *tap) Read(b []byte) (int, error) {
	if len(t.prefix) > 0 {
		n := copy(b, t.prefix)
		t.prefix = t.prefix[n:]
		if len(t.prefix) == 0 {
			t.prefix = nil
		}
		t.frame(b[:n])
		return n, nil
	}
	if t.yields && !t.ready && t.have == 0 {
		return 0, errDrained
	}
	t.ready = false
	if t.once {
		t.once, t.yields = false, true
	}
	n, err := t.Conn.Read(b)
	if errors.Is(err, io.EOF) {
		if t.ended = true; t.openEnded.Load() && t.have == 0 { // in the middle of a record there is no doubt
			err = errCutOff
		}
	}
	t.see(t.peer, b[:n])
	t.frame(b[:n])
	return n, err
}

// frame follows the record boundaries in b.
func (t *tap) frame(b []byte) {
	for len(b) > 0 {
		if t.have < len(t.header) {
			n := copy(t.header[t.have:], b)
			t.have += n
			b = b[n:]
			if t.have < len(t.header) {
				return
			}
			t.missing = int(t.header[3])<<8 | int(t.header[4])
		}
		n := min(t.missing, len(b))
		t.missing -= n
		b = b[n:]
		if t.missing == 0 {
			t.have = 0
		}
	}
}

func (t *tap) Write(b []byte) (int, error) {
	t.see(t.self, b)
	if t.batch != nil {
		return t.batch.Write(b)
	}
	if t.cut != nil {
		return 0, t.cut
	}
	n, err := t.Conn.Write(b)
	if err != nil {
		t.cut = err
	}
	return n, err
}

// see shows bytes to whoever watches.
func (t *tap) see(from inspect.Side, b []byte) {
	if t.active != nil && len(b) > 0 {
		t.active.Store(ticks())
	}
	if t.observer == nil && t.kept == nil || len(b) == 0 {
		return
	}
	now := time.Now()
	t.kept.add(from, b, now)
	if t.observer != nil {
		t.observer.Feed(from, b, now)
	}
}

// SetWriteDeadline is what crypto/tls calls around a close_notify: five seconds for it, and none to write ever after. While
// bytes are copied that is too short for a client that reads slowly, which would take a whole answer for a cut one, and it
// would break the answer to a KeyUpdate that comes later. The idle time bounds such a write, as any other.
func (t *tap) SetWriteDeadline(d time.Time) error {
	if t.held || t.batch != nil {
		return nil
	}
	return t.Conn.SetWriteDeadline(d)
}

func (t *tap) Close() error {
	if t.closing != nil {
		t.closing()
	}
	if t.batch != nil {
		t.Conn.SetWriteDeadline(time.Now().Add(lastWrite))
		t.batch.wait()
	}
	return t.Conn.Close()
}

// detach ends the observation. A tap that is detached may still have a reader of its own (the frames of HTTP/2).
func (t *tap) detach() {
	if t.observer != nil {
		t.observer = nil
	}
}

// CloseWrite closes the sending side of the TCP connection itself, below TLS.
func (t *tap) CloseWrite() error {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return t.Conn.Close()
}
