package capture

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// quicTail is the last datagram of a connection.
type quicTail struct {
	number    uint64
	size      int
	handshake bool // it holds Handshake packets and nothing else
}

// quicPackets are the packets of both sides so far.
type quicPackets struct{ initial, handshake, oneRTT, zeroRTT int }

func (q *quicConn) packets() quicPackets {
	c, s := q.flow.Stats(quicwire.FromClient), q.flow.Stats(quicwire.FromServer)
	return quicPackets{c.Initial + s.Initial, c.Handshake + s.Handshake, c.OneRTT + s.OneRTT, c.ZeroRTT + s.ZeroRTT}
}

// tailOf says what came with a datagram since then.
func (q *quicConn) tailOf(before quicPackets, s *segment) quicTail {
	now := q.packets()
	before.handshake, now.handshake = 0, now.handshake-before.handshake
	more := now.handshake > 0
	now.handshake = 0
	return quicTail{number: s.number, size: len(s.payload) + s.missing, handshake: more && now == before}
}

// infer says what the order of packets, which nobody can read, tells of a client that left behind the server's flight. A client that takes
// the certificate sends its Finished, and with it or at once behind it what it is for, under the application's keys, and the server confirms
// that (RFC 9001, Section 4.1.2). A client that refuses it says so in a Handshake packet, to which nothing is answered (RFC 9000, Section
// 10.2.2). A capture that leaves out the rest looks the same: it is no more than likely, and only where packets under the application's keys
// are captured at all, the client answered more than once (the first is an ACK), and both were silent for long, or the capture ends.
func (q *quicConn) infer(t *Tracker, r *inspect.Connection, client, server quicwire.Stats, last *monologue) {
	silence := t.now - last.until
	switch {
	case !q.observer.ServerHelloSeen() || q.cut || r.Capture.OneWay != "" || q.flow.Close() != nil:
		return
	case server.Handshake == 0 || client.Handshake < 2 || client.OneRTT+client.ZeroRTT > 0 || server.OneRTT == 0:
		return
	case (last.side == 1) != q.flow.Swapped() || !q.tail.handshake || q.tail.size >= minInitial:
		return
	case silence < longSilence && !t.ending:
		return
	}
	then := "nothing more is in the capture"
	if silence >= longSilence {
		then = fmt.Sprintf("both said nothing any more for %.1f s", float64(silence)/1e9)
	}
	kind := inspect.InferredCertificateRefused
	if r.ClientLeg.TLS.Resumed {
		kind = inspect.InferredEncryptedAlert
	}
	r.Capture.Inferred = append(r.Capture.Inferred, inspect.Inference{
		Kind: kind, Packets: []uint64{q.tail.number},
		Basis: fmt.Sprintf("the client answered the server's flight with Handshake packets alone, at last with a datagram of %d bytes, and went on with nothing under the application's keys; then %s", q.tail.size, then),
	})
}
