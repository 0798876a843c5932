package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// watcher lets the observer read both directions of a connection that is passed through, and holds its deadlines.
type watcher struct {
	c     *connection
	until time.Time // the handshake must be done then

	mu          sync.Mutex
	handshaking bool
	late        bool // it was not done then
	ending      bool // a direction has ended, or must: the deadlines of both are set for good
}

// feed shows bytes to the observer and reports whether it has seen enough.
func (w *watcher) feed(side inspect.Side, b []byte) (settled bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.c.kept.add(side, b, now)
	w.c.clientObserver.Feed(side, b, now)
	return w.c.clientObserver.Settled()
}

// check is the connection's timer: first for the handshake, then for the idle time.
func (w *watcher) check() {
	rest := w.c.rest()
	w.mu.Lock()
	if w.handshaking && (w.c.clientObserver.Established() || w.c.clientObserver.Settled()) {
		w.handshaking = false
	}
	if w.handshaking {
		rest = min(rest, time.Until(w.until))
		w.late = time.Until(w.until) <= 0
	}
	w.mu.Unlock()
	if rest > 0 {
		w.c.checkAgain(rest)
		return
	}
	w.c.idled.Store(true)
	past := time.Unix(1, 0)
	w.hurry(past, w.c.conn, w.c.backend.tap.Conn)
}

// hurry sets the last deadline.
func (w *watcher) hurry(t time.Time, conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ending = true
	if w.c.idled.Load() {
		t = time.Unix(1, 0)
	}
	for _, conn := range conns {
		conn.SetDeadline(t)
	}
}

// pace sets a deadline for reading that is no reason to end, unless a last one was set already.
func (w *watcher) pace(conn net.Conn, t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ending {
		conn.SetReadDeadline(t)
	}
}

// ended reports whether the last deadline was set.
func (w *watcher) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ending
}

// A direction that fills its buffer this often in a row is a large transfer, for which the kernel is asked to move the bytes.
// It does so in portions of at most a second: a pipe, which costs two descriptors, is held no longer by one that stalls,
// and the idle timer sees that bytes move.
const (
	bulkReads   = 4
	bulkPortion = 4 << 20
	bulkTime    = time.Second
)

// flow is one direction of a connection that is passed through.
type flow struct {
	w        *watcher
	from, to net.Conn
	side     inspect.Side
	ready    *readiness
	settled  bool // the observer has seen enough
	full     int  // reads in a row that filled the buffer
}

// copy moves bytes until the end of the stream, for which it returns nil. An error of reading is a readError.
func (f *flow) copy() error {
	for {
		if f.ready != nil {
			if err := f.ready.wait(); err != nil {
				return readError{err}
			}
		}
		end, err := f.portion()
		if err != nil || end {
			return err
		}
		for f.settled && f.full >= bulkReads {
			if end, err := f.bulk(); err != nil || end {
				return err
			}
		}
	}
}

// portion moves what one read brings, through a buffer.
func (f *flow) portion() (end bool, err error) {
	buffer := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buffer)
	n, err := f.from.Read(buffer[:])
	if n > 0 {
		f.w.c.lastActive.Store(ticks())
		if !f.settled {
			f.settled = f.w.feed(f.side, buffer[:n])
		}
		if _, err := f.to.Write(buffer[:n]); err != nil {
			return false, err
		}
	}
	if f.full++; n < copyBuffer {
		f.full = 0
	}
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	if err != nil {
		return false, readError{err}
	}
	return false, nil
}

// bulk lets the kernel move a portion.
func (f *flow) bulk() (end bool, err error) {
	f.w.pace(f.from, time.Now().Add(bulkTime))
	n, err := io.CopyN(f.to, f.from, bulkPortion)
	f.w.pace(f.from, time.Time{})
	if n > 0 {
		f.w.c.lastActive.Store(ticks())
	}
	switch {
	case errors.Is(err, io.EOF):
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded) && !f.w.ended():
		f.full = 0
		return false, nil
	case err != nil:
		return false, readError{err} // of either side: splice does not tell
	}
	return false, nil
}
