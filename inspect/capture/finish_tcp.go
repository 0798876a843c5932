package capture

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// finishTCP makes the record of a connection that is over, or that is not watched any longer.
func (t *Tracker) finishTCP(f *flow, c *tcpConn, end inspect.CaptureEnd) {
	for side := range c.half { // what waited for bytes that did not come
		for h := &c.half[side]; len(h.waiting) > 0 && c.tls != nil; {
			if !c.flushGap(t, f, side) {
				break
			}
		}
		t.held -= int64(c.half[side].bytes)
		c.half[side].waiting, c.half[side].bytes = nil, 0
		if h := &c.half[side]; c.tls != nil && h.packets > 0 && (h.fin || !c.tls.observer.Established()) {
			missing := h.lostAtTheEnd() + h.lostBefore(&c.half[1-side])
			h.lost += missing
			t.stats.LostBytes += missing
		}
	}
	if c.active {
		t.active--
	}
	slot := f.slot
	if slot == nil {
		t.held -= c.kept
		return
	}
	slot.packets, slot.kept = c.packets, c.kept
	if c.end == "" {
		c.end = end
	}
	t.bothWays = t.bothWays || c.half[0].packets > 0 && c.half[1].packets > 0
	if c.client < 0 {
		c.client = 0
	}
	server := f.end(1 - c.client)
	switch {
	case c.tls != nil && c.tls.messages:
		t.noteServer(server)
		t.stats.TLS++
	case c.tls != nil:
		t.stats.Opaque++
		return
	case !t.failedBeforeTLS(f, c, server):
		return
	}
	slot.record = t.recordTCP(f, c)
}

// flushGap delivers what waits behind a gap, and tells whether that brought it further.
func (c *tcpConn) flushGap(t *Tracker, f *flow, side int) bool {
	h := &c.half[side]
	missing := int(int32(h.waiting[0].seq - h.next))
	if missing > 0 {
		h.lost += int64(missing)
		h.next += uint32(missing)
		t.lose(c, side, missing, &segment{at: c.lastAt, number: c.last})
	}
	before := h.bytes
	w, ok := h.ready()
	t.held -= int64(before - h.bytes)
	if !ok {
		return false
	}
	h.next += uint32(len(w.data))
	if c.stream[side].tls && c.stream[side].carrier == nil {
		// The table must not change any more: the observer alone reads on.
		st := &c.stream[side]
		s := &segment{at: w.at, number: w.num}
		if st.records.lost {
			if !plausible(w.data) {
				return true
			}
			st.records = recordReader{begun: true}
		}
		st.records.feed(w.data, func(header [6]byte, length int, rest []byte) { c.tls.mark(c, side, st, header, length, rest, s) })
		if !st.broken {
			c.tls.observer.Feed(c.sideName(side), w.data, time.Unix(0, w.at))
		}
	}
	return true
}

// end is the endpoint of a side.
func (f *flow) end(side int) endpoint {
	other := f.key.low
	if other == f.first {
		other = f.key.high
	}
	if side == 0 {
		return f.first
	}
	return other
}

// failedBeforeTLS reports whether a connection without TLS should have had it: its server speaks TLS, and it ended before
// anybody could, or its client spoke something else and was refused for it.
func (t *Tracker) failedBeforeTLS(f *flow, c *tcpConn, server endpoint) bool {
	if !f.opened || !t.expectsTLS(server) {
		return false
	}
	client, answer := &c.half[0], &c.half[1]
	if client.lost > 0 || answer.lost > 0 || client.payload == 0 && client.lostAtTheEnd() > 0 || answer.payload == 0 && answer.lostAtTheEnd()+answer.lostBefore(client) > 0 {
		return false // what was said is not in the capture
	}
	if client.payload == 0 && answer.payload == 0 {
		if answer.packets == 0 {
			return c.unanswered(f) != nil || !c.oneWay() && c.syns > 1 // who asks but once may be looking for open ports, or the capture ends here
		}
		return c.failureBeforeTLS(&inspect.Leg{}) != nil // refused, or closed without a byte
	}
	if answer.payload == 0 {
		said := c.stream[0].sniff()
		if said == wire.ProtocolTLS && (c.ended == 0 || client.cut) {
			return false // its hello has begun
		}
		return said != wire.ProtocolUnknown && answer.packets > 0
	}
	return c.stream[0].sniff() == wire.ProtocolHTTP && c.stream[1].sniff() == wire.ProtocolHTTPResponse && refusal(c.stream[1].prefix)
}

