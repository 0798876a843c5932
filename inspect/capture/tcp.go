package capture

import (
	"github.com/tlstriage/tlstriage/inspect"
)

// tcpConn is a TCP connection that is watched. Side 0 is who sent its first packet.
type tcpConn struct {
	half    [2]half
	stream  [2]stream
	client  int // the side that is the TLS client, -1 until TLS was seen
	firstAt int64
	syns    int
	synAck  bool
	synAcks int // answers to connection requests
	synAt   int64
	askedAt int64 // when the last request came
	rttAt   int64 // when the connection request was answered by both
	end     inspect.CaptureEnd
	ended   uint64 // number of the packet that ended it, and when it came
	endedAt int64
	spokeAt int64  // when somebody had said something last
	heard   int64  // bytes of the other side that had reached who ended it; -1: not known
	heardOf uint32 // the number of the first of them
	last    uint64 // number of the last packet
	lastAt  int64
	closing bool
	settled bool
	active  bool // counted as being read
	tls     *conversation
	tried   int64 // bytes that were looked through without finding TLS
	packets []Packet
	kept    int64

	undelivered *icmpError // what the network said of a packet; nil: nothing

	early      []earlySegment // captured before what they answer
	earlyBytes int
	earlyAt    int64 // since when there are some
	unordered  bool  // none waits any more
	disordered bool  // what one answers had not come when it was read
}

// tcp takes up a TCP segment.
func (t *Tracker) tcp(s *segment) {
	f := t.flowOf(s)
	request := s.has(flagSYN) && !s.has(flagACK)
	if f != nil && request && f.overtook(s) {
		f.opened, f.isn = true, s.seq
	}
	if f != nil && request && (!f.opened || f.isn != s.seq) && (f.first == s.from || f.tcp == nil || f.tcp.closing) {
		t.remove(f, "")
		t.emit()
		f = nil
	}
	if f != nil && f.overtaken(s) {
		t.remove(f, "")
		t.emit()
		f = nil
	}
	if f == nil {
		if !request && (len(s.payload)+s.missing == 0 && !s.has(flagSYN) || s.has(flagRST)) {
			return // the end of a connection of which nothing can be told
		}
		f = t.newFlow(s)
		f.tcp = t.takeConn()
		f.tcp.firstAt = s.at
		t.stats.TCPConnections++
		if s.has(flagSYN) && s.has(flagACK) {
			f.first = s.to // the answer is the first that is in the capture
		}
		f.opened = request
	}
	t.touch(f, s.at)
	c := f.tcp
	if c == nil {
		return
	}
	side := 0
	if s.from != f.first {
		side = 1
	}
	c.last, c.lastAt = s.number, s.at
	c.keep(t, s)
	t.inOrder(f, c, side, s)
}

// overtook reports whether what was captured of a connection by now was captured before its request: where several queues
// or processors capture, packets overtake each other.
func (f *flow) overtook(request *segment) bool {
	if f.opened || f.tcp == nil || f.first != request.from || request.at-f.lastAt > overtakeTime {
		return false
	}
	if h := &f.tcp.half[0]; h.packets > 0 {
		return request.seq+1 == h.next-uint32(h.delivered)
	}
	return f.tcp.synAck // which answers it
}

// overtaken reports whether a segment is the answer to a request, and what was captured of the connection by now was sent long behind it:
// where one segment has overtaken all others it is told by itself, and the connection anew.
func (f *flow) overtaken(answer *segment) bool {
	if f.opened || f.tcp == nil || f.tcp.synAck || !answer.has(flagSYN) || !answer.has(flagACK) {
		return false
	}
	own, peer := &f.tcp.half[0], &f.tcp.half[1]
	if answer.from != f.first {
		own, peer = peer, own
	}
	return own.delivered > 0 && int32(own.begin()-answer.seq-1) > 0 || peer.delivered > 0 && int32(peer.begin()-answer.ack) > 0
}

// overtakeTime is by how much one packet may overtake another, in nanoseconds.
const overtakeTime = 1e9

