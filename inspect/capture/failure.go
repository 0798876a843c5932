package capture

import (
	"errors"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// failure says why a leg was not established; nil when it was, or when the capture does not show enough to say.
func (c *tcpConn) failure(leg *inspect.Leg, seen *inspect.Capture) *inspect.Error {
	if c.tls == nil {
		return c.failureBeforeTLS(leg)
	}
	o := c.tls.observer
	if first := o.FirstBytes(inspect.FromClient); first != nil && !seen.Midstream {
		leg.FirstBytes = first
		return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhasePeek}
	}
	if first := o.FirstBytes(inspect.FromServer); first != nil && !seen.Midstream {
		leg.FirstBytes = first
		return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhaseHandshake, Message: "the server's first bytes are no TLS"}
	}
	if leg.TLS.Established {
		return nil
	}
	if e := alertError(leg.TLS.Alerts); e != nil {
		return e
	}
	if !seen.Midstream {
		if e := c.refusedInClear(leg); e != nil {
			return e
		}
	}
	if len(seen.Inferred) > 0 {
		return nil // that it failed is no more than likely
	}
	whole := !c.disordered && seen.OneWay == "" && !seen.Midstream && !c.stream[0].broken && !c.stream[1].broken && c.half[0].lost == 0 && c.half[1].lost == 0
	if hello, _ := o.ClientHello(); hello != nil && hello.SSLv2 && c.stream[c.client].records.bad && leg.TLS.Version == "" && (whole || c.heard == 0 && c.closer(seen.End) == c.client && c.half[c.client].lost == 0) {
		// A client of TLS waits for the answer to such a hello (RFC 5246, Appendix E.2): this is another protocol in disguise.
		leg.FirstBytes = &inspect.FirstBytes{Protocol: string(wire.ProtocolUnknown), Summary: "an SSLv2 hello, and behind it, before any answer, what is no TLS"}
		return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhasePeek}
	}
	if !whole {
		return nil // what is missing may be what was missing
	}
	if leg.TLS.Version == wire.VersionSSLv2.String() {
		return nil // of which nothing is visible from here on
	}
	return c.unfinished(leg, seen)
}

// alertError is the error of the last fatal alert; nil: there was none.
func alertError(alerts []inspect.Alert) *inspect.Error {
	for i := len(alerts) - 1; i >= 0; i-- {
		if alerts[i].Level != wire.AlertLevelFatal.String() {
			continue
		}
		if alerts[i].From == inspect.FromServer {
			return &inspect.Error{Type: inspect.ErrorAlertSent, Phase: inspect.PhaseHandshake}
		}
		return &inspect.Error{Type: inspect.ErrorAlertReceived, Phase: inspect.PhaseHandshake}
	}
	return nil
}

// refused reports whether a server refused the client's certificate behind the client's Finished, when from outside the
// handshake looks done (RFC 8446, Section 4.4.2.4).
func refused(alerts []inspect.Alert) bool {
	for _, a := range alerts {
		switch d := wire.AlertDescription(a.Code); {
		case a.From != inspect.FromServer:
		case d >= wire.AlertNoCertificate && d <= wire.AlertAccessDenied && d != wire.AlertIllegalParameter, d == wire.AlertCertificateRequired:
			return true
		}
	}
	return false
}

// unfinished says what ended a handshake, or stopped it.
func (c *tcpConn) unfinished(leg *inspect.Leg, seen *inspect.Capture) *inspect.Error {
	o := c.tls.observer
	hello, err := o.ClientHello()
	phase := inspect.PhaseHandshake
	if hello == nil {
		phase = inspect.PhasePeek
	}
	fail := func(t inspect.ErrorType, message string) *inspect.Error {
		return &inspect.Error{Type: t, Phase: phase, Message: message}
	}
	var broken *wire.StreamError
	var malformed *wire.ParseError
	switch {
	case errors.As(err, &broken) && broken.Kind == wire.StreamMessageLength:
		return fail(inspect.ErrorHelloTooLarge, err.Error())
	case err != nil && (errors.As(err, &broken) || errors.As(err, &malformed)) && !o.ServerHelloSeen():
		return fail(inspect.ErrorMalformedHello, err.Error())
	case seen.Stuck != nil && seen.End != inspect.EndFINClient && seen.End != inspect.EndFINServer || seen.Stuck != nil && seen.Stuck.Times > 2:
		return fail(inspect.ErrorStuck, "a segment of the handshake was sent again and never acknowledged")
	}
	if hello != nil {
		if message := c.silence(seen.End); message != "" {
			return fail(inspect.ErrorStalled, message)
		}
	}
	switch seen.End {
	case inspect.EndResetClient, inspect.EndResetServer:
		return fail(inspect.ErrorReset, "reset by packets of the "+resetter(seen.End))
	case inspect.EndFINClient, inspect.EndFINServer:
		if hello == nil {
			return fail(inspect.ErrorIncompleteHello, "closed in the middle of the hello")
		}
		return fail(inspect.ErrorClosed, c.closed(seen.End))
	case inspect.EndIdle:
		if c.goesOnElsewhere() {
			return nil
		}
		return fail(inspect.ErrorStalled, fmt.Sprintf("nothing came any more behind packet %d", max(c.half[0].spoke, c.half[1].spoke)))
	}
	return nil // the capture ends here, not the connection
}

