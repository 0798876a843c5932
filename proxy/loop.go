package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// way is a connection to a backend, on behalf of a client's that may itself have come from here: one listener may well be another's
// backend. That a route comes twice on such a way is a loop.
type way struct {
	conn   net.Conn
	to     netip.AddrPort
	route  *Route
	from   *way // on which the client's connection came; nil: from elsewhere
	next   *way // from the same address to another; nil: none
	length int
	looped bool // it was refused where it came back
}

// maxWay is how many listeners a connection may go through one after the other.
const maxWay = 32

// outgoing are the connections to backends by their local addresses, while they are open. Whoever comes from one of these, to where it
// leads, is this program itself. The address alone does not say so: the kernel gives one port to connections that lead to different
// places, and clients on this machine have the same addresses.
type outgoing struct {
	mu   sync.Mutex
	open map[netip.AddrPort]*way
}

// add keeps a connection to a backend until its forget.
func (o *outgoing) add(conn net.Conn, route *Route, from *way) {
	a, ok := tcpAddress(conn.LocalAddr())
	if !ok {
		return
	}
	w := &way{conn: conn, route: route, from: from, length: 1}
	w.to, _ = tcpAddress(conn.RemoteAddr())
	if from != nil {
		w.length += from.length
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[netip.AddrPort]*way)
	}
	w.next = o.open[a]
	o.open[a] = w
}

// forget takes a connection out, which may be closed by now and its address another's. It reports whether the connection was a loop.
func (o *outgoing) forget(conn net.Conn) bool {
	a, ok := tcpAddress(conn.LocalAddr())
	if !ok {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var before *way
	w := o.open[a]
	for w != nil && w.conn != conn {
		before, w = w, w.next
	}
	switch {
	case w == nil:
		return false
	case before != nil:
		before.next = w.next
	case w.next != nil:
		o.open[a] = w.next
	default:
		delete(o.open, a)
	}
	return w.looped
}

// find is the way on which an accepted connection came; nil: from elsewhere. Where the kernel redirected it, it says where it led.
func (o *outgoing) find(accepted net.Conn) *way {
	from, ok := tcpAddress(accepted.RemoteAddr())
	if !ok {
		return nil
	}
	to, _ := tcpAddress(accepted.LocalAddr())
	w, others := o.leading(from, to)
	if w == nil && others {
		if original, err := originalDst(accepted); err == nil {
			w, _ = o.leading(from, unmapped(original))
		}
	}
	return w
}

// leading is the way from one address to another, or else whether there is one from there to a third.
func (o *outgoing) leading(from, to netip.AddrPort) (*way, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := o.open[from]
	others := w != nil
	for w != nil && w.to != to {
		w = w.next
	}
	return w, others
}

// refuse remembers that a way is a loop.
func (o *outgoing) refuse(w *way) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.looped = true
}

// tcpAddress is an address in the form that IPv4 addresses have everywhere; false: it is none of TCP, whose ports are its own.
func tcpAddress(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	return unmapped(tcp.AddrPort()), true
}

// loop says that the connection is one of this program's own which would come back without end; nil: it is not. Where connections are
// redirected none may be: the rules of the firewall do not leave them out.
func (c *connection) loop(phase inspect.Phase) *inspect.Error {
	if c.came = c.server.outgoing.find(c.conn); c.came == nil {
		return nil
	}
	message := redirectedLoopMessage
	if c.listener.OriginalDst == "" {
		if c.route == nil || !c.came.has(c.route) && c.came.length < maxWay {
			return nil
		}
		message = fmt.Sprintf("the connection is one of this program's own, on its way to the backend %s: that leads back here", c.came.route.Backend)
	}
	c.server.outgoing.refuse(c.came)
	return &inspect.Error{Type: inspect.ErrorLoop, Phase: phase, Message: message}
}

// looped refuses such a connection.
func (c *connection) looped() bool {
	err := c.loop(inspect.PhaseDecide)
	if err != nil {
		c.refuse(wire.AlertInternalError, err.Type, err.Message)
	}
	return err != nil
}

// has reports whether a way led over a route.
func (w *way) has(r *Route) bool {
	for ; w != nil; w = w.from {
		if w.route == r {
			return true
		}
	}
	return false
}

const redirectedLoopMessage = "the connection is one of this program's own, on its way to a backend: leave them out where connections are redirected"

// loopError is why a leg to a backend failed that came back here.
func (c *connection) loopError() *inspect.Error {
	message := redirectedLoopMessage
	if c.listener.OriginalDst == "" {
		message = fmt.Sprintf("the backend %s is this program itself, or leads back to it", c.route.Backend)
	}
	return &inspect.Error{Type: inspect.ErrorLoop, Phase: inspect.PhaseHandshake, Message: message}
}
