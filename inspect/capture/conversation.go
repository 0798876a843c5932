package capture

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// conversation is the TLS of a connection: what both sides said, read by an observer, and their records as seen from outside.
type conversation struct {
	observer *inspect.Observer
	upgrade  wire.Protocol // what was spoken before; empty: nothing
	header   string        // version of the PROXY protocol header that came first
	marks    []recordMark
	messages bool            // something of a handshake, or an alert, was seen
	alerts   []inspect.Alert // in the clear, behind bytes that are missing
	after    [2]int          // bytes of each side since the handshake was done
	answered bool            // the server sent something since
	opened   *decryption     // nil: there are no keys
	data     [2]uint16       // records of application data, or what looks like it
	gapData  [2]uint16       // of them behind missing bytes
	hellos   int
	again    []byte // the client's second hello, and how much of it is still to come
	lacking  int
	changed  [2]bool // ChangeCipherSpec was seen
}

const (
	maxAfterBoth = 32 << 10  // bytes behind the handshake that are looked through for a late alert, once the server sent some
	maxAfter     = 256 << 10 // at most
)

func (c *tcpConn) sideName(side int) inspect.Side {
	if side == c.client {
		return inspect.FromClient
	}
	return inspect.FromServer
}

// read takes the next bytes of a direction.
func (t *Tracker) read(f *flow, c *tcpConn, side int, b []byte, s *segment) {
	if v := c.stream[side].carrier; v != nil {
		v.stream(b, func(tls []byte) {
			if f.tcp != nil { // it may be over with what came before
				t.readPlain(f, c, side, tls, s)
			}
		})
		return
	}
	t.readPlain(f, c, side, b, s)
}

// readPlain takes the next bytes of a direction, out of what carries them.
func (t *Tracker) readPlain(f *flow, c *tcpConn, side int, b []byte, s *segment) {
	st := &c.stream[side]
	if st.tls {
		t.feed(f, c, side, b, s)
		return
	}
	c.tried += int64(len(b))
	peer := &c.stream[1-side]
	if v := judge(b, !st.any); (v == isHello || v == isAnswer) && (!st.any || st.candidate < 0) && len(st.prefix) <= maxPrefix {
		// As nearly always: TLS begins with a segment, which then need not be kept.
		at := len(st.prefix)
		st.any, st.tls = true, true
		t.begin(f, c, side, at, v, s)
		if f.tcp != nil {
			t.feed(f, c, side, b, s)
		}
		return
	}
	v, at := st.collect(b, leadsToTLS(peer.name) || leadsToTLS(st.name))
	switch v {
	case isHello, isAnswer:
		t.begin(f, c, side, at, v, s)
	case isRecord:
		if c.tls != nil || !f.opened || c.half[side].lost > 0 || at == 0 && side == 1 && st.prefix[0] == byte(wire.ContentTypeAlert) {
			t.begin(f, c, side, at, v, s)
		} else {
			st.candidate = -1
		}
	case notTLS:
		if v := st.begins(); v != nil && !st.tls {
			said := st.prefix
			*st = stream{carrier: v}
			t.read(f, c, side, said, s)
			return
		}
		if c.tls != nil && peer.tls && c.tls.upgrade == "" && (f.opened || c.synAck) && c.half[side].placed && c.half[side].lost == 0 {
			// The peer speaks TLS and this side does not: its first bytes are what the observer names.
			t.startFeeding(f, c, side, 0, s)
		}
	}
	if f.tcp != nil && c.tls == nil && c.tried > maxTried {
		t.finish(f, inspect.EndOpen)
		t.emit()
	}
}

// begin takes up TLS at a place in the bytes that a side has sent.
func (t *Tracker) begin(f *flow, c *tcpConn, side, at int, v verdict, s *segment) {
	if c.tls == nil {
		c.client = t.clientOf(f, c, side, v)
		c.tls = t.takeConversation()
		c.active = true
		if t.active++; t.active > t.limits.Handshakes {
			t.stats.Hurried++
			t.finish(t.earliest(), inspect.EndOpen)
			t.emit()
			if f.tcp == nil {
				return
			}
		}
		if v != isRecord || at > 0 || c.stream[side].carrier != nil {
			if c.tls.upgrade = c.upgrade(side, at); c.tls.upgrade == wire.ProtocolProxyProtocol {
				c.tls.header = headerVersion(c.stream[side].prefix)
			}
		}
		if peer := &c.stream[1-side]; f.opened && c.half[side].lost == 0 && c.half[1-side].placed && c.half[1-side].lost == 0 && peer.any && c.tls.upgrade == "" && len(peer.prefix) > 0 && peer.candidate != 0 && v == isRecord {
			t.startFeeding(f, c, 1-side, 0, s) // the server answers in TLS what the client did not say in it
		}
	}
	c.tls.messages = c.tls.messages || v != isRecord
	if v != isRecord {
		t.noteServer(f.end(1 - c.client)) // for what comes while this one goes on
	}
	if !c.stream[side].tls {
		t.startFeeding(f, c, side, at, s)
	}
}

