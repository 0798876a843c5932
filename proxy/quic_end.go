package proxy

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// QUICEnd is how a QUIC connection came to its end.
type QUICEnd struct {
	TLS    error                 // what crypto/tls said here; nil: it had nothing to say
	Alert  wire.AlertDescription // that one side sent as a crypto error; see Alerted
	Alerts bool                  // Alert was sent
	Remote bool                  // the client ended it
	Idle   bool                  // nothing moved for the idle time
	Type   inspect.ErrorType     // where no alert tells more; empty: the end was in order
	Text   string                // the library's own words
	Close  *inspect.QUICClose    // the CONNECTION_CLOSE; nil: none came or went, or it was in order
}

// Failed says that the handshake did not come to its end, and hands the record over.
func (q *QUIC) Failed(end QUICEnd) {
	if !q.once() {
		return
	}
	close(q.settled)
	c := q.c
	q.facts.Close = end.Close
	c.clientErr = q.handshakeError(end)
	if end.TLS != nil {
		c.refusal = end.TLS
	}
	if c.backend != nil {
		c.closeBackend()
		if !c.backend.established() {
			c.discardBackend()
		}
	}
	c.failClient()
}

// once reports whether the record was not handed over yet.
func (q *QUIC) once() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := !q.finished
	q.finished = true
	return first
}

// handshakeError says why the handshake failed, in the same words as for TCP.
func (q *QUIC) handshakeError(end QUICEnd) *inspect.Error {
	c := q.c
	e := &inspect.Error{Type: end.Type, Message: end.Text, Phase: inspect.PhaseHandshake}
	switch {
	case end.Alerts && end.Remote:
		c.clientAlerts = append(c.clientAlerts, newAlert(end.Alert, inspect.FromClient))
		e.Type = inspect.ErrorAlertReceived
	case end.TLS != nil:
		if _, certificate := certificateAlert(end.TLS); end.Alerts && !certificate {
			c.client.see(inspect.FromServer, []byte{byte(wire.ContentTypeAlert), 3, 3, 0, 2, byte(wire.AlertLevelFatal), byte(end.Alert)})
		}
		e = c.clientHandshakeError(end.TLS)
	case end.Alerts:
		c.clientAlerts = append(c.clientAlerts, newAlert(end.Alert, inspect.FromServer))
		e.Type = inspect.ErrorAlertSent
	case e.Type == "":
		e.Type = inspect.ErrorClosed
	}
	return e
}

// Ended says that a connection whose handshake was done is over, and hands its record over once the last request was answered.
func (q *QUIC) Ended(end QUICEnd) {
	if !q.once() {
		return
	}
	c := q.c
	q.facts.Close = end.Close
	q.session.clientClosed(end)
	if end.Type != "" && !c.wasCut() {
		c.clientErr = &inspect.Error{Type: end.Type, Message: end.Text, Phase: inspect.PhaseTransfer}
		if end.Alerts {
			from := inspect.FromServer
			if c.clientErr.Type = inspect.ErrorAlertSent; end.Remote {
				from, c.clientErr.Type = inspect.FromClient, inspect.ErrorAlertReceived
			}
			c.clientAlerts = append(c.clientAlerts, newAlert(end.Alert, from))
		}
	}
	q.session.end()
}

// clientClosed notes how the client of a connection over QUIC ended it, if it did.
func (s *httpSession) clientClosed(end QUICEnd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case end.Remote:
		s.c.clientEnd = inspect.PeerClose
		s.c.ends(endOfClient)
	case end.Type == inspect.ErrorReset: // a stateless reset (RFC 9000, Section 10.3)
		s.c.clientEnd = inspect.PeerReset
		s.c.ends(endOfClient)
	case end.Idle:
		s.c.ends(endOfIdleness)
	}
}