// refusal reports whether an answer is that of a web server to HTTP on its TLS port.
func refusal(answer []byte) bool {
	return len(answer) > 12 && string(answer[8:12]) == " 400"
}

// oneWay reports whether the capture has the packets of only one side, which the numbers that it acknowledges betray.
func (c *tcpConn) oneWay() bool {
	if c.half[0].packets > 0 && c.half[1].packets > 0 {
		return false
	}
	return c.half[0].packets > 0 && (c.syns == 0 || c.half[0].packets > uint64(c.syns)) || c.half[1].packets > 0
}

func (t *Tracker) recordTCP(f *flow, c *tcpConn) *inspect.Connection {
	client, server := f.end(c.client), f.end(1-c.client)
	firstAt := c.firstAt
	t.ids++
	room := &struct { // all that a record of TCP has, at once
		record  inspect.Connection
		leg     inspect.Leg
		capture inspect.Capture
		tcp     inspect.TCP
	}{}
	r, leg := &room.record, &room.leg
	*r = inspect.Connection{
		Schema:    inspect.SchemaVersion,
		Timestamp: time.Unix(0, firstAt).UTC(),
		Event: inspect.Event{
			ID: inspect.NewID(time.Unix(0, firstAt), t.ids, t.o.Salt), Source: inspect.SourceCapture,
			DurationMS: millis(c.lastAt - firstAt),
		},
		Transport: inspect.TransportTCP,
		Client:    t.endpoint(client),
		Server:    t.endpoint(server),
		ClientLeg: leg,
		Capture:   &room.capture,
	}
	t.describeCapture(f, c, r.Capture)
	if c.transport(&room.tcp) {
		leg.TCP = &room.tcp
	}
	if k := c.tls; k != nil {
		if c.half[0].fin || c.half[0].rst || c.half[1].fin || c.half[1].rst {
			k.observer.EndOfStream(inspect.FromClient)
			k.observer.EndOfStream(inspect.FromServer)
		}
		leg.TLS = k.observer.TLS()
		leg.TLS.AddAlerts(k.alerts...)
		var second wire.ClientHello
		if hello := leg.TLS.Client; hello != nil && hello.Retry == nil && k.again != nil && k.lacking == 0 && (wire.ParseClientHello(k.again, &second) == nil || second.HasExtensions) {
			hello.Retry = t.describer.Hello(&second, wire.VersionTLS12, inspect.TransportTCP)
		}
		if !leg.TLS.Established && c.beyond(leg) {
			leg.TLS.Established = true
		}
		if k.opened != nil && k.opened.shown.apply(leg.TLS, t.describer) {
			r.Capture.Decrypted = true
			t.stats.Decrypted++
			leg.TLS.Established = leg.TLS.Established && !refused(leg.TLS.Alerts)
		}
		leg.TLS.Established = leg.TLS.Established && !c.unreached()
		c.infer(t, r)
	}
	if leg.Error == nil {
		leg.Error = c.failure(leg, r.Capture)
		if u := c.unanswered(f); u != nil {
			leg.Error, r.Capture.OneWay, r.Capture.Undelivered = u.failure(), "", u.describe()
		}
	}
	r.Event.Outcome = outcome(r)
	return r
}

func outcome(r *inspect.Connection) inspect.Outcome {
	switch {
	case r.ClientLeg.Established():
		return inspect.Success
	case r.ClientLeg.Error != nil:
		return inspect.Failure
	}
	return inspect.Unknown
}

