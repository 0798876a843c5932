package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
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
	c        *connection
	from, to stream
	tap      *tap // below from
	framed   bool // from is TLS
	ready    *readiness
	toTap    *tap
	bytes    int64
	backend  bool // from the backend to the client
	opposite *direction
	over     atomic.Bool // ended, and what was written to is told so
}

// bridge copies in both directions on two goroutines of their own, whose stacks are small: the ones of the handshakes are
// not kept for the life of an idle connection. The last one to end finishes the connection.
func (c *connection) bridge() {
	c.settle()
	var backend stream = c.backend.tap
	if c.backend.tls != nil {
		backend = c.backend.tls
	}
	up := &direction{c: c, from: c.clientTLS, to: backend, tap: c.client, toTap: c.backend.tap, framed: true}
	down := &direction{c: c, from: backend, to: c.clientTLS, tap: c.backend.tap, toTap: c.client, framed: c.backend.tls != nil, backend: true}
	up.opposite, down.opposite = down, up
	c.running.Store(2)
	c.lastActive.Store(time.Now().UnixNano())
	c.idle = time.AfterFunc(c.limits.Timeouts.Idle, c.checkIdle)
	go up.run()
	go down.run()
	if c.server.ctx.Err() != nil {
		c.abort() // the drain time ended during the handshakes
	}
}

// checkIdle ends a connection on which no byte moved for the idle time, or looks again later.
func (c *connection) checkIdle() {
	rest := c.limits.Timeouts.Idle - time.Since(time.Unix(0, c.lastActive.Load()))
	if rest > 0 {
		c.idle.Reset(rest)
		return
	}
	c.idled.Store(true)
	past := time.Unix(1, 0)
	c.conn.SetDeadline(past)
	c.backend.tap.SetDeadline(past)
}

func (d *direction) run() {
	d.ready = newReadiness(d.tap.Conn)
	d.tap.yields = d.framed && d.ready != nil
	err := d.copy()
	d.end(err)
	if d.c.running.Add(-1) == 0 {
		d.c.finishBridge()
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
		if _, err := d.to.Write(d.c.backend.early); err != nil {
			return err
		}
		d.c.backend.early = nil
	}
	for {
		if buffer == nil {
			buffer = copyBuffers.Get().(*[copyBuffer]byte)
		}
		n, err := d.read(buffer[:])
		if n > 0 {
			d.c.lastActive.Store(time.Now().UnixNano())
			d.bytes += int64(n)
			if _, err := d.to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == errDrained:
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
	if !errors.As(err, &read) {
		// The side written to is gone. What it still said (an alert, mostly) is read by the other direction.
		d.toTap.SetReadDeadline(soon)
		return
	}
	if read.error == io.EOF {
		d.toTap.SetWriteDeadline(soon)
		if d.framed && d.tap.ended {
			d.toTap.CloseWrite()
		} else {
			d.to.CloseWrite()
		}
		return
	}
	d.note(read.error)
	if d.backend && d.bytes == 0 && d.c.backend.err != nil {
		d.c.lateBadGateway()
	}
	d.toTap.CloseWrite()
	d.toTap.SetReadDeadline(soon)
	d.tap.SetDeadline(soon)
}

// note records how reading from one leg ended when it did not end cleanly.
func (d *direction) note(err error) {
	if d.c.idled.Load() {
		return // checkIdle's doing; finishBridge says it
	}
	code, ok := remoteAlert(err)
	if !ok {
		return
	}
	// A refusal comes before anything else. Later alerts are kept and refuse nothing: OpenSSL 3 answers decode_error to a
	// peer that ends the connection without close_notify.
	var refusal *inspect.Error
	if d.bytes == 0 && !d.opposite.over.Load() {
		refusal = &inspect.Error{Type: inspect.ErrorAlertReceived, Message: err.Error(), Phase: inspect.PhaseTransfer}
	}
	if d.backend {
		d.c.backend.alerts = append(d.c.backend.alerts, newAlert(code, inspect.FromServer))
		d.c.backend.err = refusal
	} else {
		d.c.clientAlerts = append(d.c.clientAlerts, newAlert(code, inspect.FromClient))
		d.c.clientErr = refusal
	}
}

// finishBridge closes both legs and hands over the record.
func (c *connection) finishBridge() {
	c.idle.Stop()
	c.clientFacts = tcpFacts(c.conn)
	c.backend.facts = tcpFacts(c.backend.tap.Conn)
	if c.idled.Load() && c.clientErr == nil {
		c.clientErr = &inspect.Error{Type: inspect.ErrorTimeout, Phase: inspect.PhaseTransfer, Message: "no byte in either direction for the idle time"}
	}
	c.conn.Close()
	c.backend.tap.Conn.Close()
	c.finish()
}

// abort cuts the client's side, and with it the whole connection; used when the drain time is over.
func (c *connection) abort() { c.conn.SetDeadline(time.Unix(1, 0)) }
