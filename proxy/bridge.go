package proxy

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// A TLS record carries at most 16 KiB (RFC 8446, Section 5.1), and crypto/tls hands out one record a call.
const copyBuffer = 16 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// stream is one end of a bridged connection: TLS above a tap, or the tap itself.
type stream interface {
	io.ReadWriter
	CloseWrite() error
}

// direction copies from one leg to the other.
type direction struct {
	c         *connection
	from, to  stream
	tap       *tap // below from
	framed    bool // from is TLS
	ready     *readiness
	toTap     *tap
	bytes     int64
	backend   bool          // from the backend to the client
	refused   *refusalWatch // nil: the backend asked for no certificate, or said what it has to say
	openEnded bool          // what comes is an answer of HTTP/1 whose end only the end of the connection tells
	opposite  *direction
	over      atomic.Bool // ended, and what was written to is told so
}

// bridge copies in both directions on two goroutines of their own, whose stacks are small: the ones of the handshakes are
// not kept for the life of an idle connection. The last one to end finishes the connection.
func (c *connection) bridge() {
	client, server := c.clientObserver, c.backend.observer // nobody feeds them any more: the taps are detached
	c.settle()
	observers.Put(client)
	if server != nil {
		observers.Put(server)
	}
	var backend stream = c.backend.tap
	if c.backend.tls != nil {
		backend = c.backend.tls
	}
	up := &direction{c: c, from: c.clientTLS, to: backend, tap: c.client, toTap: c.backend.tap, framed: true}
	down := &direction{c: c, from: backend, to: c.clientTLS, tap: c.backend.tap, toTap: c.client, framed: c.backend.tls != nil, backend: true}
	up.opposite, down.opposite = down, up
	down.refused = watchRefusal(c.record.BackendLeg)
	c.client.held, c.backend.tap.held = true, true
	c.running.Store(2)
	c.watchIdle(c.checkIdle, c.firstRest())
	go up.run()
	go down.run()
}

// watchIdle starts the timer of a connection that copies.
func (c *connection) watchIdle(check func(), first time.Duration) {
	c.lastActive.Store(ticks())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = time.AfterFunc(first, check)
}

// checkIdle ends a connection on which no byte moved for the idle time, or which is too old, or looks again later.
func (c *connection) checkIdle() {
	if rest := c.rest(); rest > 0 {
		c.checkAgain(rest)
		return
	}
	c.idled.Store(true)
	past := time.Unix(1, 0)
	c.conn.SetDeadline(past)
	c.backend.tap.Conn.SetDeadline(past)
}

func (c *connection) checkAgain(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.idle.Reset(after)
	}
}

// stopWatching ends the timer.
func (c *connection) stopWatching() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.idle.Stop()
}

func (d *direction) run() {
	d.ready = newReadiness(d.tap.Conn)
	d.tap.yields = d.framed && d.ready != nil
	err := d.copy()
	d.end(err)
	if d.c.running.Add(-1) == 0 {
		d.c.finishBridge(d)
	}
}

// copy moves bytes until one side fails. It holds a buffer only while there is something to move.
func (d *direction) copy() error {
	var buffer *[copyBuffer]byte
	defer func() {
		if buffer != nil {
			copyBuffers.Put(buffer)
		}
	}()
	if d.backend && len(d.c.backend.early) > 0 {
		early := d.c.backend.early
		d.c.backend.early = nil
		d.begin(early)
		d.bytes += int64(len(early))
		if d.refused != nil && d.refused.read(early) {
			d.refused = nil
		}
		if _, err := d.to.Write(early); err != nil {
			return err
		}
	}
	for {
		if buffer == nil {
			buffer = copyBuffers.Get().(*[copyBuffer]byte)
		}
		n, err := d.read(buffer[:])
		if n > 0 {
			d.c.lastActive.Store(ticks())
			if d.bytes == 0 {
				d.begin(buffer[:n])
			}
			if d.refused != nil && d.refused.read(buffer[:n]) {
				d.refused = nil
			}
			d.bytes += int64(n)
			if _, err := d.to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, errDrained):
			copyBuffers.Put(buffer)
			buffer = nil
			if err := d.ready.wait(); err != nil {
				return readError{err}
			}
			d.tap.ready = true
		case err != nil:
			return readError{err}
		}
	}
}

// begin looks at the first bytes.
func (d *direction) begin(b []byte) {
	if !d.backend {
		d.c.askedInHTTP.Store(looksLikeHTTP(b))
		d.c.askedForHeader.Store(bytes.HasPrefix(b, []byte("HEAD ")))
	} else if d.c.askedInHTTP.Load() && !d.c.askedForHeader.Load() {
		d.openEnded = endsWithConnection(b)
	}
}

// read reads what is there. It returns errDrained where there is nothing and the wait for more needs no buffer.
func (d *direction) read(buffer []byte) (int, error) {
	if !d.framed && d.ready != nil && !d.tap.ready {
		return 0, errDrained
	}
	if !d.framed {
		d.tap.ready = false
	}
	return d.from.Read(buffer)
}

