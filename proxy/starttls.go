package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/starttls"
)

// askedForTLS goes through the dialogue in which a client of the listener asks for TLS. A backend that is asked in the same protocol takes
// part in it: what it greets with, can do and refuses is what the client hears. Which backend that is no name tells yet, so it is that
// of clients without one. The bytes returned are the beginning of the client's hello, as far as they were read; false: the
// connection came to its end.
func (c *connection) askedForTLS(ctx context.Context, prefix []byte) ([]byte, bool) {
	protocol := c.listener.StartTLS
	client := &prefixed{Conn: c.conn, prefix: prefix}
	desk := &starttls.Desk{Protocol: protocol, Client: client}
	c.asked = &inspect.StartTLS{Protocol: string(protocol)}
	if c.route = c.listener.routeFor(""); c.route == nil {
		c.unasked(&inspect.Error{Type: inspect.ErrorNoRoute, Phase: inspect.PhaseStartTLS, Message: "no route takes clients of which no name is known yet"})
		return nil, false
	}
	c.how = opening{source: c.source, destination: c.destination, adopt: c.adopt, keyLog: c.server.KeyLog, kept: c.kept != nil, greeted: protocol}
	c.towards("")
	if err := c.loop(inspect.PhaseStartTLS); err != nil {
		c.unasked(err)
		return nil, false
	}
	switch b := c.route.Backend; {
	case b.StartTLS == protocol:
		c.early = b.connect(ctx, c.limits.Timeouts, c.how)
		if c.early.established() {
			desk.Backend = c.early.tap.Conn
		}
	case protocol.Greets():
		c.early = b.open(ctx, c.limits.Timeouts, &c.server.describer, c.how)
		desk.Greeting = c.early.greeting
	}
	if desk.Backend == nil {
		desk.Cancel = func(request []byte) { c.cancel(ctx, request) }
	}
	if c.early != nil && !c.early.established() {
		c.backend, c.early = c.early, nil
		c.discardBackend()
		c.unasked(&inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS, Message: "the backend could not be reached, and the client was told so"})
		return nil, false
	}
	deadline := time.Now().Add(c.limits.Timeouts.ClientHello)
	c.conn.SetDeadline(deadline)
	if desk.Backend != nil {
		c.early.tap.Conn.SetDeadline(deadline)
	}
	agreement, err := desk.Agree()
	if err != nil {
		c.disagreed(err)
		return nil, false
	}
	c.awaited = time.Now()
	c.conn.SetDeadline(time.Time{})
	c.asked.Direct = agreement.First != nil
	if desk.Backend != nil {
		c.early.tap.Conn.SetDeadline(time.Time{})
		if c.early.agreed = agreement.Relayed; agreement.Relayed {
			c.early.asked = &inspect.StartTLS{Protocol: string(protocol)}
		}
	}
	c.route = nil
	return append(agreement.First, client.prefix...), true
}

// cancel passes a request of PostgreSQL's to end a query on to a backend that is not asked in its protocol. There is no answer to
// it but the end of the connection, which is waited for: the backend must not lose what it has not read yet.
func (c *connection) cancel(ctx context.Context, request []byte) {
	c.backend = c.route.Backend.open(ctx, c.limits.Timeouts, &c.server.describer, c.how)
	defer c.discardBackend()
	if !c.backend.established() {
		return
	}
	var backend io.Writer = c.backend.tap
	if c.backend.tls != nil {
		backend = c.backend.tls
	}
	c.backend.tap.Conn.SetWriteDeadline(time.Now().Add(c.limits.Timeouts.BackendHandshake))
	if _, err := backend.Write(request); err != nil {
		c.backend.fail(transportError(err, inspect.PhaseStartTLS))
	}
}

// unasked ends a connection on which it did not come to a dialogue.
func (c *connection) unasked(err *inspect.Error) {
	c.clientErr = err
	c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.conn.Write(starttls.Refusal(c.listener.StartTLS))
	c.failClient()
}