// goesOnElsewhere reports whether a connection that falls silent must have gone on outside of the capture, of which somebody kept only
// the first packets: what was sent is not acknowledged and yet not sent again, or somebody stopped in the middle of a record.
func (c *tcpConn) goesOnElsewhere() bool {
	for side := range c.half {
		h, st := &c.half[side], &c.stream[side]
		if h.stuck.times > 1 {
			return false // it was sent again, in vain
		}
		if h.delivered > 0 && (!h.hasAck || int32(h.next-h.acked) > 0) || st.tls && st.records.inside() {
			return true
		}
	}
	return false
}

// longSilence is after how much silence of one side, in nanoseconds, a connection that the other then ends was given up.
// Nobody's handshake takes as long to think, and few clients wait for less.
const longSilence = 1e9

// silence says how a side waited in vain for the other, until it gave up; empty when that was not the end. Whose turn it was
// is told by who spoke last.
func (c *tcpConn) silence(end inspect.CaptureEnd) string {
	closer := c.closer(end)
	if closer < 0 {
		return ""
	}
	own, peer := &c.half[closer], &c.half[1-closer]
	if st := &c.stream[1-closer]; st.tls && st.records.inside() && peer.spoke > own.spoke && c.endedAt-peer.spokeAt >= longSilence && c.unheard() == nil {
		return fmt.Sprintf("the %s stopped in the middle of a message (packet %d) and said nothing for %.1f s; then the %s gave up and %s the connection (packet %d)",
			c.sideName(1-closer), peer.spoke, float64(c.endedAt-peer.spokeAt)/1e9, c.sideName(closer), ending(end), c.ended)
	}
	waited := c.endedAt - own.spokeAt
	unanswered := c.leftUnanswered()
	if own.spoke == 0 || own.spoke < peer.spoke && !unanswered || waited < longSilence {
		return ""
	}
	what, how := "the last message", ending(end)
	if closer == c.client && (peer.spoke == 0 || unanswered) {
		what = "the hello"
	}
	side, other := c.sideName(closer), c.sideName(1-closer)
	message := fmt.Sprintf("the %s said nothing for %.1f s after %s from the %s (packet %d), which then gave up and %s the connection (packet %d)", other, float64(waited)/1e9, what, side, own.spoke, how, c.ended)
	switch {
	case unanswered && peer.spokeAt < c.endedAt:
		message = fmt.Sprintf("the client gave up and closed the connection %.1f s after its hello (packets %d and %d); of an answer that passed here %.1f s after the hello not one whole record had reached it", float64(waited)/1e9, own.spoke, c.ended, float64(peer.spokeAt-own.spokeAt)/1e9)
	case unanswered:
		message += fmt.Sprintf("; an answer that came %.1f s after it was too late", float64(peer.spokeAt-own.spokeAt)/1e9)
	case own.hasAck && int32(own.acked-own.spokeEnd()) < 0:
		message += "; nor did it acknowledge all of it"
	case own.hasAck && own.fin && int32(own.acked-own.finEnd) < 0 && c.lastAt-own.closedAt > againTime:
		message += "; it acknowledged what had been said, but not that the connection was closed"
	}
	return message
}

// againTime is after what time, in nanoseconds, what is not acknowledged is sent again, at the least.
const againTime = 150e6

// ending says how a connection was ended.
func ending(end inspect.CaptureEnd) string {
	if end == inspect.EndResetClient || end == inspect.EndResetServer {
		return "reset"
	}
	return "closed"
}

// leftUnanswered reports whether the client left before a byte of what the server said had reached it.
func (c *tcpConn) leftUnanswered() bool {
	u := c.unheard()
	return u != nil && u.Records == 0 && c.client == 0 && (c.end == inspect.EndFINClient || c.end == inspect.EndResetClient)
}

// closer is the side that ended the connection first; -1: none did.
func (c *tcpConn) closer(end inspect.CaptureEnd) int {
	switch end {
	case inspect.EndFINClient, inspect.EndResetClient:
		return c.client
	case inspect.EndFINServer, inspect.EndResetServer:
		return 1 - c.client
	}
	return -1
}

