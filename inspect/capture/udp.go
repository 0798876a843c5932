package capture

import (
	"fmt"
	"hash/maphash"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// udpConn is what runs between two UDP ports and is watched: QUIC, DTLS or OpenVPN.
type udpConn struct {
	firstAt, lastAt int64
	first, last     uint64
	sides           [2]inspect.CaptureSide // side 0 sent the first packet
	settled         bool
	alone           monologue
	sum             [2]uint64 // of the last datagram of each side, and when it came
	sumAt           [2]int64
	quic            *quicConn
	dtls            *dtlsConn
	vpn             *vpnConn
	packets         []Packet
	kept            int64
	undelivered     *icmpError // what the network said of a packet that nobody answered; nil: nothing
}

// monologue is what one side says while the other is silent.
type monologue struct {
	side        int
	datagrams   int
	from, until int64
}

func (m *monologue) datagram(side int, at int64) {
	if m.datagrams == 0 || m.side != side {
		*m = monologue{side: side, from: at}
	}
	m.datagrams++
	m.until = max(m.until, at)
}

// inVain reports whether a side said something again and again, for long, and nobody answered.
func (m *monologue) inVain() bool { return m.datagrams >= 3 && m.until-m.from >= longSilence }

func (m *monologue) String() string {
	return fmt.Sprintf("%d datagrams in %.1f s, to which nothing was answered", m.datagrams, float64(m.until-m.from)/1e9)
}

// udp takes up a datagram. Nothing is kept of those that begin neither QUIC nor DTLS.
func (t *Tracker) udp(s *segment) {
	if len(s.payload) == 0 {
		return
	}
	f := t.flowOf(s)
	if f == nil || f.udp == nil {
		kind := begins(s.payload)
		if f != nil && (kind == noDatagram || !f.again(s, kind)) {
			t.touch(f, s.at)
		} else if kind != noDatagram {
			t.newUDP(f, s, kind)
		}
		return
	}
	t.datagram(f, s)
}

// datagramKind is what a datagram carries that is watched.
type datagramKind uint8

const (
	noDatagram datagramKind = iota
	isDTLS
	isQUIC
	isVPN
)

// begins tells what a datagram begins. What is told by less comes last.
func begins(b []byte) datagramKind {
	if beginsDTLS(inCAPWAP(b)) {
		return isDTLS
	}
	if _, _, ok := quicwire.Recognize(b); ok {
		return isQUIC
	}
	switch b[0] >> 3 {
	case vpnResetClient1, vpnResetServer1, vpnResetClient2, vpnResetServer2:
		if len(b) > maxVPNReset {
			return noDatagram
		}
		fallthrough
	case vpnControl:
		if beginsVPN(b) != nil {
			return isVPN
		}
	}
	if quicwire.MayBegin(b) {
		return isQUIC
	}
	return noDatagram
}

// again reports whether what begins QUIC or DTLS is a new connection between the same ports, behind one that was finished.
// A client's hello sent again is not.
func (f *flow) again(s *segment, kind datagramKind) bool {
	return s.at-f.lastAt > reuseTime || kind == isDTLS && beginsHello(inCAPWAP(s.payload)) && s.at-f.lastAt > reuseTime/10
}

// reuseTime is after how much silence the same two ports are a new connection, in nanoseconds.
const reuseTime = 10e9

// newUDP begins to watch a connection with its first datagram.
func (t *Tracker) newUDP(old *flow, s *segment, kind datagramKind) {
	if old != nil {
		t.remove(old, inspect.EndIdle)
		t.emit()
	}
	f := t.newFlow(s)
	f.udp = &udpConn{firstAt: s.at, first: s.number}
	switch kind {
	case isDTLS:
		f.udp.dtls = newDTLS(t)
	case isVPN:
		f.udp.vpn = newVPN(t)
	default:
		f.udp.quic = newQUIC(t)
	}
	if t.active++; t.active > t.limits.Handshakes {
		t.stats.Hurried++
		t.finish(t.earliest(), inspect.EndOpen)
		t.emit()
		if f.udp == nil {
			return
		}
	}
	t.datagram(f, s)
}

func (t *Tracker) datagram(f *flow, s *segment) {
	t.touch(f, s.at)
	c := f.udp
	side := 0
	if s.from != f.first {
		side = 1
	}
	sum := maphash.Bytes(t.seed, s.payload)
	if sum == c.sum[side] && s.at-c.sumAt[side] < minProgress {
		return // captured twice: in none of these protocols are two datagrams the same
	}
	c.sum[side], c.sumAt[side] = sum, s.at
	seen := &c.sides[side]
	if c.quic != nil && c.quic.otherBegins(side, s) {
		t.newUDP(f, s, isQUIC)
		return
	}
	if c.dtls != nil && c.dtls.otherBegins(side, inCAPWAP(s.payload)) {
		t.newUDP(f, s, isDTLS)
		return
	}
	if c.vpn != nil && c.vpn.otherBegins(side, s.payload) {
		t.newUDP(f, s, isVPN)
		return
	}
	c.last, c.lastAt = s.number, s.at
	c.alone.datagram(side, s.at)
	seen.Packets++
	seen.Bytes += uint64(len(s.payload) + s.missing)
	seen.Largest = max(seen.Largest, len(s.payload)+s.missing)
	if seen.Packets == 1 {
		seen.TTL = int(s.ttl)
	}
	c.keep(t, s.number)
	var over bool
	at := time.Unix(0, s.at)
	switch {
	case c.quic != nil:
		before := c.quic.held()
		over = c.quic.datagram(side, s, at)
		t.held += c.quic.held() - before
	case c.vpn != nil:
		over = c.vpn.datagram(side, s.payload, at)
	default:
		over = c.dtls.datagram(side, inCAPWAP(s.payload), at)
	}
	if over && !c.settled {
		c.settled = true
		t.settled.add(f, s.at+int64(t.limits.Settle))
	}
}

// keep keeps a packet for a Writer.
func (c *udpConn) keep(t *Tracker, number uint64) {
	if t.o.OnPackets == nil {
		return
	}
	if n := int64(len(t.frame.data)); c.kept+n <= int64(t.limits.PacketBytes) && t.held+n <= t.limits.TotalBytes {
		c.kept += n
		t.held += n
		c.packets = append(c.packets, t.frame.keep(number))
	}
}

func (c *udpConn) observer() *inspect.Observer {
	switch {
	case c.quic != nil:
		return c.quic.observer
	case c.vpn != nil:
		return c.vpn.observer
	}
	return c.dtls.observer
}

// finishUDP makes the record of a connection that is over, or that is not watched any longer.
func (t *Tracker) finishUDP(f *flow, c *udpConn, end inspect.CaptureEnd) {
	t.active--
	slot := f.slot
	if c.quic != nil {
		t.held -= c.quic.held()
	}
	if slot == nil {
		t.held -= c.kept
		return
	}
	slot.packets, slot.kept = c.packets, c.kept
	client := 0
	switch {
	case c.quic != nil:
		if !c.quic.certain() {
			return
		}
		if c.quic.flow.Swapped() {
			client = 1
		}
	case c.vpn != nil:
		client = c.vpn.clientSide()
		if !c.vpn.messages {
			return
		}
	default:
		client = c.dtls.clientSide()
		if !c.dtls.messages {
			return
		}
	}
	t.ids++
	at := time.Unix(0, c.firstAt)
	r := &inspect.Connection{
		Schema:    inspect.SchemaVersion,
		Timestamp: at.UTC(),
		Event:     inspect.Event{ID: inspect.NewID(at, t.ids, t.o.Salt), Source: inspect.SourceCapture, DurationMS: millis(c.lastAt - c.firstAt)},
		Client:    t.endpoint(f.end(client)),
		Server:    t.endpoint(f.end(1 - client)),
		ClientLeg: &inspect.Leg{},
		Capture: &inspect.Capture{
			File: t.name, FirstPacket: c.first, LastPacket: c.last, End: end, Client: c.sides[client], Server: c.sides[1-client],
		},
	}
	t.bothWays = t.bothWays || c.sides[1].Packets > 0
	if c.sides[1].Packets == 0 {
		r.Capture.OneWay = inspect.FromClient
		if client == 1 {
			r.Capture.OneWay = inspect.FromServer
		}
	}
	switch {
	case c.quic != nil:
		r.Transport = inspect.TransportQUIC
		t.stats.QUIC++
		c.quic.describe(t, r, &c.alone)
	case c.vpn != nil:
		t.stats.TLS++
		c.vpn.describe(t, r)
	default:
		r.Transport = inspect.TransportDTLS
		r.Capture.Datagram = "dtls"
		t.stats.DTLS++
		c.dtls.describe(t, r, &c.alone)
	}
	if u := c.undelivered; u != nil && c.sides[1].Packets == 0 {
		r.Capture.Undelivered = u.describe()
		if !u.tooLarge {
			r.ClientLeg.Error, r.Capture.OneWay = u.failure(), ""
		}
	}
	r.Event.Outcome = outcome(r)
	slot.record = r
}
