package proxy

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// rest is how long the connection may go on if nothing moves: until its idle time is over, or its lifetime. When that is now, it
// keeps which of the two it was.
func (c *connection) rest() time.Duration {
	t := c.limits.Timeouts
	rest := t.Idle - since(c.lastActive.Load())
	if t.Lifetime > 0 {
		if left := t.Lifetime - time.Since(c.started); left < rest {
			c.expired.Store(left <= 0)
			return left
		}
	}
	return rest
}

// firstRest is the first wait of a connection's timer.
func (c *connection) firstRest() time.Duration {
	c.lastActive.Store(ticks())
	return max(c.rest(), time.Millisecond)
}

// overdue says why an established connection was ended by its timer.
func (c *connection) overdue() *inspect.Error {
	e := &inspect.Error{Type: inspect.ErrorTimeout, Phase: inspect.PhaseTransfer, Message: "no byte in either direction for the idle time"}
	if c.expired.Load() {
		e.Message = "the connection is as old as connections may become"
	}
	return e
}

// Sides of a connection, as firstEnd has them.
const (
	endOfClient   = 1
	endOfBackend  = 2
	endOfIdleness = 3 // neither
	endOfShutdown = 4
	endByProxy    = 5
)

// ends notes that a side ended the connection: the first one counts.
func (c *connection) ends(side int32) { c.firstEnd.CompareAndSwap(0, side) }

// end says who or what ended a connection over which bytes could be copied.
func (c *connection) end() inspect.End {
	switch {
	case c.wasCut():
		return inspect.EndedByShutdown
	case c.expired.Load():
		return inspect.EndedByAge
	case c.idled.Load():
		return inspect.EndedIdle
	case refusedInside(c.clientErr) || c.backend != nil && refusedInside(c.backend.err):
		return inspect.EndedByProxy
	}
	switch c.firstEnd.Load() {
	case endOfClient:
		return inspect.EndedByClient
	case endOfBackend:
		return inspect.EndedByBackend
	case endOfIdleness:
		return inspect.EndedIdle
	case endOfShutdown:
		return inspect.EndedByShutdown
	case endByProxy:
		return inspect.EndedByProxy
	}
	return ""
}

// refusedInside reports whether crypto/tls ended an established leg because of what came over it.
func refusedInside(e *inspect.Error) bool {
	return e != nil && e.Phase == inspect.PhaseTransfer && e.Type == inspect.ErrorAlertSent
}