func millis(nanos int64) float64 { return float64(nanos/1000) / 1000 }

// beyond reports whether the handshake must have been done, though part of it is not in the capture: application data flows.
func (c *tcpConn) beyond(leg *inspect.Leg) bool {
	k := c.tls
	if _, refused := k.observer.Alert(inspect.FromServer); refused {
		return false
	}
	if _, refused := k.observer.Alert(inspect.FromClient); refused {
		return false
	}
	if c.oneWay() {
		side := 0
		if c.half[0].packets == 0 {
			side = 1
		}
		if side != c.client { // a server of TLS 1.2 sends application data once the handshake is over
			version := leg.TLS.Version
			return version != "" && !isTLS13(version) && k.changed[side] && k.data[side] > 0
		}
		return k.data[side] > 1
	}
	lossy := c.disordered || c.stream[0].broken || c.stream[1].broken || !k.observer.ServerHelloSeen()
	enough := uint16(1) // records of application data: of TLS 1.3 the first of each side may be part of the handshake
	if version := leg.TLS.Version; version != "" && !isTLS13(version) {
		enough = 0
	}
	return lossy && k.data[0] > enough && k.data[1] > enough
}

// transport tells what TCP itself shows; false: nothing.
func (c *tcpConn) transport(tcp *inspect.TCP) bool {
	client, server := &c.half[c.client], &c.half[1-c.client]
	*tcp = inspect.TCP{Retransmits: uint32(client.retransmits + server.retransmits)}
	if c.rttAt > 0 && c.synAt > 0 && c.syns == 1 {
		tcp.RTTMS = millis(c.rttAt - c.synAt)
	}
	if tcp.MSS = uint32(client.mss); server.mss != 0 && (tcp.MSS == 0 || uint32(server.mss) < tcp.MSS) {
		tcp.MSS = uint32(server.mss)
	}
	return *tcp != (inspect.TCP{})
}

func (t *Tracker) describeCapture(f *flow, c *tcpConn, d *inspect.Capture) {
	*d = inspect.Capture{
		File: t.name, FirstPacket: f.number, LastPacket: c.last, Midstream: !f.opened && !c.synAck, SYNs: c.syns, End: c.end,
		Client: c.half[c.client].describe(), Server: c.half[1-c.client].describe(),
	}
	if c.client == 1 { // the roles of TLS are not those of TCP
		switch d.End {
		case inspect.EndFINClient:
			d.End = inspect.EndFINServer
		case inspect.EndFINServer:
			d.End = inspect.EndFINClient
		case inspect.EndResetClient:
			d.End = inspect.EndResetServer
		case inspect.EndResetServer:
			d.End = inspect.EndResetClient
		}
	}
	d.Unheard = c.unheard()
	if c.oneWay() {
		d.OneWay = inspect.FromClient
		if c.half[c.client].packets == 0 {
			d.OneWay = inspect.FromServer
		}
	}
	if c.tls != nil {
		d.Upgrade = string(c.tls.upgrade)
		if d.Upgrade == string(wire.ProtocolUnknown) {
			d.Upgrade = "other"
		}
	}
	for side := range c.half {
		h := &c.half[side]
		if h.stuck.times > 1 && c.half[1-side].packets > 0 {
			d.Stuck = &inspect.StuckSegment{
				From: c.sideName(side), Size: h.stuck.size, Times: h.stuck.times, Packets: h.stuck.packets,
				Acked: h.largestAcked, Duration: millis(h.stuck.last - h.stuck.first),
			}
			d.Undelivered = c.ofStuck(f, side).describe()
		}
	}
}

func (h *half) describe() inspect.CaptureSide {
	d := inspect.CaptureSide{
		Packets: h.packets, Bytes: h.payload, Retransmits: h.retransmits, OutOfOrder: h.outOfOrder, LostBytes: h.lost,
		Largest: h.largest, MSS: int(h.mss), TTL: int(h.ttl),
	}
	if h.rst {
		d.ResetTTL = int(h.resetTTL)
	}
	return d
}
