package capture

import (
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// flowKey names a connection by its ends, in one order for both directions.
type flowKey struct {
	low, high endpoint
	proto     uint8
}

// keyOf is the key of a segment's connection.
func keyOf(s *segment) flowKey {
	if s.from.less(&s.to) {
		return flowKey{s.from, s.to, s.proto}
	}
	return flowKey{s.to, s.from, s.proto}
}

// is reports whether it is the key of a segment's connection.
func (k *flowKey) is(s *segment) bool {
	return k.proto == s.proto && (k.low == s.from && k.high == s.to || k.low == s.to && k.high == s.from)
}

// flow is a connection in the table. Once its record is made, or it is known to be of no interest, only this is left of it:
// it keeps what still comes from being taken for a new connection.
type flow struct {
	key          flowKey
	older, newer *flow
	first        endpoint // who sent the first packet
	lastAt       int64
	listedAt     int64 // the time by which it stands in the list
	number       uint64
	isn          uint32 // TCP: of the request that opened it
	opened       bool   // TCP: that request was seen
	tcp          *tcpConn
	udp          *udpConn
	slot         *slot
}

// flowList orders connections by their last packet.
type flowList struct{ oldest, newest *flow }

func (l *flowList) add(f *flow) {
	f.older, f.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = f
	} else {
		l.oldest = f
	}
	l.newest = f
}

func (l *flowList) remove(f *flow) {
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		l.oldest = f.newer
	}
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		l.newest = f.older
	}
	f.older, f.newer = nil, nil
}

// listGrain is how much a connection's place in the list may lag behind its last packet: within it, packets do not move it.
const listGrain = 1e9

func (t *Tracker) touch(f *flow, at int64) {
	if at > f.lastAt {
		f.lastAt = at
	}
	if f.lastAt-f.listedAt >= listGrain {
		t.recent.remove(f)
		f.listedAt = f.lastAt
		t.recent.add(f)
	}
}

// flowOf is the connection of a segment; nil: there is none.
func (t *Tracker) flowOf(s *segment) *flow {
	if t.last != nil && t.last.key.is(s) {
		return t.last
	}
	f := t.flows[keyOf(s)]
	if f != nil {
		t.last = f
	}
	return f
}

// newFlow puts a segment's connection into the table and in line for its record.
func (t *Tracker) newFlow(s *segment) *flow {
	if len(t.flows) >= t.limits.Flows {
		t.stats.Evicted++
		t.remove(t.recent.oldest, inspect.EndOpen)
	}
	key := keyOf(s)
	f := &flow{key: key, first: s.from, lastAt: s.at, listedAt: s.at, number: s.number, isn: s.seq}
	t.flows[key], t.last = f, f
	t.recent.add(f)
	f.slot = t.waiting.add(f, t.now)
	if t.waiting.n+t.late.n > t.limits.Records {
		t.stats.Hurried++
		t.finish(t.earliest(), inspect.EndOpen)
		t.emit()
	}
	return f
}

// remove ends a connection and forgets it.
func (t *Tracker) remove(f *flow, end inspect.CaptureEnd) {
	t.finish(f, end)
	t.recent.remove(f)
	delete(t.flows, f.key)
	if t.last == f {
		t.last = nil
	}
}

// finish ends the watching of a connection: what it was is told in its turn.
func (t *Tracker) finish(f *flow, end inspect.CaptureEnd) {
	if c := f.tcp; c != nil && (len(c.early) > 0 || len(c.half[0].waiting) > 0 || len(c.half[1].waiting) > 0) {
		t.lastWords(f, c)
	}
	if c := f.tcp; c != nil {
		f.tcp = nil
		t.finishTCP(f, c, end)
		if c.tls != nil {
			t.giveConversation(c.tls)
		}
		t.giveConn(c)
	}
	if c := f.udp; c != nil {
		f.udp = nil
		t.finishUDP(f, c, end)
		t.giveObserver(c.observer())
	}
	if s := f.slot; s != nil {
		s.done, s.flow = true, nil
		f.slot = nil
		if s.late {
			t.late.remove(s)
			t.hand(s)
		}
	}
}

// expire ends what has come to its time.
func (t *Tracker) expire() {
	changed := false
	for t.early.due(t.now) {
		if f := t.early.take(); f.tcp != nil && len(f.tcp.early) > 0 && t.now-f.tcp.earlyAt >= earlyTime {
			t.releaseAll(f, f.tcp)
			changed = true
		}
	}
	for t.closing.due(t.now) {
		t.finish(t.closing.take(), "")
		changed = true
	}
	for t.settled.due(t.now) {
		t.finish(t.settled.take(), inspect.EndOpen)
		changed = true
	}
	for f := t.recent.oldest; f != nil && t.now-f.lastAt > int64(t.limits.Idle); f = t.recent.oldest {
		t.remove(f, inspect.EndIdle)
		changed = true
	}
	if changed || t.overdue(t.waiting.head) {
		t.emit()
	}
}

// tick ends what has come to its time though no packet says so.
func (t *Tracker) tick(now time.Time) {
	if at := now.UnixNano(); at > t.now {
		t.now = at
		t.expire()
	}
}

// timers are connections that have the same time to wait, in the order in which they began to.
type timers struct {
	list []timer
	head int
}

type timer struct {
	flow *flow
	at   int64
}

func (q *timers) add(f *flow, at int64) { q.list = append(q.list, timer{f, at}) }

// due reports whether the time of the first has come.
func (q *timers) due(now int64) bool { return q.head < len(q.list) && q.list[q.head].at <= now }

// take takes the first.
func (q *timers) take() *flow {
	f := q.list[q.head].flow
	q.list[q.head].flow = nil
	if q.head++; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	} else if q.head > 1024 && q.head > len(q.list)/2 {
		q.list, q.head = append(q.list[:0], q.list[q.head:]...), 0
	}
	return f
}

// servers remembers where TLS was spoken: at most so many, beyond which it begins anew.
type servers map[endpoint]struct{}

const maxServers = 1 << 16

func (t *Tracker) noteServer(e endpoint) {
	if _, known := t.servers[e]; known {
		return
	}
	if t.servers == nil || len(t.servers) >= maxServers {
		t.servers = make(servers)
	}
	t.servers[e] = struct{}{}
}

// expectsTLS reports whether a server is one that speaks TLS, by what was seen of it or by its port.
func (t *Tracker) expectsTLS(e endpoint) bool {
	if t.ports[e.port/64]&(1<<(e.port%64)) != 0 {
		return true
	}
	_, ok := t.servers[e]
	return ok
}
