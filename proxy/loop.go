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
	route  *Route
	from   *way // on which the client's connection came; nil: from elsewhere
	length int
	looped bool // it was refused where it came back
}

// maxWay is how many listeners a connection may go through one after the other.
const maxWay = 32

// outgoing are the connections to backends by their local addresses, while they are open. Whoever comes from one of these is this
// program itself.
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
	if from != nil {
		w.length += from.length
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[netip.AddrPort]*way)
	}
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
	w := o.open[a]
	if w == nil || w.conn != conn {
		return false
	}
	delete(o.open, a)
	return w.looped
}

// find is the way on which a connection from an address came; nil: from elsewhere.
func (o *outgoing) find(from net.Addr) *way {
	a, ok := tcpAddress(from)
	if !ok {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open[a]
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
	if c.came = c.server.outgoing.find(c.conn.RemoteAddr()); c.came == nil {
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
