package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// end closes a leg of which nothing but the handshake was wanted.
func (l *backendLeg) end(limits Timeouts) {
	if l.established() {
		l.facts = tcpFacts(l.tap.Conn)
		l.close()
	} else if l.tap != nil {
		linger(l.tap, limits.Linger)
	}
}

// settle waits for the first thing that a TLS 1.3 backend sends after the handshake when it had asked for a client
// certificate: a refusal comes only then, and the client should hear of it before its own leg is promised anything.
func (l *backendLeg) settle(limits Timeouts) {
	if l.request == nil || l.state.Version != tls.VersionTLS13 {
		return
	}
	l.tap.SetReadDeadline(time.Now().Add(min(limits.BackendHandshake, limits.Settle)))
	l.tap.once = true
	early := make([]byte, 4096)
	n, err := l.tls.Read(early) // errDrained after one flight of tickets
	l.tap.once, l.tap.yields = false, false
	l.tap.SetReadDeadline(time.Time{})
	if n > 0 {
		l.early = early[:n]
	} else if errors.Is(err, io.EOF) {
		// Nothing was sent to it that it could have had enough of, but our answer to its request.
		l.err = &inspect.Error{Type: inspect.ErrorClosed, Message: "the backend closed the connection after its request for a client certificate was answered"}
	}
	l.note(err)
	if l.err != nil {
		l.err.Phase = inspect.PhaseHandshake // as far as the client is concerned
		l.fail(l.err)
	}
}

// note records how reading from the established leg ended when that was no clean end.
func (l *backendLeg) note(err error) {
	if l.err != nil {
		return
	}
	if e, alerts := transferError(err, inspect.FromServer); e != nil {
		l.err, l.alerts = e, append(l.alerts, alerts...)
	}
}

func (l *backendLeg) close() {
	if l.tls != nil && l.err == nil {
		l.tap.SetDeadline(time.Now().Add(time.Second))
		l.tls.Close()
		return
	}
	l.tap.Close()
}
