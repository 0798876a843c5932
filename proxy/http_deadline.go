package proxy

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadlines are those of a connection of HTTP/1, for which net/http sets half a dozen with every request, and begins a read in the background
// that it breaks off when the request was answered. Nearly all of that comes to nothing. So the socket hears of a deadline when it is read,
// and not of one that is as good as the last; and what is read in the background, to learn of the client's end, is so when an answer takes
// its time.
type deadlines struct {
	mu      sync.Mutex
	wanted  time.Time // for reading, as it was set last; zero: none
	applied time.Time // what the socket has
	reading bool      // the socket is being read
	writes  bool      // there is one for writing
	expired bool      // the connection is over, and its socket has the last deadline

	waiting bool      // a read in the background does, before it begins
	since   int64     // when it began to, in ticks
	wake    chan bool // ends that: true: it is time, false: it is broken off
	timer   *time.Timer
	pending bool // the timer is set
}

// How long an answer may take before the client's connection is read meanwhile.
const quickAnswer = 10 * time.Millisecond

// How much sooner the socket's deadline may be than the one that is wanted. It is set anew when it has come.
const deadlineSlack = time.Second

// brokenOff reports whether a deadline is the one by which net/http breaks off a read.
func brokenOff(t time.Time) bool { return !t.IsZero() && t.Unix() <= 1 }

// SetReadDeadline sets the deadline for reading.
func (f *frontConn) SetReadDeadline(t time.Time) error {
	if f.frames != nil {
		return f.Conn.SetReadDeadline(t)
	}
	if t.IsZero() && f.asking.Load() == 0 && f.framing != nil && f.framing.unended.Load() {
		t = time.Now().Add(f.session.c.limits.Timeouts.RequestBody) // for the rest of a request that was answered: net/http would wait for it without end
	}
	d := &f.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	switch {
	case d.expired:
	case d.waiting && brokenOff(t):
		d.waiting = false
		d.wake <- false
	case d.reading:
		d.applied = t
		return f.Conn.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline sets the deadline for writing. Frames of HTTP/2 have theirs from extend.
func (f *frontConn) SetWriteDeadline(t time.Time) error {
	if f.frames != nil {
		return nil
	}
	d := &f.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.expired || t.IsZero() && !d.writes {
		return nil
	}
	d.writes = !t.IsZero()
	return f.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both.
func (f *frontConn) SetDeadline(t time.Time) error {
	return errors.Join(f.SetReadDeadline(t), f.SetWriteDeadline(t))
}

// expire ends what is read and written, for good.
func (f *frontConn) expire() {
	d := &f.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expired = true
	f.session.c.conn.SetDeadline(time.Unix(1, 0))
	if d.waiting {
		d.waiting = false
		d.wake <- true
	}
}

// timed reads what comes before the deadline.
func (f *frontConn) timed(b []byte) (int, error) {
	d := &f.deadlines
	if len(b) == 1 && !f.switched.Load() && !f.patient() { // which is how much net/http reads in the background
		return 0, os.ErrDeadlineExceeded
	}
	for anew := false; ; anew = true {
		if !d.begin(f, anew) {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := f.Conn.Read(b)
		if d.end() || n > 0 || err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// begin gives the socket its deadline; false: that is over. Anew: the one it had came too soon.
func (d *deadlines) begin(f *frontConn, anew bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if brokenOff(d.wanted) && !d.expired {
		return false
	}
	d.reading = true
	if d.expired {
		return true // the socket says so
	}
	ahead := d.wanted.Sub(d.applied)
	asGood := !brokenOff(d.applied) && (d.wanted.IsZero() || !d.applied.IsZero() && ahead >= 0 && ahead <= deadlineSlack)
	if anew || !asGood {
		d.applied = d.wanted
		_ = f.Conn.SetReadDeadline(d.wanted) // of a connection that is closed, which reading it tells
	}
	return true
}

// end reports whether a deadline that came to a read is the one that was wanted.
func (d *deadlines) end() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reading = false
	return d.expired || !d.wanted.IsZero() && d.wanted.Equal(d.applied)
}

// patient waits until a request was not answered quickly; false: it was.
func (f *frontConn) patient() bool {
	d := &f.deadlines
	d.mu.Lock()
	if brokenOff(d.wanted) || d.expired {
		defer d.mu.Unlock()
		return d.expired
	}
	if d.wake == nil {
		d.wake = make(chan bool, 1)
		d.timer = time.AfterFunc(quickAnswer, d.look)
		d.pending = true
	} else if !d.pending {
		d.timer.Reset(quickAnswer)
		d.pending = true
	}
	d.waiting, d.since = true, ticks()
	d.mu.Unlock()
	return <-d.wake
}

// look is what the timer does. It is not set and stopped with each request, but looks whether the one that waits has done so for long.
func (d *deadlines) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = false
	if !d.waiting {
		return
	}
	if rest := quickAnswer - since(d.since); rest > 0 {
		d.timer.Reset(rest)
		d.pending = true
		return
	}
	d.waiting = false
	d.wake <- true
}
