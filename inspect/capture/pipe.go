package capture

import (
	"context"
	"io"
	"time"
)

// ReadPipe reads a capture to its end, as Read does, from where bytes may be long in coming: while nothing comes, connections
// end by the clock, and the end of ctx is obeyed at once; the error is that of ctx then. A read that waits at that time goes on
// until r gives something or is closed, and what it gives is lost.
func (t *Tracker) ReadPipe(ctx context.Context, r io.Reader, name string) error {
	p := &pipe{ctx: ctx, t: t, filled: make(chan piece), free: make(chan []byte, 2)}
	p.free <- make([]byte, pipeBuffer)
	p.free <- make([]byte, pipeBuffer)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go p.pump(ctx, r)
	return t.Read(p.ctx, p, name)
}

const pipeBuffer = 128 << 10

// pipe hands on what another goroutine reads, and looks at the clock in between.
type pipe struct {
	ctx    context.Context
	t      *Tracker
	filled chan piece
	free   chan []byte
	last   piece // that is being handed on
	at     int   // how much of it was
}

// piece is what one read gave.
type piece struct {
	buffer []byte // all of it
	n      int
	err    error
}

// pump reads until the end, an error, or the context's end.
func (p *pipe) pump(ctx context.Context, r io.Reader) {
	for {
		var b []byte
		select {
		case b = <-p.free:
		case <-ctx.Done():
			return
		}
		n, err := r.Read(b)
		select {
		case p.filled <- piece{b, n, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *pipe) Read(b []byte) (int, error) {
	for p.at == p.last.n {
		if p.last.err != nil {
			return 0, p.last.err
		}
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.last.buffer[p.at:p.last.n])
	p.at += n
	return n, nil
}

// next waits for the next piece.
func (p *pipe) next() error {
	if p.last.buffer != nil {
		p.free <- p.last.buffer
		p.last = piece{}
	}
	p.at = 0
	select {
	case p.last = <-p.filled: // it is there already
		return nil
	default:
	}
	began, now := time.Now(), p.t.now // the capture's clock may be another one: it goes on as far as ours does
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for {
		select {
		case p.last = <-p.filled:
			return nil
		case <-p.ctx.Done():
			p.last.err = p.ctx.Err()
			return p.last.err
		case <-ticker.C:
			if now != 0 {
				p.t.tick(time.Unix(0, now).Add(time.Since(began)))
			}
		}
	}
}
