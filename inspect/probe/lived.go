package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// A limit of time says something of the server only as far as this process was there to hear it. One that was stopped, or got no processor,
// or whose machine slept, finds the limit over when it goes on, and in the connection what came meanwhile: that is no silence. Therefore a
// limit is lived through in pieces, of which each counts for no more than twice what it was to last: a timer is always a little late.
const (
	pieceOfLimit = 50 * time.Millisecond
	lastLook     = 10 * time.Millisecond // behind the last piece, at what lies there by then; no longer than the limit
)

// lived is a connection as an exchange reads and writes it: within the limit that deadline set last.
type lived struct{ *run }

func (r *run) lived() lived { return lived{r} }

func (l lived) Read(b []byte) (int, error) {
	n, took, err := l.within(l.left, b, l.conn.SetReadDeadline, l.conn.Read)
	l.left = max(l.left-took, 0)
	return n, err
}

// Write has some time also when the limit is over: nothing is waited for, unless much is on its way.
func (l lived) Write(b []byte) (int, error) {
	written := 0
	for {
		n, took, err := l.within(max(l.left, pieceOfLimit), b[written:], l.conn.SetWriteDeadline, l.conn.Write)
		l.left = max(l.left-took, 0)
		if written += n; err == nil || n == 0 || !timedOut(err) || l.ctx.Err() != nil {
			return written, err
		}
	}
}

// within tries to read or to write until something comes of it, the limit is over, or the context ends. What it took is what counts.
func (l lived) within(limit time.Duration, b []byte, until func(time.Time) error, try func([]byte) (int, error)) (n int, took time.Duration, err error) {
	look := min(max(limit, time.Millisecond), lastLook)
	for last := false; ; last = took >= limit {
		piece := min(limit-took, pieceOfLimit)
		if last {
			piece = look
		}
		began := time.Now()
		_ = until(began.Add(piece))
		if err := l.ctx.Err(); err != nil { // what it did to the connection may have been before
			return 0, took, err
		}
		n, err = try(b)
		if last || n > 0 || !timedOut(err) || l.ctx.Err() != nil {
			return n, took + min(time.Since(began), 2*piece), err
		}
		took += max(min(time.Since(began), 2*piece), piece)
	}
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