// clientOf tells which side is the client of TLS: who sent the hello; else who opened the connection; else who has the port
// that is no server's.
func (t *Tracker) clientOf(f *flow, c *tcpConn, side int, v verdict) int {
	switch {
	case v == isHello:
		return side
	case v == isAnswer:
		return 1 - side
	case f.opened || c.syns > 0 || c.synAck:
		return 0
	}
	first, other := f.key.low, f.key.high
	if f.first == f.key.high {
		first, other = other, first
	}
	if knows := t.expectsTLS(first); knows != t.expectsTLS(other) {
		if knows {
			return 1
		}
		return 0
	}
	if first.port < other.port {
		return 1
	}
	return 0
}

// upgrade names what was spoken before TLS began at a place in a side's bytes.
func (c *tcpConn) upgrade(side, at int) wire.Protocol {
	own, peer := &c.stream[side], &c.stream[1-side]
	if own.carrier != nil {
		return own.carrier.protocol()
	}
	var name wire.Protocol
	if at > 0 {
		if name = own.name; name == "" || name == wire.ProtocolUnknown {
			name, _ = wire.Sniff(own.prefix[:at])
		}
	}
	if (name == "" || name == wire.ProtocolUnknown) && len(peer.prefix) > 0 && peer.candidate != 0 {
		if n, _ := wire.Sniff(peer.prefix); n != wire.ProtocolUnknown && n != wire.ProtocolTLS && n != wire.ProtocolTLSAlert || at > 0 {
			name = n
		}
	}
	said, answered := own.prefix, peer.prefix
	if side != c.client {
		said, answered = answered, said
	}
	return upgradeOf(name, said, answered)
}

func (t *Tracker) startFeeding(f *flow, c *tcpConn, side, at int, s *segment) {
	st := &c.stream[side]
	st.tls = true
	b := st.prefix[at:]
	st.prefix = nil
	t.feed(f, c, side, b, s)
}

// feed takes the next bytes of a direction that speaks TLS.
func (t *Tracker) feed(f *flow, c *tcpConn, side int, b []byte, s *segment) {
	st, talk := &c.stream[side], c.tls
	if st.records.lost {
		if !plausible(b) {
			return
		}
		st.records = recordReader{begun: true}
	}
	if side == c.client && talk.lacking > 0 {
		n := min(talk.lacking, len(b))
		talk.again, talk.lacking = append(talk.again, b[:n]...), talk.lacking-n
	}
	st.records.feed(b, func(header [6]byte, length int, rest []byte) { talk.mark(c, side, st, header, length, rest, s) })
	if talk.opened == nil && !t.keys.empty() {
		talk.opened = newDecryption(&t.keys)
	}
	if talk.opened != nil {
		talk.opened.feed(c.sideName(side), b)
	}
	if !st.broken {
		talk.observer.Feed(c.sideName(side), b, time.Unix(0, s.at))
	}
	if !c.settled {
		if talk.done() {
			c.settled = true
			t.settled.add(f, s.at+int64(t.limits.Settle))
		}
		return
	}
	talk.after[side] += len(b)
	talk.answered = talk.answered || side != c.client
	if sum := talk.after[0] + talk.after[1]; sum > maxAfter || sum > maxAfterBoth && talk.answered {
		t.finish(f, inspect.EndOpen)
		t.emit()
	}
}

// takeConversation gives a conversation, with an observer and room for marks; giveConversation takes it back when its record
// is made.
func (t *Tracker) takeConversation() *conversation {
	n := len(t.spareTalks)
	if n == 0 {
		return &conversation{observer: t.takeObserver(), marks: make([]recordMark, 0, 16)}
	}
	k := t.spareTalks[n-1]
	t.spareTalks = t.spareTalks[:n-1]
	k.observer = t.takeObserver()
	return k
}

