package proxy

import (
	"errors"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Where a client's first flight starts out; most hellos fit, post-quantum ones too.
const peekBuffer = 2048

// How long a peer that speaks no TLS is listened to so that its protocol can be named.
const nameTimeout = 300 * time.Millisecond

var errNoHello = errors.New("no hello")

// peek reads the client's first flight up to the end of its hello without consuming it: what was read is handed out again
// by the tap. A hello may come in many segments and many records.
func (c *connection) peek(prefix []byte) error {
	observer := c.clientObserver
	buffer := make([]byte, len(prefix), max(peekBuffer, len(prefix)))
	copy(buffer, prefix)
	if len(buffer) > 0 {
		observer.Feed(inspect.FromClient, buffer, c.started)
		c.kept.add(inspect.FromClient, buffer, c.started)
	}
	since := c.started
	if !c.awaited.IsZero() {
		since = c.awaited // the client had to ask for TLS before
	}
	deadline := since.Add(c.limits.Timeouts.ClientHello)
	c.conn.SetReadDeadline(deadline)
	naming := false
	for {
		c.client.prefix = buffer
		if observer.FirstBytes(inspect.FromClient) != nil {
			c.clientErr = &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhasePeek}
			return errNoHello
		}
		if !naming && observer.NotTLS(inspect.FromClient) {
			// No more than what helps to name it.
			naming = true
			if soon := time.Now().Add(nameTimeout); soon.Before(deadline) {
				c.conn.SetReadDeadline(soon)
			}
		}
		hello, err := observer.ClientHello()
		if err != nil {
			c.clientErr = &inspect.Error{Type: inspect.ErrorMalformedHello, Message: err.Error(), Phase: inspect.PhasePeek}
			if tooLarge(err) {
				c.clientErr.Type = inspect.ErrorHelloTooLarge
			}
			return err
		}
		if hello != nil {
			c.hello = hello
			c.conn.SetReadDeadline(time.Time{})
			return nil
		}
		if len(buffer) >= c.limits.HelloBytes {
			c.clientErr = &inspect.Error{Type: inspect.ErrorHelloTooLarge, Phase: inspect.PhasePeek, Message: "the hello is not whole at the bound on its bytes"}
			return errNoHello
		}
		if len(buffer) == cap(buffer) {
			larger := make([]byte, len(buffer), min(2*cap(buffer), c.limits.HelloBytes))
			copy(larger, buffer)
			buffer = larger
		}
		n, err := c.conn.Read(buffer[len(buffer):cap(buffer)])
		if n > 0 {
			c.client.see(inspect.FromClient, buffer[len(buffer):len(buffer)+n])
			buffer = buffer[:len(buffer)+n]
			continue
		}
		if err != nil {
			c.clientErr = c.peekError(err, len(buffer))
			return err
		}
	}
}

// peekError says how a connection ended before its hello was whole.
func (c *connection) peekError(err error, seen int) *inspect.Error {
	e := transportError(err, inspect.PhasePeek)
	if e.Type == inspect.ErrorClosed {
		e.Type = inspect.ErrorIncompleteHello
		switch {
		case seen > 0:
		case c.asked != nil:
			e.Type = inspect.ErrorClosed // it had said that it wants TLS
		default:
			e.Type = inspect.ErrorEmpty
		}
	}
	if c.clientObserver.EndOfStream(inspect.FromClient); c.clientObserver.NotTLS(inspect.FromClient) {
		e.Type = inspect.ErrorNotTLS
	}
	return e
}

// tooLarge reports whether a hello was refused for its announced length.
func tooLarge(err error) bool {
	var broken *wire.StreamError
	return errors.As(err, &broken) && broken.Kind == wire.StreamMessageLength
}