// readError marks an error as one of the side that is read from.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// end passes the end of one direction on: a clean end as a clean end (close_notify, half-close), a TCP end without
// close_notify as just that, so that a body that was cut never looks complete, and anything else as the end of both legs.
func (d *direction) end(err error) {
	d.over.Store(true)
	soon := time.Now().Add(d.c.limits.Timeouts.Linger)
	var read readError
	from, to := int32(endOfClient), int32(endOfBackend)
	if d.backend {
		from, to = to, from
	}
	if !errors.As(err, &read) {
		d.c.ends(to)
		// The side written to is gone. What it still said (an alert, mostly) is read by the other direction, and what was sent
		// to a client by then must reach it although it is still sending.
		d.tap.owed = !d.backend
		d.toTap.SetReadDeadline(soon)
		return
	}
	d.c.ends(from)
	d.peerEnded(read.error)
	if errors.Is(read.error, io.EOF) {
		if d.framed && d.tap.ended {
			d.toTap.CloseWrite()
		} else {
			d.to.CloseWrite()
		}
		return
	}
	d.note(read.error)
	d.tap.owed = true // crypto/tls may have sent it an alert
	if d.backend && d.bytes == 0 && d.c.backend.err != nil && (d.c.backend.err.Type == inspect.ErrorAlertReceived || d.c.askedInHTTP.Load()) {
		d.c.lateBadGateway()
	}
	if d.to == stream(d.toTap) {
		sever(d.toTap.Conn)
	} else {
		d.toTap.CloseWrite()
		d.toTap.SetReadDeadline(soon)
	}
	d.tap.Conn.SetDeadline(soon)
}

// peerEnded records how the peer ended its direction.
func (d *direction) peerEnded(err error) {
	how := howEnded(err, d.framed, d.tap.ended)
	if how == "" {
		return
	}
	if !d.backend {
		d.c.clientEnd = how
	} else if d.c.backend.peerEnd = how; how == inspect.PeerTruncated || how == inspect.PeerReset {
		d.c.backend.openEnded = d.openEnded
	}
}

// howEnded is how a peer ended what it sends, from the error of reading it; empty: it did not. framed says that the leg speaks TLS, and ended that the
// TCP connection was ended.
func howEnded(err error, framed, ended bool) inspect.PeerEnd {
	switch {
	case errors.Is(err, io.EOF) && !framed:
		return inspect.PeerFIN
	case errors.Is(err, io.EOF) && !ended:
		return inspect.PeerCloseNotify
	case ended && framed:
		return inspect.PeerTruncated // in the middle of a record, or between two
	case transportErrorType(err) == inspect.ErrorReset:
		return inspect.PeerReset
	}
	return ""
}

// note records how reading from one leg ended when it did not end cleanly.
func (d *direction) note(err error) {
	if d.c.idled.Load() {
		return // checkIdle's doing; finishBridge says it
	}
	peer := inspect.FromClient
	if d.backend {
		peer = inspect.FromServer
	}
	e, alerts := transferError(err, peer)
	if e == nil {
		return
	}
	if plain := plainUnbind(err); plain != nil && !d.backend && d.bytes == 0 {
		e = plain
	}
	switch e.Type {
	case inspect.ErrorAlertReceived:
		// A refusal comes before anything else. Later alerts are kept and refuse nothing: OpenSSL 3 answers decode_error to a
		// peer that ends the connection without close_notify.
		if last := alerts[len(alerts)-1]; d.bytes > 0 || d.opposite.over.Load() && last.Code == uint8(wire.AlertDecodeError) {
			e = nil
		}
	case inspect.ErrorReset, inspect.ErrorClosed:
		if d.opposite.over.Load() {
			e = nil // it was told the end before
		}
	}
	if d.backend {
		d.c.backend.alerts = append(d.c.backend.alerts, alerts...)
		d.c.backend.err = e
	} else {
		d.c.clientAlerts = append(d.c.clientAlerts, alerts...)
		d.c.clientErr = e
	}
}

// finishBridge closes both legs and hands over the record.
func (c *connection) finishBridge(last *direction) {
	c.stopWatching()
	up, down := last, last.opposite
	if last.backend {
		up, down = down, up
	}
	c.silent = up.bytes == 0 && down.bytes == 0
	c.backend.unanswered = up.bytes > 0 && down.bytes == 0 && c.firstEnd.Load() == endOfBackend
	c.clientFacts = tcpFacts(c.conn)
	c.backend.facts = tcpFacts(c.backend.tap.Conn)
	if c.idled.Load() && c.clientErr == nil {
		c.clientErr = c.overdue()
	}
	for _, t := range []*tap{c.backend.tap, c.client} {
		if t.owed && !c.wasCut() {
			linger(t, c.limits.Timeouts.Linger)
		} else {
			t.Conn.Close()
		}
	}
	c.record.Event.End = c.end()
	c.finish()
}
