package probe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

const (
	datagramSize      = 1200                   // RFC 9000, Section 14.1: at least, for a datagram with an Initial packet
	retransmitAfter   = 400 * time.Millisecond // doubled each time
	maxRetransmits    = 4
	maxDatagram       = 1 << 16
	datagramRoom      = datagramSize - quicwire.SealedOverhead - 8 // for frames, without ids and token; 8 for a CRYPTO frame's head
	destinationIDSize = 8                                          // RFC 9000, Section 7.2: at least
)

// quicRun is an exchange over QUIC: Initial packets, and as much of Handshake packets as it takes to read the server's flight.
type quicRun struct {
	*run
	version  quicwire.Version
	flow     quicwire.Flow
	header   quicwire.Header // of our packets: ids and token
	keys     *quicwire.Keys  // of our Initial packets
	own      *quicwire.Keys  // of our Handshake packets; nil: not known yet
	crypto   []byte          // our handshake bytes in Initial packets: the hello, and a second one
	taken    int             // Initial messages of the server that were taken
	seen     int             // Initial messages that Next gave
	number   [2]uint64       // of our next packet, by level
	acked    [2]uint64       // one more than the server's packet that was acknowledged last, by level
	restarts int
}

// quic makes an exchange over QUIC.
func (r *run) quic() {
	r.phase = inspect.PhaseDial
	if !r.dial("udp") {
		return
	}
	defer func() { _ = r.conn.Close() }()
	stop := context.AfterFunc(r.ctx, func() { _ = r.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r.phase = inspect.PhaseHandshake
	q := &quicRun{run: r, version: r.target.QUICVersion}
	if q.version == 0 {
		q.version = quicwire.Version1
	}
	r.x.QUIC = &QUICFacts{}
	defer q.facts()
	message, err := r.x.Hello.Message()
	if err != nil {
		r.fail(err)
		return
	}
	r.handshake.sent(r.x.Hello, message)
	r.observer.Feed(inspect.FromClient, Layout{}.records(wire.VersionTLS12, message), time.Now())
	q.crypto = message
	r.deadline(r.limits.Answer)
	if !q.begin(random(destinationIDSize), nil) {
		return
	}
	q.talk()
	q.goodbye()
}

// facts fills what only QUIC has.
func (q *quicRun) facts() {
	f := q.x.QUIC
	f.Version, f.Versions, f.Retry, f.Close = q.version, q.flow.VersionNegotiation(), q.flow.Retry() != nil, q.flow.Close()
}

// begin sends the hello to a destination connection id, of which the keys are made.
func (q *quicRun) begin(destination, token []byte) bool {
	q.header = quicwire.Header{Version: q.version, DestinationID: destination, SourceID: q.x.Hello.sourceID(q.version), Token: token}
	var err error
	if q.keys, _, err = quicwire.InitialKeys(q.version, destination); err != nil {
		q.fail(err)
		return false
	}
	q.helloSent = time.Now()
	q.sendCrypto(0)
	return true
}

// sendCrypto sends our handshake bytes from a place on, in as many datagrams as they take.
func (q *quicRun) sendCrypto(from int) {
	for at := from; at < len(q.crypto); {
		room := max(datagramRoom-len(q.header.DestinationID)-len(q.header.SourceID)-len(q.header.Token), 64)
		n := min(room, len(q.crypto)-at)
		q.sendInitial(quicwire.AppendCrypto(nil, at, q.crypto[at:at+n]))
		at += n
	}
}

// sendInitial sends frames in an Initial packet, which padding makes a datagram of the size that is prescribed.
func (q *quicRun) sendInitial(frames []byte) {
	header := q.header
	header.Type = quicwire.PacketInitial
	overhead := len(q.keys.Seal(nil, &header, q.number[0], make([]byte, 1024))) - 1024
	if short := datagramSize - overhead - len(frames); short > 0 {
		frames = append(frames, make([]byte, short)...)
	}
	q.sendDatagram(q.keys.Seal(nil, &header, q.number[0], frames))
	q.number[0]++
}

func (q *quicRun) sendHandshake(frames []byte) {
	header := q.header
	header.Type = quicwire.PacketHandshake
	q.sendDatagram(q.own.Seal(nil, &header, q.number[1], append(frames, 0, 0, 0, 0)))
	q.number[1]++
}

func (q *quicRun) sendDatagram(b []byte) {
	n, err := q.lived().Write(b)
	q.x.Sent += n
	switch {
	case err == nil:
		_ = q.flow.Datagram(quicwire.FromClient, b)
		q.drain()
	case errors.Is(err, syscall.ECONNREFUSED): // the answer to the datagram before: it is not told again
		q.fail(err)
	}
}

// talk reads datagrams until the goal is reached.
func (q *quicRun) talk() {
	q.flow.Secrets = q.secrets
	wait, left := retransmitAfter, q.limits.Answer // of the whole, behind what is waited for now
	room := make([]byte, maxDatagram)
	for sent := 0; !q.reached(); {
		now := min(wait, left)
		q.deadline(now)
		n, err := q.lived().Read(room)
		left -= now - q.left
		if n > 0 {
			q.datagram(room[:n])
		}
		if err == nil {
			continue
		}
		if !timedOut(err) || q.ctx.Err() != nil || left <= 0 {
			q.fail(err)
			return
		}
		if sent++; sent <= maxRetransmits {
			wait *= 2
			q.again()
		}
	}
}

// again sends what may have been lost.
func (q *quicRun) again() {
	if q.x.ServerHello == nil {
		q.sendCrypto(0)
		return
	}
	q.acked = [2]uint64{}
	q.acknowledge()
}

// reached reports that nothing more is to be read.
func (q *quicRun) reached() bool {
	x := q.x
	switch {
	case x.Error != nil, x.Alert != nil, q.ended:
		return true
	case x.ServerHello != nil:
		return q.options.Until == UntilHello || q.handshake.done || x.Unreadable
	}
	return x.RetryRequest != nil && q.options.NoRetry
}

// datagram takes a datagram of the server.
func (q *quicRun) datagram(b []byte) {
	if q.x.Received == 0 {
		q.x.FirstByte = time.Since(q.helloSent)
	}
	if q.x.Received += len(b); q.x.Received > q.most {
		q.breakOff(errors.New("the server sent more than is read"))
		return
	}
	if q.redirected(b) {
		return
	}
	_ = q.flow.Datagram(quicwire.FromServer, b) // what of it cannot be read is counted
	if _, ok := q.flow.Highest(quicwire.FromServer, quicwire.LevelInitial); ok {
		q.header.DestinationID = q.flow.IDs().Server // RFC 9000, Section 7.2: from the first Initial packet on
	}
	q.drain()
	q.closed()
	if q.x.Error == nil && q.x.Alert == nil {
		q.acknowledge()
	}
}

// redirected follows a Retry and a Version Negotiation, once each.
func (q *quicRun) redirected(b []byte) bool {
	var h quicwire.Header
	if _, err := quicwire.ParseHeader(b, &h); err != nil || h.Type != quicwire.PacketRetry && h.Type != quicwire.PacketVersionNegotiation {
		return false
	}
	_ = q.flow.Datagram(quicwire.FromServer, b)
	if q.x.ServerHello != nil || q.restarts == 2 {
		return true
	}
	if h.Type == quicwire.PacketRetry {
		if retry := q.flow.Retry(); retry != nil && retry.Valid && len(q.header.Token) == 0 {
			q.restarts++
			q.begin(slices.Clone(h.SourceID), slices.Clone(h.Token))
		}
		return true
	}
	for _, v := range [...]quicwire.Version{quicwire.Version1, quicwire.Version2, quicwire.VersionDraft29} {
		if slices.Contains(q.flow.VersionNegotiation(), v) && v != q.version {
			q.restarts++
			q.version = v
			q.begin(random(destinationIDSize), nil)
			return true
		}
	}
	if !slices.Contains(h.Versions, q.version) { // RFC 9000, Section 6.2: one that lists ours is to be ignored
		q.x.Error = &inspect.Error{Type: inspect.ErrorNoCommonVersion, Phase: q.phase, Message: "QUIC version negotiation: the server speaks " + versionNames(h.Versions)}
	}
	return true
}

func versionNames(versions []quicwire.Version) string {
	var names []string
	for _, v := range versions {
		if !v.Reserved() {
			names = append(names, v.String())
		}
	}
	return strings.Join(names, ", ")
}

// drain takes the messages that became whole.
func (q *quicRun) drain() {
	var m quicwire.Message
	for q.flow.Next(&m) {
		if m.From != quicwire.FromServer {
			continue
		}
		if m.Level == quicwire.LevelInitial {
			if q.seen++; q.seen <= q.taken {
				continue
			}
			q.taken++
		}
		q.take(m.Bytes, m.Level)
	}
}

// take takes one message of the server.
func (q *quicRun) take(b []byte, level quicwire.Level) {
	if level == quicwire.LevelInitial {
		q.observer.Feed(inspect.FromServer, Layout{}.records(wire.VersionTLS12, b), time.Now())
	}
	before := q.x.RetryRequest
	q.handshake.message(b)
	if before == nil && q.x.RetryRequest != nil && !q.options.NoRetry {
		q.retry()
	}
}

// retry follows a HelloRetryRequest: the second hello goes behind the first one in the same stream.
func (q *quicRun) retry() {
	second, err := q.x.Hello.Retry(q.x.RetryRequest)
	if err != nil {
		q.x.Error = &inspect.Error{Type: inspect.ErrorUnsupported, Message: err.Error(), Phase: q.phase}
		return
	}
	message, err := second.Message()
	if err != nil {
		q.fail(err)
		return
	}
	q.x.Second = second
	q.handshake.sent(second, message)
	q.observer.Feed(inspect.FromClient, Layout{}.records(wire.VersionTLS12, message), time.Now())
	at := len(q.crypto)
	q.crypto = append(slices.Clone(q.crypto), message...)
	q.sendCrypto(at)
}

// secrets answers the flow's question for the keys of the handshake: by then the ServerHello is there, and is taken first.
func (q *quicRun) secrets([]byte) quicwire.Secrets {
	n := 0
	for b := q.flow.Whole(quicwire.FromServer, quicwire.LevelInitial); len(b) >= 4; n++ {
		size := 4 + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
		if size > len(b) {
			break
		}
		if n >= q.taken {
			q.taken++
			q.take(b[:size], quicwire.LevelInitial)
		}
		b = b[size:]
	}
	s := q.handshake.modern
	if s == nil {
		return quicwire.Secrets{}
	}
	if own, err := quicwire.NewKeys(q.version, uint16(q.x.CipherSuite), s.clientHandshake); err == nil {
		q.own = own
	} else {
		q.x.Unreadable = true
	}
	return quicwire.Secrets{ClientHandshake: s.clientHandshake, ServerHandshake: s.serverHandshake}
}

// acknowledge tells the server of the newest packets. An answer in a Handshake packet also shows that our address is ours, so
// that the server may send more than three times what it got (RFC 9000, Section 8.1).
func (q *quicRun) acknowledge() {
	if number, ok := q.flow.Highest(quicwire.FromServer, quicwire.LevelInitial); ok && number+1 > q.acked[0] {
		q.acked[0] = number + 1
		q.sendInitial(quicwire.AppendACK(nil, number))
	}
	if number, ok := q.flow.Highest(quicwire.FromServer, quicwire.LevelHandshake); ok && number+1 > q.acked[1] && q.own != nil {
		q.acked[1] = number + 1
		q.sendHandshake(quicwire.AppendACK(nil, number))
	}
}

// closed takes up a CONNECTION_CLOSE of the server. A crypto error is a TLS alert (RFC 9001, Section 4.8).
func (q *quicRun) closed() {
	end := q.flow.Close()
	if end == nil || end.From != quicwire.FromServer || q.ended {
		return
	}
	q.ended = true
	if description, ok := end.Alert(); ok {
		q.handshake.alert(wire.AlertLevelFatal, wire.AlertDescription(description), true, q.moment())
		return
	}
	message := "CONNECTION_CLOSE " + end.CodeName()
	if len(end.Reason) > 0 {
		message += ": " + wire.FirstLine(end.Reason, shownAnswer)
	}
	q.x.Error = &inspect.Error{Type: inspect.ErrorClosed, Message: inspect.Bounded(message), Phase: q.phase}
}

// goodbye tells the server that we are gone, so that it does not repeat itself.
func (q *quicRun) goodbye() {
	if q.ended || q.x.Received == 0 {
		return
	}
	const applicationError = 0x0c // RFC 9000, Section 20.1: the code for what is no fault of the transport's, while in the handshake
	if q.own != nil {
		q.sendHandshake(quicwire.AppendClose(nil, applicationError))
		return
	}
	q.sendInitial(quicwire.AppendClose(nil, applicationError))
}