func (t *Tracker) giveConversation(k *conversation) {
	t.giveObserver(k.observer)
	if len(t.spareTalks) < maxSpare {
		*k = conversation{marks: k.marks[:0]}
		t.spareTalks = append(t.spareTalks, k)
	}
}

// takeObserver gives an observer; giveObserver takes it back when its record is made.
func (t *Tracker) takeObserver() *inspect.Observer {
	n := len(t.spareObservers)
	if n == 0 {
		return inspect.NewObserver(t.describer)
	}
	o := t.spareObservers[n-1]
	t.spareObservers = t.spareObservers[:n-1]
	o.Reset(t.describer)
	return o
}

func (t *Tracker) giveObserver(o *inspect.Observer) {
	if len(t.spareObservers) < maxSpare {
		t.spareObservers = append(t.spareObservers, o)
	}
}

// maxSpare is how many pieces of memory are kept for the next connections.
const maxSpare = 256

// done reports whether the handshake is over, or will not be seen.
func (k *conversation) done() bool {
	if !k.messages {
		return k.data[0] > 8 || k.data[1] > 8
	}
	return k.observer.Established() || k.gapData[0] > 1 && k.gapData[1] > 1
}

// mark remembers a record.
func (k *conversation) mark(c *tcpConn, side int, st *stream, header [6]byte, length int, rest []byte, s *segment) {
	switch wire.ContentType(header[0]) {
	case wire.ContentTypeHandshake, wire.ContentTypeAlert:
		k.messages = k.messages || header[0] == byte(wire.ContentTypeHandshake) || length == 2
		if st.broken && header[0] == byte(wire.ContentTypeAlert) && length == 2 && !k.changed[side] && len(rest) == 1 {
			k.alerts = append(k.alerts, inspect.NewAlert(wire.AlertLevel(header[5]), wire.AlertDescription(rest[0]), c.sideName(side)))
		}
		if header[0] == byte(wire.ContentTypeHandshake) && header[5] == byte(wire.HandshakeTypeClientHello) && side == c.client {
			k.helloAgain(header, length, rest)
		}
	case wire.ContentTypeChangeCipherSpec:
		k.changed[side] = true
	case wire.ContentTypeApplicationData:
		k.data[side] = min(k.data[side]+1, 1<<15)
		if st.broken {
			k.gapData[side] = min(k.gapData[side]+1, 1<<15)
		}
	}
	if len(k.marks) < maxMarks {
		k.marks = append(k.marks, recordMark{packet: s.number, at: s.at, length: uint16(length), kind: header[0], side: uint8(side), first: header[5]})
	}
}

// helloAgain keeps a second hello of the client that came before anything of the server was seen: it answers a
// HelloRetryRequest that is not in the capture.
func (k *conversation) helloAgain(header [6]byte, length int, rest []byte) {
	k.hellos++
	if k.hellos == 2 && k.data == [2]uint16{} {
		k.again = append(append(make([]byte, 0, length), header[5]), rest...)
		k.lacking = length - len(k.again)
	}
}

// lose tells a direction that its next n bytes are not in the capture.
func (t *Tracker) lose(c *tcpConn, side, n int, s *segment) {
	st := &c.stream[side]
	if st.carrier != nil {
		st.carrier.lose()
		st.broken = st.broken || st.tls && !c.settled
		return
	}
	if !st.tls {
		st.candidate = -1
		st.any = true
		return
	}
	t.stats.LostBytes += int64(n)
	if side == c.client && c.tls.lacking > 0 {
		c.tls.again, c.tls.lacking = nil, 0
	}
	inside := st.records.skip(n)
	if c.tls.opened != nil {
		c.tls.opened.lose(c.sideName(side))
	}
	if st.broken {
		return
	}
	if inside && c.tls.opaqueRecord(side) {
		// Nobody can read the record anyway: zeros in the place of what is missing keep the count right.
		zeros := make([]byte, n)
		c.tls.observer.Feed(c.sideName(side), zeros, time.Unix(0, s.at))
		return
	}
	st.broken = true
	c.tls.observer.EndOfStream(c.sideName(side))
}

// opaqueRecord reports whether the last record of a side is encrypted.
func (k *conversation) opaqueRecord(side int) bool {
	for i := len(k.marks) - 1; i >= 0; i-- {
		if m := k.marks[i]; int(m.side) == side {
			return m.kind == byte(wire.ContentTypeApplicationData) || m.kind == byte(wire.ContentTypeHandshake) && k.changed[side]
		}
	}
	return false
}
