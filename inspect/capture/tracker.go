package capture

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"maps"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Read reads one capture to its end and gives each connection in it to o.OnConnection, those that are not over at the end of
// the capture included. What was read before an error is given, too; the error is then a *FormatError, or the context's.
func Read(ctx context.Context, r io.Reader, name string, o Options) (Stats, error) {
	t := New(o)
	err := t.Read(ctx, r, name)
	return t.Close(), err
}

// Tracker follows connections through one capture, or through several that continue each other. It is not safe for
// concurrent use.
type Tracker struct {
	o         Options
	limits    Limits
	describer *inspect.Describer
	decoder   decoder
	keys      keys
	names     names
	stats     Stats
	name      string // of the capture that is being read
	ending    bool   // its connections are ended where they stand
	boundary  bool   // another was read before it, and no packet of this one yet
	ports     [1 << 16 / 64]uint64

	flows   map[flowKey]*flow
	last    *flow // that a packet was of: the next one is often, too; nil: none
	link    uint32
	ofLink  uint64   // packets of that link type that are not in stats yet
	recent  flowList // by their last packet
	waiting records
	late    records // that others have overtaken, see Limits.Wait
	closing timers  // closed, and given a moment for what was captured out of order
	early   timers  // captured before what they answer
	settled timers  // done, and watched for a late alert
	servers servers
	now     int64 // the latest time of a packet of this capture, and of those that it goes on with
	latest  int64 // of captures before
	began   int64 // the time of their first packet
	held    int64 // bytes that wait or are kept, of all connections
	active  int   // connections that are being read as TLS, QUIC or DTLS
	ids     uint64
	// bothWays: of some connection the packets of both sides were seen, so that a missing answer means something.
	bothWays                 bool
	frame                    frame
	clientMarks, serverMarks []recordMark // scratch
	spareTalks               []*conversation
	spareConns               []*tcpConn
	spareObservers           []*inspect.Observer
	segment                  segment
	seed                     maphash.Seed
}

// New makes a Tracker.
func New(o Options) *Tracker {
	t := &Tracker{o: o, limits: o.Limits.orDefaults(), describer: o.Describer, flows: make(map[flowKey]*flow), names: make(names), seed: maphash.MakeSeed()}
	if t.describer == nil {
		t.describer = &inspect.Describer{}
	}
	t.stats.Links, t.stats.Refused = make(map[uint32]uint64), make(map[uint32]uint64)
	t.keys.add(o.KeyLog)
	ports := o.Ports
	if ports == nil {
		ports = DefaultPorts()
	}
	for _, p := range ports {
		t.ports[p/64] |= 1 << (p % 64)
	}
	return t
}

// Read reads a capture to its end. Connections that are not over then go on in the next one, or end with Close.
func (t *Tracker) Read(ctx context.Context, r io.Reader, name string) error {
	t.name, t.boundary = name, t.stats.Packets > 0
	in, end, err := decompress(newInput(ctx, r))
	if err != nil {
		return &FormatError{Name: name, Err: err}
	}
	defer end()
	f, err := newFramer(in, name, extras{secrets: t.addSecrets, names: t.names.read})
	if err != nil {
		return err
	}
	for err == nil {
		if err = f.next(&t.frame); err == nil {
			t.packet(&t.frame)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if cancelled := ctx.Err(); cancelled != nil {
		return cancelled
	}
	return err
}

// addSecrets takes a decryption secrets block: those of TLS open connections, those of other protocols are counted.
func (t *Tracker) addSecrets(kind uint32, b []byte) {
	if kind == secretsTLS {
		t.stats.Secrets += t.keys.add(b)
	} else {
		t.stats.OtherSecrets++
	}
}

// packet takes up one packet.
func (t *Tracker) packet(p *frame) {
	t.stats.Packets++
	t.stats.Bytes += uint64(len(p.data))
	if p.link != t.link {
		t.countLinks()
		t.link = p.link
	}
	t.ofLink++
	if p.length > len(p.data) {
		t.stats.CutPackets++
	}
	if t.stats.Packets == 1 {
		t.stats.First = time.Unix(0, p.at).UTC()
	}
	if t.boundary || t.stats.Packets == 1 {
		t.nextFile(p.at)
	}
	if p.at > t.now {
		t.now = p.at
		t.expire()
	}
	s := &t.segment
	s.at, s.number = p.at, t.stats.Packets
	err, more := t.decoder.decode(p, s), true
	for ; more; err, more = t.decoder.more(s) {
		if err != nil {
			t.count(err, p.link)
		} else {
			t.take(s)
		}
		if u := &t.decoder.undelivered; u.said != "" { // also in a tunnel, whose own datagram is no error
			u.number = s.number
			t.undelivered(u)
			u.said = ""
		}
	}
}

// take takes up a segment.
func (t *Tracker) take(s *segment) {
	if t.decoder.networks > 1 {
		t.stats.Tunnelled++
	}
	if s.proto == protoTCP {
		t.tcp(s)
	} else {
		t.udp(s)
	}
}

// count counts a packet that is no segment.
func (t *Tracker) count(err error, link uint32) {
	switch {
	case errors.Is(err, errFragment):
	case errors.Is(err, errMalformed):
		t.stats.Malformed++
	case errors.Is(err, errRefusedLink):
		t.stats.Refused[link]++
	default:
		t.stats.OtherLayers++
	}
}

// countLinks counts the packets of the last link type.
func (t *Tracker) countLinks() {
	if t.ofLink > 0 {
		t.stats.Links[t.link] += t.ofLink
		t.ofLink = 0
	}
}

// Stats are the counts so far.
func (t *Tracker) Stats() Stats {
	t.countLinks()
	s := t.stats
	s.Links, s.Refused = maps.Clone(s.Links), maps.Clone(s.Refused)
	s.Names = len(t.names)
	s.Fragments, s.Reassembled = t.decoder.fragments.seen, t.decoder.fragments.whole
	if t.now != 0 {
		s.Last = time.Unix(0, max(t.now, t.latest)).UTC()
	}
	return s
}

// Close ends all connections where they stand and gives their records.
func (t *Tracker) Close() Stats {
	t.endAll()
	return t.Stats()
}

// nextFile sets the clock to the first packet of a capture. One that goes on where the last ended, or is of the same time, has more of the
// same connections; one of another time shows nothing of them: that they fell silent is then no news.
func (t *Tracker) nextFile(at int64) {
	t.latest = max(t.latest, t.now)
	switch idle := int64(t.limits.Idle); {
	case !t.boundary:
		t.began = at
	case at-t.now > idle || at < t.began-idle:
		t.endAll()
		t.early, t.closing, t.settled = timers{}, timers{}, timers{}
		t.began = at
	default:
		t.began = min(t.began, at)
	}
	t.now, t.boundary = at, false
}

// endAll ends all connections where they stand.
func (t *Tracker) endAll() {
	t.ending = true
	defer func() { t.ending = false }()
	for f := t.recent.oldest; f != nil; f = f.newer {
		end := inspect.EndOpen
		if t.now-f.lastAt > stillTime && (f.udp != nil || f.tcp != nil && f.tcp.tls != nil) {
			end = inspect.EndIdle
		}
		t.finish(f, end)
	}
	clear(t.flows)
	t.recent, t.last = flowList{}, nil
	t.emit()
}

// stillTime is after how much silence at the end of a capture a handshake stood still, in nanoseconds. No peer thinks for so long.
const stillTime = 10e9
