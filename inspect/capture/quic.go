package capture

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// quicConn reads one QUIC connection.
type quicConn struct {
	flow     quicwire.Flow
	observer *inspect.Observer
	shown    shown
	message  quicwire.Message
	initials [2]initials      // by who sent the first packet, as the capture has it
	cut      bool             // the capture does not have all bytes of an Initial packet
	hello    int              // datagrams that the ClientHello came in
	frames   int              // that it was cut into
	version  quicwire.Version // that it came in
	again    []byte           // the ClientHello that the client sent after a version negotiation
	tail     quicTail
	record   []byte
}

func newQUIC(t *Tracker) *quicConn {
	q := &quicConn{observer: t.takeObserver()}
	q.observer.SetTransport(inspect.TransportQUIC)
	if !t.keys.empty() {
		q.flow.Secrets = t.keys.forQUIC
	}
	return q
}

// initials are the datagrams of one side with Initial packets.
type initials struct {
	all         int // datagrams
	short       int // of these, those below the size that they must have
	until       int // datagrams, until a ClientHello was whole
	shortUntil  int
	first, last int64
}

// minInitial is the size of a client's datagram with an Initial packet, at least (RFC 9000, Section 14.1).
const minInitial = 1200

// otherBegins reports whether a datagram begins another connection between the same ports. Only one with a long header can.
func (q *quicConn) otherBegins(side int, s *segment) bool {
	b := s.payload
	if b[0]&0x80 == 0 {
		return false
	}
	had, before := q.initialPackets(), q.packets()
	err := q.flow.Datagram(quicwire.Side(side), b)
	if errors.Is(err, quicwire.ErrOtherConnection) {
		return true
	}
	q.tail = q.tailOf(before, s)
	var unread *quicwire.PacketError
	q.cut = q.cut || s.missing > 0 && errors.As(err, &unread) && unread.Type == quicwire.PacketInitial
	if q.initialPackets() == had && !quicwire.MayBegin(b) {
		return false
	}
	own, short := &q.initials[side], 0
	if len(b)+s.missing < minInitial {
		short = 1
	}
	if own.all == 0 {
		own.first = s.at
	}
	own.all++
	own.short += short
	own.last = max(own.last, s.at)
	if q.hello == 0 {
		own.until++
		own.shortUntil += short
	}
	return false
}

// initialPackets is how many Initial packets came, of both sides.
func (q *quicConn) initialPackets() int {
	return q.flow.Stats(quicwire.FromClient).Initial + q.flow.Stats(quicwire.FromServer).Initial
}

// datagram reads a datagram; true: the handshake is over. One with a long header was given to the flow by otherBegins.
func (q *quicConn) datagram(side int, s *segment, at time.Time) bool {
	if s.payload[0]&0x80 == 0 {
		before := q.packets()
		_ = q.flow.Datagram(quicwire.Side(side), s.payload) // what cannot be opened is counted by the flow
		q.tail = q.tailOf(before, s)
	}
	for q.flow.Next(&q.message) {
		q.read(&q.message, at)
	}
	return q.flow.Close() != nil || q.flow.Stats(quicwire.FromClient).OneRTT > 0 && q.flow.Stats(quicwire.FromServer).OneRTT > 0
}

// read shows the observer a message, in a record as TLS over TCP would have it: QUIC has none (RFC 9001, Section 4.1.3).
func (q *quicConn) read(m *quicwire.Message, at time.Time) {
	from := inspect.FromClient
	if m.From == quicwire.FromServer {
		from = inspect.FromServer
	}
	if m.Level != quicwire.LevelInitial {
		q.shown.message(from, m.Bytes)
		return
	}
	if from == inspect.FromClient && wire.HandshakeType(m.Type) == wire.HandshakeTypeClientHello {
		if q.hello == 0 {
			q.hello, q.frames, q.version = m.Datagrams, m.Frames, m.Version
		} else if q.flow.VersionNegotiation() != nil {
			q.again = m.Bytes
		}
	}
	q.record = appendRecords(q.record[:0], m.Bytes)
	q.observer.Feed(from, q.record, at)
}

// appendRecords appends a handshake message in records.
func appendRecords(dst, message []byte) []byte {
	const most = 1 << 14
	for len(message) > 0 {
		n := min(len(message), most)
		dst = append(dst, byte(wire.ContentTypeHandshake), 3, 3, byte(n>>8), byte(n))
		dst = append(dst, message[:n]...)
		message = message[n:]
	}
	return dst
}

func (q *quicConn) held() int64 { return int64(q.flow.Held()) }

// certain reports whether this was QUIC, and something of it could be read.
func (q *quicConn) certain() bool {
	return q.flow.Authentic() || len(q.flow.VersionNegotiation()) > 0
}

