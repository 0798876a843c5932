package capture

import "slices"

// Where several queues or devices capture, packets of the two sides overtake each other in the file. What was sent before what is told
// by the numbers: whoever acknowledges a byte had received it. A segment that acknowledges what is not there yet waits for that.

// Bounds of that waiting. Behind them what was acknowledged is taken for missing, and the connection's packets as they come.
const (
	maxHeldBack = 64  // segments of a connection
	earlyTime   = 2e9 // nanoseconds
)

// earlySegment is a segment that was captured before what it answers.
type earlySegment struct {
	segment
	side int
}

// inOrder moves a connection on by a segment, once that which it answers was read.
func (t *Tracker) inOrder(f *flow, c *tcpConn, side int, s *segment) {
	if s.missing > 0 && !c.unordered { // what the snapshot length cut off never comes
		t.releaseAll(f, c)
		if f.tcp == nil {
			return
		}
	}
	if c.tooEarly(side, s) {
		if t.hold(f, c, side, s) {
			return
		}
		if f.tcp == nil {
			return
		}
	}
	if c.unordered && !c.disordered && !c.settled {
		c.disordered = (len(s.payload) > 0 || s.flags&(flagFIN|flagRST) != 0) && c.answersUnseen(side, s)
	}
	t.advance(f, c, side, s)
	if f.tcp != nil && len(c.early) > 0 {
		t.release(f, c)
	}
}

// tooEarly reports whether a segment was captured before bytes that its sender had received, or ends a direction before all of it was
// captured. Once the handshake is done the order does not matter any more.
func (c *tcpConn) tooEarly(side int, s *segment) bool {
	ends := s.flags&(flagFIN|flagRST) != 0
	if c.settled || c.unordered || s.has(flagSYN) || len(s.payload) == 0 && !ends {
		return false
	}
	own := &c.half[side]
	if ends || own.asked && !c.half[1-side].begun { // of what is ahead of a peer that is not known, nobody can say what it answers
		return c.answersUnseen(side, s) || own.begun && int32(s.seq-own.next) > 0 && !own.far(s.seq)
	}
	return c.answersUnseen(side, s)
}

// answersUnseen reports whether a segment acknowledges what was not read yet. Of a peer of whom nothing was read, that is what its sender had
// not received when the capture of it began.
func (c *tcpConn) answersUnseen(side int, s *segment) bool {
	own, peer := &c.half[side], &c.half[1-side]
	switch {
	case !s.has(flagACK):
		return false
	case peer.begun:
		return int32(s.ack-peer.next) > 0 && !peer.far(s.ack)
	case own.acks:
		more := int32(s.ack - own.firstAck)
		return more > 0 && more <= maxJump
	}
	return false
}

// hold keeps a segment until its turn; false: there is no room for it, and nothing waits any more.
func (t *Tracker) hold(f *flow, c *tcpConn, side int, s *segment) bool {
	n := len(s.payload)
	if len(c.early) >= maxHeldBack || c.earlyBytes+n > t.limits.FlowBytes || t.held+int64(n) > t.limits.TotalBytes {
		t.releaseAll(f, c)
		return false
	}
	if len(c.early) == 0 {
		c.earlyAt = t.now
		t.early.add(f, t.now+earlyTime)
	}
	e := earlySegment{*s, side}
	e.payload = slices.Clone(s.payload)
	c.early = append(c.early, e)
	c.earlyBytes += n
	t.held += int64(n)
	if peer := &c.half[1-side]; s.has(flagACK) && peer.begun {
		peer.acknowledge(s.ack)
	}
	return true
}

// release reads on with the segments whose turn has come.
func (t *Tracker) release(f *flow, c *tcpConn) {
	for i := 0; i < len(c.early); {
		if e := &c.early[i]; c.tooEarly(e.side, &e.segment) {
			i++
			continue
		}
		t.advanceEarly(f, c, i)
		if f.tcp == nil {
			return
		}
		i = 0
	}
}

// releaseAll reads on with all segments that wait, in the order of the capture, and lets none of this connection wait any more.
func (t *Tracker) releaseAll(f *flow, c *tcpConn) {
	c.unordered = true
	for f.tcp != nil && len(c.early) > 0 {
		e := &c.early[0]
		c.disordered = c.disordered || c.answersUnseen(e.side, &e.segment)
		t.advanceEarly(f, c, 0)
	}
}

// advanceEarly moves a connection on by a segment that waited.
func (t *Tracker) advanceEarly(f *flow, c *tcpConn, i int) {
	e := c.early[i]
	c.early = slices.Delete(c.early, i, i+1)
	c.earlyBytes -= len(e.payload)
	t.held -= int64(len(e.payload))
	t.advance(f, c, e.side, &e.segment)
}

// lastWords reads what still waits when a connection is over: segments, and the beginning of a direction of which the first bytes are missing.
func (t *Tracker) lastWords(f *flow, c *tcpConn) {
	t.releaseAll(f, c)
	for side := range c.half {
		h := &c.half[side]
		for f.tcp != nil && len(h.waiting) > 0 && !c.stream[side].tls && c.stream[side].carrier == nil {
			t.skipGap(f, c, side, &segment{at: c.lastAt, number: c.last})
		}
	}
}