// advance moves one direction on by a segment.
func (t *Tracker) advance(f *flow, c *tcpConn, side int, s *segment) {
	h, peer := &c.half[side], &c.half[1-side]
	if h.begun && h.packets == 0 && h.far(s.seq) {
		h.begun, h.placed = false, false // what the peer acknowledged is of another numbering
	}
	if h.begun && !s.has(flagSYN|flagRST) && len(h.waiting) == 0 && h.far(s.seq) {
		if h.strays++; h.strays > maxStrays {
			t.finish(f, inspect.EndOpen)
			t.emit()
		}
		return
	}
	h.strays = 0
	h.note(s, peer)
	c.handshake(side, s)
	seq := s.seq
	if s.has(flagSYN) {
		switch {
		case !h.begun || h.delivered == 0 && !h.asked:
			c.disordered = c.disordered || h.begun && peer.payload > 0 && int32(h.next-s.seq-1) > 0
			h.begun, h.next, h.asked, h.placed = true, s.seq+1, true, true
		case h.delivered == 0 && h.next != s.seq+1 && !(h.hasAck && h.acked == h.next): // the peer did not take the first
			h.next, h.hasAck, h.acked = s.seq+1, false, 0
		case !h.asked && (h.begin() == s.seq+1 || t.beginAt(c, side, s.seq+1, s)): // captured behind what was sent after it
			h.asked, h.placed = true, true
		}
		seq++
	}
	if s.has(flagRST) {
		t.reset(f, c, side, s)
		return
	}
	if s.has(flagACK) && (s.has(flagSYN) || h.asked && h.delivered == 0 && s.seq == h.next) { // who has said nothing yet acknowledges where its peer begins
		switch {
		case !peer.begun:
			peer.begun, peer.placed, peer.next = true, true, s.ack
		case !peer.placed:
			peer.placed = peer.begin() == s.ack || t.beginAt(c, 1-side, s.ack, s)
		}
	}
	if !h.begun {
		h.begun, h.next = true, seq // a bare ACK tells, too, where its sender is
		if len(s.payload)+s.missing == 0 && !s.has(flagFIN) {
			return
		}
	}
	if s.has(flagFIN) && !h.fin {
		h.fin, h.finEnd, h.finPacket = true, s.end(), s.number
		h.close(s)
		if c.end == "" {
			c.end = [2]inspect.CaptureEnd{inspect.EndFINClient, inspect.EndFINServer}[side] // turned round later if the roles are
			c.ended, c.endedAt = s.number, s.at
			c.hear(peer, s)
		}
		if side == c.client && c.tls != nil && !c.stream[0].broken && !c.stream[1].broken && !c.tls.done() {
			t.settled.add(f, s.at+int64(t.limits.Settle)) // it gave up: its peer may never close
		}
	}
	if len(h.waiting) > 0 {
		h.gapSeen++
	}
	if len(s.payload) > 0 {
		t.data(f, c, side, seq, s)
		if f.tcp == nil {
			return
		}
	}
	if h.gapOver(s.at) {
		t.skipGap(f, c, side, s)
		if f.tcp == nil {
			return
		}
	}
	if h.fin && int32(h.next-(h.finEnd-1)) == 0 {
		h.next = h.finEnd
	}
	if h.finished() && peer.finished() {
		t.finish(f, "")
		t.emit()
	} else if h.fin && peer.fin && !c.closing {
		c.closing = true
		t.closing.add(f, s.at+closingTime)
	}
}

// closingTime is how long what was captured out of order may still come after the end of a connection, in nanoseconds.
const closingTime = 1e9

// handshake notes the three packets by which a connection begins.
func (c *tcpConn) handshake(side int, s *segment) {
	switch {
	case s.has(flagSYN) && !s.has(flagACK):
		if c.syns > 0 && s.at-c.askedAt < minProgress {
			return // the same packet, captured twice
		}
		c.syns++
		if c.askedAt = s.at; c.syns == 1 {
			c.synAt = s.at
		}
	case s.has(flagSYN):
		c.synAck = true
		c.synAcks++
	case c.synAck && c.rttAt == 0 && side == 0 && s.has(flagACK):
		c.rttAt = s.at
	}
}

