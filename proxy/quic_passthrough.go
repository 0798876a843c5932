package proxy

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Pass opens the way to the backend of a client whose datagrams are passed on untouched. The error is in the record, which is
// handed over.
func (q *QUIC) Pass() (net.Conn, error) {
	c := q.c
	c.passthrough = true
	b := c.route.Backend
	c.backend = &backendLeg{backend: b, started: time.Now(), passthrough: true}
	c.backend.name, _ = b.nameFor(c.serverName())
	c.hello = nil
	ctx, cancel := context.WithTimeout(c.server.ctx, c.limits.Timeouts.Dial)
	defer cancel()
	dialer := b.Dialer
	conn, err := dialer.DialContext(ctx, "udp", b.Address)
	if err != nil {
		c.backend.err = dialError(err)
		q.once()
		c.failClient()
		return nil, err
	}
	c.adopt(conn)
	c.backend.remote = conn.RemoteAddr()
	return conn, nil
}

// Watch shows the record a handshake message that is in the clear for whoever saw the client's first packet.
func (q *QUIC) Watch(from inspect.Side, message []byte, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.finished && !q.described {
		q.c.clientObserver.Feed(from, appendRecords(nil, message), at)
	}
}

// QUICPassed is how a connection that was passed through ended, as far as can be told from outside.
type QUICPassed struct {
	Established bool
	Versions    []string           // that the server speaks in place of the client's; nil: it has nothing against that
	Retry       bool               // the server sent a Retry
	Late        bool               // the handshake was not done in time
	Idle        bool               // nothing moved for the idle time
	Backend     error              // of reading from the backend; nil: none
	Close       *inspect.QUICClose // that could be read; nil: none
	Alert       *inspect.Alert     // that Close stands for; nil: none
}

// Passed hands over the record of a connection that was passed through.
func (q *QUIC) Passed(end QUICPassed) {
	if !q.once() {
		return
	}
	c := q.c
	q.facts.Close, q.facts.ServerVersions = end.Close, end.Versions
	if end.Retry {
		q.facts.Retries++
	}
	c.settle()
	leg := c.record.ClientLeg
	leg.TLS.Established = end.Established && end.Alert == nil
	e := &inspect.Error{Type: inspect.ErrorClosed, Phase: inspect.PhaseHandshake, Message: "the connection ended before the handshake was done"}
	switch {
	case end.Alert != nil:
		c.clientAlerts = append(c.clientAlerts, *end.Alert)
		if e.Type = inspect.ErrorAlertSent; end.Alert.From == inspect.FromClient {
			e.Type = inspect.ErrorAlertReceived
		}
	case end.Established:
		e = nil
	case len(end.Versions) > 0:
		e.Type, e.Message = inspect.ErrorNoCommonVersion, "QUIC version negotiation: the server speaks "+strings.Join(end.Versions, ", ")
	case end.Backend != nil:
		c.backend.err = transportError(end.Backend, inspect.PhaseHandshake)
		if errors.Is(end.Backend, net.ErrClosed) {
			c.backend.err = nil
			if c.wasCut() {
				e.Type, e.Message = inspect.ErrorShutdown, "cut at the end of draining"
			}
		} else {
			e = nil
		}
	case end.Late, end.Idle:
		e.Type, e.Message = inspect.ErrorTimeout, "the handshake that was passed through was not done in time"
	}
	c.clientErr = e
	if end.Idle && end.Established {
		c.idled.Store(true)
	}
	c.conn.Close()
	c.finish()
}
