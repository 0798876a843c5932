package proxy

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// passThrough hands the connection to the backend untouched. Both directions are read by the observer as long as there is
// something in the clear; after that the kernel moves the bytes (splice, where it can).
func (c *connection) passThrough(ctx context.Context) {
	c.passthrough = true
	b := c.route.Backend
	leg := &backendLeg{backend: b, started: time.Now(), passthrough: true}
	leg.name, _ = b.nameFor(c.serverName())
	c.backend = leg

	dialCtx, cancel := context.WithTimeout(ctx, c.limits.Timeouts.Dial)
	conn, err := b.Dialer.DialContext(dialCtx, "tcp", b.Address)
	cancel()
	if err != nil {
		leg.err = dialError(err)
		c.failClient()
		return
	}
	leg.remote = conn.RemoteAddr()
	leg.tap = &tap{Conn: conn}
	conn.SetWriteDeadline(time.Now().Add(c.limits.Timeouts.Dial))
	if b.ProxyProtocol != 0 {
		if err := writeProxyHeader(conn, b.ProxyProtocol, c.source, c.destination); err != nil {
			leg.fail(transportError(err, inspect.PhaseHandshake), c.limits.Timeouts)
			c.failClient()
			return
		}
	}
	prefix := c.client.prefix
	c.client.prefix, c.hello = nil, nil
	if _, err := conn.Write(prefix); err != nil {
		leg.fail(transportError(err, inspect.PhaseTransfer), c.limits.Timeouts)
		c.failClient()
		return
	}
	conn.SetWriteDeadline(time.Time{})
	c.conn.SetDeadline(time.Time{})

	w := &watcher{c: c}
	c.running.Store(2)
	c.lastActive.Store(time.Now().UnixNano())
	c.idle = time.AfterFunc(c.limits.Timeouts.Idle, c.checkIdle)
	go w.run(c.conn, conn, inspect.FromClient)
	go w.run(conn, c.conn, inspect.FromServer)
	if c.server.ctx.Err() != nil {
		c.abort()
	}
}

// watcher lets the observer read both directions of a connection that is passed through.
type watcher struct {
	c  *connection
	mu sync.Mutex
}

func (w *watcher) run(from, to net.Conn, side inspect.Side) {
	err := w.copy(from, to, side)
	w.end(err, from, to, side)
	if w.c.running.Add(-1) == 0 {
		w.c.finishPassthrough()
	}
}

// feed shows bytes to the observer and reports whether it has seen enough.
func (w *watcher) feed(side inspect.Side, b []byte) (settled bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.c.clientObserver.Feed(side, b, time.Now())
	return w.c.clientObserver.Settled()
}

func (w *watcher) copy(from, to net.Conn, side inspect.Side) error {
	settled, err := w.watch(from, to, side)
	if err != nil || !settled {
		return err
	}
	for {
		// In portions, so that the idle timer sees that bytes move.
		n, err := io.CopyN(to, from, 4<<20)
		if n > 0 {
			w.c.lastActive.Store(time.Now().UnixNano())
		}
		if err != nil {
			return err
		}
	}
}

// watch copies through a buffer until the observer has seen enough.
func (w *watcher) watch(from, to net.Conn, side inspect.Side) (settled bool, err error) {
	buffer := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			w.c.lastActive.Store(time.Now().UnixNano())
			settled = w.feed(side, buffer[:n])
			if _, err := to.Write(buffer[:n]); err != nil {
				return false, err
			}
		}
		if err != nil || settled {
			return settled, err
		}
	}
}

// end passes the end of one direction on.
func (w *watcher) end(err error, from, to net.Conn, side inspect.Side) {
	w.mu.Lock()
	w.c.clientObserver.EndOfStream(side)
	w.mu.Unlock()
	if err != nil && err != io.EOF && !w.c.idled.Load() {
		w.note(err, side)
		soon := time.Now().Add(w.c.limits.Timeouts.Linger)
		from.SetDeadline(soon)
		to.SetReadDeadline(soon)
	}
	(&tap{Conn: to}).CloseWrite()
}

// note keeps a reset of either side for the record.
func (w *watcher) note(err error, side inspect.Side) {
	if t := transportErrorType(err); t != inspect.ErrorReset {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &inspect.Error{Type: inspect.ErrorReset, Message: err.Error(), Phase: inspect.PhaseTransfer}
	if side == inspect.FromServer && w.c.backend.err == nil {
		w.c.backend.err = e
	} else if side == inspect.FromClient && w.c.clientErr == nil {
		w.c.clientErr = e
	}
}

// finishPassthrough closes both sides and hands over the record.
func (c *connection) finishPassthrough() {
	c.idle.Stop()
	c.clientFacts, c.backend.facts = tcpFacts(c.conn), tcpFacts(c.backend.tap.Conn)
	if c.clientErr == nil {
		c.clientErr = c.unfinished()
	}
	c.conn.Close()
	c.backend.tap.Conn.Close()
	c.finish()
}

// unfinished says why a handshake that was only watched did not come to its end; nil when it did.
func (c *connection) unfinished() *inspect.Error {
	if c.clientObserver.FirstBytes(inspect.FromClient) != nil {
		return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhasePeek}
	}
	if c.clientObserver.Established() {
		return nil
	}
	e := &inspect.Error{Type: inspect.ErrorClosed, Phase: inspect.PhaseHandshake, Message: "the connection ended before the handshake was done"}
	if _, ok := c.clientObserver.Alert(inspect.FromServer); ok {
		e.Type = inspect.ErrorAlertSent
	} else if _, ok := c.clientObserver.Alert(inspect.FromClient); ok {
		e.Type = inspect.ErrorAlertReceived
	} else if c.idled.Load() {
		e.Type = inspect.ErrorTimeout
	}
	return e
}
