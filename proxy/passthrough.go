package proxy

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// passThrough hands the connection to the backend untouched. Both directions are read by the observer as long as there is
// something in the clear; after that the kernel moves the bytes of large transfers (splice, where it can).
func (c *connection) passThrough(ctx context.Context) {
	c.passthrough = true
	b := c.route.Backend
	c.how = opening{source: c.source, destination: c.destination, adopt: c.adopt, greeted: c.listener.StartTLS}
	c.towards(c.serverName())
	leg := c.earlyLeg()
	if leg == nil {
		leg = b.connect(ctx, c.limits.Timeouts, c.how)
	}
	c.backend = leg
	leg.passthrough, leg.name = true, c.how.verified
	if leg.err == nil && b.StartTLS != "" && !leg.agreed {
		leg.ask(c.limits.Timeouts, c.how)
	}
	if leg.err != nil {
		if leg.tap != nil {
			c.discardBackend()
		}
		c.failClient()
		return
	}
	leg.tap = &tap{Conn: leg.tap.Conn}
	conn := leg.tap.Conn
	// A handshake of TLS has a time to be done in, as in the other mode; of SSLv2 nothing is known after its hello.
	w := &watcher{c: c, handshaking: c.hello != nil && !c.hello.SSLv2}
	prefix := c.client.prefix
	c.client.prefix, c.hello = nil, nil
	if err := c.replay(conn, prefix); err != nil {
		leg.fail(err)
		c.discardBackend()
		c.failClient()
		return
	}
	c.conn.SetDeadline(time.Time{})
	c.running.Store(2)
	w.until = time.Now().Add(c.limits.Timeouts.ClientHandshake)
	first := c.firstRest()
	if w.handshaking {
		first = min(first, c.limits.Timeouts.ClientHandshake)
	}
	c.watchIdle(w.check, first)
	go w.run(c.client, leg.tap, inspect.FromClient)
	go w.run(leg.tap, c.client, inspect.FromServer)
}

// replay writes to the backend what the client sent so far.
func (c *connection) replay(conn net.Conn, prefix []byte) *inspect.Error {
	conn.SetWriteDeadline(time.Now().Add(c.limits.Timeouts.Dial))
	if _, err := conn.Write(prefix); err != nil {
		return transportError(err, inspect.PhaseTransfer)
	}
	conn.SetWriteDeadline(time.Time{})
	return nil
}

func (w *watcher) run(from, to *tap, side inspect.Side) {
	f := &flow{w: w, from: from.Conn, to: to.Conn, side: side, ready: newReadiness(from.Conn)}
	w.end(f.copy(), from, to, side)
	if w.c.running.Add(-1) == 0 {
		w.c.finishPassthrough(w)
	}
}

// end passes the end of one direction on. Where the peers speak TLS they notice by themselves when something was cut; to
// those that do not, only a reset says so.
func (w *watcher) end(err error, from, to *tap, side inspect.Side) {
	w.mu.Lock()
	w.c.clientObserver.EndOfStream(side)
	plain := w.c.clientObserver.NotTLS(inspect.FromClient)
	w.mu.Unlock()
	var read readError
	ours, theirs := int32(endOfClient), int32(endOfBackend)
	if side == inspect.FromServer {
		ours, theirs = theirs, ours
	}
	if err != nil && !errors.As(err, &read) {
		w.c.ends(theirs)
	} else {
		w.c.ends(ours)
		w.peerEnded(side, err)
	}
	switch {
	case err == nil:
		to.CloseWrite()
		return
	case !errors.As(err, &read):
		from.owed = side == inspect.FromClient // it may be sending still, and has not read yet what the backend said last
		w.note(err, opposite(side))
	default:
		w.note(err, side)
	}
	soon := time.Now().Add(w.c.limits.Timeouts.Linger)
	w.hurry(soon, from.Conn, to.Conn)
	if plain {
		sever(to.Conn)
	} else {
		to.CloseWrite()
	}
}

// peerEnded records how a side ended its direction. Whether a close_notify came before, nobody here can see.
func (w *watcher) peerEnded(side inspect.Side, err error) {
	how := inspect.PeerFIN
	if err != nil {
		if how = inspect.PeerReset; transportErrorType(err) != inspect.ErrorReset {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if side == inspect.FromClient {
		w.c.clientEnd = how
	} else {
		w.c.backend.peerEnd = how
	}
}

func opposite(side inspect.Side) inspect.Side {
	if side == inspect.FromClient {
		return inspect.FromServer
	}
	return inspect.FromClient
}

// note keeps a reset by either side for the record.
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
func (c *connection) finishPassthrough(w *watcher) {
	c.stopWatching()
	c.clientFacts, c.backend.facts = tcpFacts(c.conn), tcpFacts(c.backend.tap.Conn)
	if hello, _ := c.clientObserver.ClientHello(); hello != nil && c.clientObserver.FirstBytes(inspect.FromServer) != nil {
		// Whatever the client made of it: the backend ended the handshake.
		c.backend.err = &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhaseHandshake, Message: "the backend answered the hello with what is no TLS"}
	}
	if c.clientErr == nil {
		c.clientErr = c.unfinished(w.late)
	}
	c.backend.tap.Conn.Close()
	if c.client.owed && !c.wasCut() {
		linger(c.client, c.limits.Timeouts.Linger)
	} else {
		c.conn.Close()
	}
	c.record.Event.End = c.end()
	c.finish()
}

// unfinished says why a handshake that was only watched did not come to its end, or that nothing moved any more; nil when
// neither is so.
func (c *connection) unfinished(late bool) *inspect.Error {
	if c.clientObserver.FirstBytes(inspect.FromClient) != nil {
		return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhasePeek}
	}
	if c.clientObserver.Established() {
		if !c.idled.Load() {
			return nil
		}
		return c.overdue()
	}
	e := &inspect.Error{Type: inspect.ErrorClosed, Phase: inspect.PhaseHandshake, Message: "the connection ended before the handshake was done"}
	if _, ok := c.clientObserver.Alert(inspect.FromServer); ok {
		e.Type = inspect.ErrorAlertSent
	} else if _, ok := c.clientObserver.Alert(inspect.FromClient); ok {
		e.Type = inspect.ErrorAlertReceived
	} else if c.wasCut() {
		e.Type, e.Message = inspect.ErrorShutdown, "cut at the end of draining"
	} else if late {
		e.Type, e.Message = inspect.ErrorTimeout, "the handshake that was passed through was not done in time"
	} else if c.idled.Load() {
		e.Type, e.Message = inspect.ErrorTimeout, c.overdue().Message
	} else if by := c.firstEnd.Load(); by == endOfClient {
		e.Message = "the client ended the connection before the handshake was done"
	} else if by == endOfBackend {
		e.Message = "the backend ended the connection before the handshake was done"
	}
	return e
}