// disagreed ends a connection whose dialogue did not end in TLS.
func (c *connection) disagreed(err error) {
	var said *starttls.Error
	var broken *starttls.BrokenError
	switch {
	case errors.As(err, &said) && said.Client:
		c.clientErr = &inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS, Message: err.Error()}
		c.asked.Refused, c.asked.Answer = said.Refused, said.Answer
	case errors.As(err, &broken) && broken.Client:
		c.clientErr = transportError(broken.Err, inspect.PhaseStartTLS)
		if errors.Is(broken.Err, io.EOF) {
			c.clientErr.Type = inspect.ErrorEmpty // it asked for nothing
		}
	default:
		c.backend, c.early = c.early, nil
		c.backend.disagreed(err)
		c.clientErr = &inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS, Message: "the backend did not go over to TLS, and the client was told so"}
		c.discardBackend()
	}
	c.dropEarly()
	c.failClient()
}

// disagreed notes why a backend that was asked for TLS does not speak it.
func (l *backendLeg) disagreed(err error) {
	var said *starttls.Error
	l.asked = &inspect.StartTLS{Protocol: string(l.backend.StartTLS)}
	if !errors.As(err, &said) {
		l.fail(transportError(err, inspect.PhaseStartTLS))
		return
	}
	l.asked.Refused, l.asked.Answer = said.Refused, said.Answer
	l.fail(&inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS, Message: err.Error()})
}

// ask asks the backend for TLS. It reports whether that agreed.
func (l *backendLeg) ask(limits Timeouts, how opening) bool {
	protocol := l.backend.StartTLS
	l.tap.Conn.SetDeadline(time.Now().Add(limits.BackendHandshake))
	greeting, err := starttls.Ask(protocol, how.verified, l.tap.Conn)
	if err != nil {
		l.disagreed(err)
		return false
	}
	l.tap.Conn.SetDeadline(time.Time{})
	l.agreed, l.asked = true, &inspect.StartTLS{Protocol: string(protocol)}
	if how.greeted == "" {
		l.early = starttls.InTLS(protocol, greeting) // the server will not say it again, and the client waits for it
	}
	return true
}

// greet takes the backend's greeting off a leg that is ready for use, because the client was greeted before it asked for TLS.
func (l *backendLeg) greet(limits Timeouts, how opening) {
	if !how.greeted.Greets() || l.backend.StartTLS != "" {
		return
	}
	stream := &prefixed{Conn: l.tap.Conn, prefix: l.early}
	if l.tls != nil {
		stream.Conn = l.tls
	}
	l.tap.SetDeadline(time.Now().Add(limits.BackendHandshake))
	var err error
	if l.greeting, err = starttls.Greeting(how.greeted, stream); err != nil {
		l.asked = &inspect.StartTLS{Protocol: string(how.greeted)}
		var said *starttls.Error
		if errors.As(err, &said) {
			l.asked.Refused, l.asked.Answer = said.Refused, said.Answer
			l.fail(&inspect.Error{Type: inspect.ErrorStartTLS, Phase: inspect.PhaseStartTLS, Message: err.Error()})
			return
		}
		l.fail(transportError(err, inspect.PhaseStartTLS))
		return
	}
	l.early = stream.prefix
	l.tap.SetDeadline(time.Time{})
}

// earlyLeg is the leg that was opened before the client's hello, if it is the one that the hello leads to. Any other is closed.
func (c *connection) earlyLeg() *backendLeg {
	leg := c.early
	if leg == nil {
		return nil
	}
	ready := leg.tls != nil || leg.backend.Plain
	if leg.backend == c.route.Backend && (!ready || leg.name == c.how.verified && leg.sentName == c.how.sent && len(c.how.protocols) == 0) {
		c.early = nil
		return leg
	}
	c.dropEarly()
	return nil
}

// dropEarly closes the leg that was opened before the client's hello where nobody used it.
func (c *connection) dropEarly() {
	if c.early != nil {
		c.early.close()
		c.early = nil
	}
}

// prefixed is a connection of which some bytes were read already.
type prefixed struct {
	net.Conn
	prefix []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) > 0 {
		n := copy(b, p.prefix)
		p.prefix = p.prefix[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