func (t *Tracker) reset(f *flow, c *tcpConn, side int, s *segment) {
	h := &c.half[side]
	if h.begun && h.hasAck && s.seq != 0 && int32(s.seq-h.acked) < 0 && !s.has(flagACK) {
		return // behind what was acknowledged: a reset that its receiver does not believe
	}
	if !h.rst {
		h.rst, h.resetTTL = true, s.ttl
		h.close(s)
	}
	if c.end == "" {
		c.end = [2]inspect.CaptureEnd{inspect.EndResetClient, inspect.EndResetServer}[side]
		c.ended, c.endedAt = s.number, s.at
		c.hear(&c.half[1-side], s)
	}
	if !c.closing {
		c.closing = true
		t.closing.add(f, s.at+closingTime)
	}
}

// hear notes how much of what its peer sent had reached the sender of the segment that ends the connection.
func (c *tcpConn) hear(peer *half, s *segment) {
	c.spokeAt = max(c.half[0].spokeAt, c.half[1].spokeAt)
	if !peer.asked {
		c.heard = -1
		return
	}
	c.heardOf = peer.next - uint32(peer.delivered)
	ack := c.heardOf
	if s.has(flagACK) {
		ack = s.ack
	} else if peer.hasAck {
		ack = peer.acked
	}
	c.heard = int64(int32(ack - c.heardOf))
}

// unheard says what of the other side's had not reached who ended the connection; nil: nothing, or that is not known. It is asked when
// all that was captured is read.
func (c *tcpConn) unheard() *inspect.Unheard {
	if c.end == "" || c.ended == 0 || c.heard < 0 {
		return nil
	}
	peer := &c.half[1]
	if c.end == inspect.EndFINServer || c.end == inspect.EndResetServer {
		peer = &c.half[0]
	}
	sent := int64(int32(peer.next - c.heardOf))
	if peer.finished() {
		sent--
	}
	if c.heard >= sent {
		return nil
	}
	u := &inspect.Unheard{Received: max(0, c.heard), Records: max(0, c.heard), Sent: sent}
	if c.tls == nil || c.tls.upgrade != "" || peer.lost > 0 || len(c.tls.marks) == maxMarks {
		return u // where the records begin and end is not known
	}
	u.Records = 0
	for _, m := range c.tls.marks {
		if &c.half[m.side] != peer {
			continue
		}
		const header = 5
		whole := u.Records + header + int64(m.length)
		if whole > u.Received {
			break
		}
		u.Records = whole
	}
	return u
}

// data takes a segment's bytes, in their turn or to wait for it.
func (t *Tracker) data(f *flow, c *tcpConn, side int, seq uint32, s *segment) {
	h := &c.half[side]
	b := s.payload
	ahead := int32(seq - h.next)
	switch {
	case ahead > 0 && h.paddingLen > 0 && h.next == h.padding && int(ahead) == h.paddingLen:
		// What was taken for padding was sent in earnest: the bytes behind it say so.
		var zeros [maxPadding]byte
		t.deliver(f, c, side, zeros[:h.paddingLen], s)
		if f.tcp == nil {
			return
		}
	case ahead > 0:
		h.outOfOrder++
		if len(h.waiting) == 0 {
			h.gapAt, h.gapSeen = s.at, 0
		}
		t.held += int64(h.insert(seq, b, s.at, s.number))
		if h.bytes > t.limits.FlowBytes || t.held > t.limits.TotalBytes {
			t.skipGap(f, c, side, s)
		}
		return
	case ahead < 0 && t.rewind(f, c, side, seq, s):
		return
	case ahead < 0:
		if -int(ahead) >= len(b) { // one of the numbers half way round has no negative in 32 bits
			return
		}
		b = b[-int(ahead):]
	case isPadding(s) && len(b) > 0:
		h.padding, h.paddingLen = seq, len(b)
		return
	}
	t.deliver(f, c, side, b, s)
	t.drain(f, c, side)
}