// closed says who closed a connection in the middle of its handshake, and when.
func (c *tcpConn) closed(end inspect.CaptureEnd) string {
	closer := c.closer(end)
	if own := &c.half[c.client]; closer == c.client && own.spoke > 0 && (c.half[1-c.client].spoke == 0 || c.leftUnanswered()) {
		return fmt.Sprintf("the client closed the connection %.0f ms after its hello, before an answer had reached it (packet %d)", float64(max(0, c.endedAt-own.spokeAt))/1e6, c.ended)
	}
	if own := &c.half[c.client]; closer == 1-c.client && own.spoke > c.ended && c.spokeAt == 0 {
		return fmt.Sprintf("the server closed the connection before the client had said anything (packet %d); the hello that came then was too late", c.ended)
	}
	return fmt.Sprintf("the %s closed the connection %.0f ms after the last message, before the handshake was done (packet %d)", c.sideName(closer), float64(max(0, c.endedAt-c.spokeAt))/1e6, c.ended)
}

func resetter(end inspect.CaptureEnd) string {
	if end == inspect.EndResetClient {
		return "client"
	}
	return "server"
}

// unheardAnswer reports whether a client asks for a connection again and again though it is answered: the answers do not reach it. One that
// asks but once may be looking for open ports.
func (c *tcpConn) unheardAnswer() bool {
	return c.syns > 1 && c.synAcks > 1 && c.rttAt == 0 && c.half[0].packets == uint64(c.syns) && c.askedAt-c.synAt >= longSilence/2
}

// unreached reports whether a side's Finished was sent again and again and never reached the other, which went on with nothing: from outside
// the handshake looks done, and is not.
func (c *tcpConn) unreached() bool {
	k := c.tls
	for side := range c.half {
		h, peer := &c.half[side], &c.half[1-side]
		if h.stuck.times <= 2 || len(h.stuck.packets) == 0 || peer.spoke > h.stuck.packets[0] || h.lost > 0 || k.upgrade != "" || c.stream[side].carrier != nil {
			continue
		}
		reached := int64(int32(h.stuck.seq - (h.next - uint32(h.delivered) - h.finSize())))
		sent, encrypted := int64(0), false
		for _, m := range k.marks {
			if int(m.side) != side {
				continue
			}
			encrypted = encrypted || m.kind == byte(wire.ContentTypeChangeCipherSpec)
			if m.kind == byte(wire.ContentTypeApplicationData) || encrypted && m.kind == byte(wire.ContentTypeHandshake) {
				return reached <= sent
			}
			const header = 5
			sent += header + int64(m.length)
		}
	}
	return false
}

// failureBeforeTLS says why a connection to a server of TLS ended before TLS.
func (c *tcpConn) failureBeforeTLS(leg *inspect.Leg) *inspect.Error {
	client, server := &c.half[0], &c.half[1]
	switch {
	case client.payload > 0:
		p := c.stream[0].sniff()
		if p == wire.ProtocolTLS {
			return &inspect.Error{Type: inspect.ErrorIncompleteHello, Phase: inspect.PhasePeek, Message: "closed in the middle of the hello"}
		}
		first := c.stream[0].prefix
		line, _, _ := cutLine(first)
		leg.FirstBytes = &inspect.FirstBytes{Protocol: string(p), Summary: wire.FirstLine(line, maxSummary), Raw: append([]byte(nil), line...)}
		return &inspect.Error{Type: inspect.ErrorNotTLS, Phase: inspect.PhasePeek}
	case server.packets == 0:
		return &inspect.Error{Type: inspect.ErrorNoAnswer, Phase: inspect.PhaseDial, Message: "the connection request was never answered"}
	case c.unheardAnswer():
		return &inspect.Error{
			Type: inspect.ErrorUnacknowledged, Phase: inspect.PhaseDial,
			Message: fmt.Sprintf("the connection request came %d times and was answered %d times, and the client never acknowledged the answer", c.syns, c.synAcks),
		}
	case server.rst && !c.synAck:
		return &inspect.Error{Type: inspect.ErrorRefused, Phase: inspect.PhaseDial}
	case server.rst && c.end == inspect.EndResetServer:
		return &inspect.Error{Type: inspect.ErrorReset, Phase: inspect.PhasePeek, Message: "reset before the first byte"}
	case c.end == inspect.EndFINServer && c.rttAt > 0 && c.endedAt-c.rttAt < longSilence:
		return &inspect.Error{
			Type: inspect.ErrorClosed, Phase: inspect.PhasePeek,
			Message: fmt.Sprintf("the server closed the connection %.0f ms after it was open, before the client had said anything (packet %d)", float64(c.endedAt-c.rttAt)/1e6, c.ended),
		}
	case c.end == inspect.EndFINServer && c.rttAt > 0:
		return &inspect.Error{
			Type: inspect.ErrorEmpty, Phase: inspect.PhasePeek,
			Message: fmt.Sprintf("the client sent nothing for %.1f s; then the server closed the connection", float64(c.endedAt-c.rttAt)/1e9),
		}
	case client.rst || client.fin || server.fin:
		return &inspect.Error{Type: inspect.ErrorEmpty, Phase: inspect.PhasePeek}
	case c.end == inspect.EndIdle && c.synAck:
		return &inspect.Error{Type: inspect.ErrorEmpty, Phase: inspect.PhasePeek, Message: "the client sent nothing, and nobody closed the connection"}
	}
	return nil
}