func (q *quicConn) describe(t *Tracker, r *inspect.Connection, last *monologue) {
	client, server := q.flow.Stats(quicwire.FromClient), q.flow.Stats(quicwire.FromServer)
	if r.Capture.OneWay == inspect.FromClient && client.Handshake+client.OneRTT == 0 {
		r.Capture.OneWay = "" // nothing says that the server answered at all
	}
	tls := q.observer.TLS()
	r.ClientLeg.TLS = tls
	if hello := tls.Client; hello != nil {
		hello.RecordVersion = ""
		if hello.Message != nil {
			hello.Message.Records, hello.Message.Segments = 0, q.hello
		}
		var second wire.ClientHello
		if hello.Retry != nil {
			hello.Retry.RecordVersion = ""
		} else if wire.ParseClientHello(q.again, &second) == nil {
			hello.Retry = t.describer.Hello(&second, 0, inspect.TransportQUIC)
		}
	} else if partial, announced := q.flow.Partial(quicwire.FromClient); len(partial) > 0 {
		tls.Client = &inspect.Hello{Message: &inspect.HelloBytes{Size: max(announced, len(partial)), Raw: append([]byte(nil), partial...)}}
	}
	r.ClientLeg.QUIC = q.facts()
	if g := q.flow.GQUIC(); g != nil {
		q.google(r, g)
		return
	}
	tls.Established = q.observer.ServerHelloSeen() && client.OneRTT > 0 || r.Capture.OneWay != "" && client.OneRTT > 0
	if q.shown.apply(tls, t.describer) {
		r.Capture.Decrypted = true
		t.stats.Decrypted++
	}
	q.closed(r)
	if e := r.ClientLeg.Error; e != nil && e.Type == inspect.ErrorClosed && r.Capture.End == inspect.EndFINClient && q.halfHello() {
		e.Type, e.Phase, e.Message = inspect.ErrorIncompleteHello, inspect.PhasePeek, "the rest of the hello never came, and the client gave up: "+e.Message
	}
	if e := r.ClientLeg.Error; e != nil && e.Type == inspect.ErrorClosed && r.Capture.End == inspect.EndFINClient && server.Datagrams > 0 &&
		(last.side == 1) == q.flow.Swapped() && last.datagrams > 1 && last.until-last.from >= longSilence {
		e.Type, e.Message = inspect.ErrorStalled, fmt.Sprintf("the client sent %s by the server, and gave up: %s", last, e.Message)
	}
	if r.ClientLeg.Error == nil && !tls.Established {
		r.ClientLeg.Error = q.failure(t, r, client, server, last)
	}
	if r.ClientLeg.Error == nil && !tls.Established && !r.Capture.Decrypted {
		q.infer(t, r, client, server, last)
	}
}

// facts are what the packets show beside TLS.
func (q *quicConn) facts() *inspect.QUIC {
	own := q.own()
	facts := &inspect.QUIC{
		Datagrams: own.until, ShortDatagrams: own.shortUntil, CryptoFrames: q.frames,
		Retries: q.flow.Stats(quicwire.FromServer).Retries, Token: len(q.flow.Token()) > 0,
	}
	if v := q.flow.FirstVersion(); v != 0 {
		facts.Version = v.String()
	}
	if g := q.flow.GQUIC(); g != nil {
		facts.Version = g.Version.String()
	}
	for _, v := range q.flow.VersionNegotiation() {
		if !v.Reserved() {
			facts.ServerVersions = append(facts.ServerVersions, v.String())
		}
	}
	if hello, err := q.observer.ClientHello(); hello != nil && err == nil {
		facts.TransportParameters = inspect.TransportParametersOf(hello, q.version)
	}
	return facts
}

// own are the client's datagrams with Initial packets.
func (q *quicConn) own() *initials {
	if q.flow.Swapped() {
		return &q.initials[1]
	}
	return &q.initials[0]
}

// begun reports whether nothing but first packets was seen: neither side had what the other said.
func (q *quicConn) begun() bool {
	client, server := q.flow.Stats(quicwire.FromClient), q.flow.Stats(quicwire.FromServer)
	return client.Handshake+client.OneRTT+server.Handshake+server.OneRTT == 0
}

// halfHello reports whether some of a hello came and never all of it, although the capture has all bytes of its datagrams.
func (q *quicConn) halfHello() bool {
	return q.hello == 0 && !q.cut && q.flow.Stats(quicwire.FromClient).CryptoFrames > 0 && q.begun()
}

// google names a client of Google's QUIC, which has no TLS.
func (q *quicConn) google(r *inspect.Connection, g *quicwire.GQUICHello) {
	r.ClientLeg.TLS.Client = &inspect.Hello{ServerName: inspect.Bounded(string(g.SNI)), Message: &inspect.HelloBytes{}}
	summary := fmt.Sprintf("%s CHLO %s", g.Version, g.SNI)
	r.ClientLeg.FirstBytes = &inspect.FirstBytes{Protocol: "gquic", Summary: wire.FirstLine([]byte(summary), maxSummary)}
}