// mostRewound is how many bytes may have been captured before those that were sent earlier.
const mostRewound = 64 << 10

// rewind begins a direction anew with bytes that were sent before the first that were captured. Where the request is not in the
// capture, and packets overtook each other, nothing else tells which the first ones are.
func (t *Tracker) rewind(f *flow, c *tcpConn, side int, seq uint32, s *segment) bool {
	h := &c.half[side]
	if before := int32(h.begin() - seq); before < 2 || int(before) < len(s.payload) || !t.beginAt(c, side, seq, s) {
		return false
	}
	t.deliver(f, c, side, s.payload, s)
	t.drain(f, c, side)
	return true
}

// beginAt begins a direction anew at a number before the first byte that was captured; false: that cannot be.
func (t *Tracker) beginAt(c *tcpConn, side int, seq uint32, s *segment) bool {
	h, st := &c.half[side], &c.stream[side]
	begin := h.begin()
	if before := int32(begin - seq); h.asked || st.tls || st.carrier != nil || before < 1 || before > mostRewound || int64(len(st.prefix)) != h.delivered {
		return false
	}
	said := st.prefix
	*st = stream{}
	h.next, h.delivered = seq, 0
	c.disordered = c.disordered || c.half[1-side].payload > 0
	if len(said) > 0 {
		t.held += int64(h.insert(begin, said, s.at, s.number))
		h.gapAt, h.gapSeen = s.at, 0
	}
	return true
}

// drain delivers what waited and whose turn has come.
func (t *Tracker) drain(f *flow, c *tcpConn, side int) {
	h := &c.half[side]
	for f.tcp != nil && len(h.waiting) > 0 {
		before := h.bytes
		w, ok := h.ready()
		t.held -= int64(before - h.bytes)
		if !ok {
			return
		}
		t.deliver(f, c, side, w.data, &segment{at: w.at, number: w.num})
	}
}

// skipGap goes on behind bytes that are not in the capture.
func (t *Tracker) skipGap(f *flow, c *tcpConn, side int, s *segment) {
	h := &c.half[side]
	if len(h.waiting) == 0 {
		return
	}
	missing := int(int32(h.waiting[0].seq - h.next))
	if missing > 0 {
		h.lost += int64(missing)
		h.next += uint32(missing)
		h.delivered += int64(missing)
		h.gapAt, h.gapSeen = s.at, 0
		t.lose(c, side, missing, s)
	}
	t.drain(f, c, side)
}

// deliver hands on the next bytes of a direction.
func (t *Tracker) deliver(f *flow, c *tcpConn, side int, b []byte, s *segment) {
	h := &c.half[side]
	h.next += uint32(len(b))
	h.delivered += int64(len(b))
	h.paddingLen = 0
	h.spoke, h.spokeAt = s.number, s.at
	t.read(f, c, side, b, s)
}

// keep keeps a packet for a Writer.
func (c *tcpConn) keep(t *Tracker, s *segment) {
	if t.o.OnPackets == nil {
		return
	}
	n := int64(len(t.frame.data))
	if c.kept+n > int64(t.limits.PacketBytes) || t.held+n > t.limits.TotalBytes {
		return
	}
	c.kept += n
	t.held += n
	c.packets = append(c.packets, t.frame.keep(s.number))
}

// takeConn gives a connection's state; giveConn takes it back when nothing refers to it any more.
func (t *Tracker) takeConn() *tcpConn {
	n := len(t.spareConns)
	if n == 0 {
		return &tcpConn{client: -1}
	}
	c := t.spareConns[n-1]
	t.spareConns = t.spareConns[:n-1]
	return c
}

func (t *Tracker) giveConn(c *tcpConn) {
	if len(t.spareConns) < maxSpare {
		*c = tcpConn{client: -1}
		t.spareConns = append(t.spareConns, c)
	}
}