// closed takes up a CONNECTION_CLOSE. A crypto error is a TLS alert (RFC 9001, Section 4.8).
func (q *quicConn) closed(r *inspect.Connection) {
	end := q.flow.Close()
	if end == nil {
		return
	}
	from, kind := inspect.FromClient, inspect.ErrorAlertReceived
	r.Capture.End = inspect.EndFINClient
	if end.From == quicwire.FromServer {
		from, kind = inspect.FromServer, inspect.ErrorAlertSent
		r.Capture.End = inspect.EndFINServer
	}
	if !end.Google && !(r.ClientLeg.TLS.Established && inOrder(end)) {
		r.ClientLeg.QUIC.Close = inspect.QUICCloseOf(end)
	}
	if description, ok := end.Alert(); ok {
		r.ClientLeg.TLS.AddAlerts(inspect.NewAlert(wire.AlertLevelFatal, wire.AlertDescription(description), from))
		r.ClientLeg.TLS.Established = false
		r.ClientLeg.Error = &inspect.Error{Type: kind, Phase: inspect.PhaseHandshake, Message: closeMessage(end)}
		return
	}
	if !r.ClientLeg.TLS.Established {
		r.ClientLeg.Error = &inspect.Error{Type: inspect.ErrorClosed, Phase: inspect.PhaseHandshake, Message: closeMessage(end)}
	}
}

// inOrder reports whether a close is how connections end that did what they were for (RFC 9000, Section 20.1; RFC 9114, Section 8.1).
func inOrder(end *quicwire.Close) bool {
	const noError, http3NoError = 0, 0x100
	return end.Code == noError || end.Application && end.Code == http3NoError
}

func closeMessage(end *quicwire.Close) string {
	m := "CONNECTION_CLOSE " + end.CodeName() + " from the " + end.From.String()
	if len(end.Reason) > 0 {
		m += ": " + wire.FirstLine(end.Reason, maxSummary)
	}
	return m
}

// stuck says what keeps a client beginning again and again; nil: it does not, or that is not seen.
func (q *quicConn) stuck(server quicwire.Stats) *inspect.Error {
	own := q.own()
	if !q.begun() || own.all < 3 || own.last-own.first < longSilence {
		return nil
	}
	said := fmt.Sprintf("%d datagrams in %.1f s", own.all, float64(own.last-own.first)/1e9)
	switch {
	case own.short == own.all && server.Datagrams == 0:
		return &inspect.Error{
			Type: inspect.ErrorNoAnswer, Phase: inspect.PhasePeek,
			Message: "the client sent " + said + ", each of which is too small to be answered",
		}
	case q.halfHello():
		return &inspect.Error{Type: inspect.ErrorIncompleteHello, Phase: inspect.PhasePeek, Message: "the rest of the hello never came, in " + said}
	case server.Retries >= 2 && server.Initial == 0 && len(q.flow.Token()) == 0:
		return &inspect.Error{Type: inspect.ErrorStalled, Phase: inspect.PhasePeek, Message: "the client began again and again without the token that it was sent: " + said}
	}
	return nil
}

// failure says why no handshake came about; nil when the capture does not show it.
func (q *quicConn) failure(t *Tracker, r *inspect.Connection, client, server quicwire.Stats, last *monologue) *inspect.Error {
	if versions := q.flow.VersionNegotiation(); versions != nil && server.Initial+server.Handshake+server.OneRTT == 0 {
		var names []string
		for _, v := range versions {
			if !v.Reserved() {
				names = append(names, v.String())
			}
		}
		return &inspect.Error{
			Type: inspect.ErrorNoCommonVersion, Phase: inspect.PhaseHandshake,
			Message: "QUIC version negotiation: the server speaks " + strings.Join(names, ", "),
		}
	}
	if e := q.stuck(server); e != nil {
		return e
	}
	if r.Capture.OneWay != "" {
		return nil
	}
	if last.inVain() && server.OneRTT+client.OneRTT == 0 {
		fail := &inspect.Error{Type: inspect.ErrorStalled, Phase: inspect.PhaseHandshake}
		if server.Datagrams == 0 {
			if !t.bothWays {
				return nil
			}
			fail.Type = inspect.ErrorNoAnswer
		}
		speaker, silent := inspect.FromClient, inspect.FromServer
		if (last.side == 1) != q.flow.Swapped() {
			speaker, silent = silent, speaker
		}
		fail.Message = fmt.Sprintf("the %s sent %s by the %s", speaker, last, silent)
		return fail
	}
	return nil
}
