package h3

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
	"github.com/tlstriage/tlstriage/proxy"
)

// relay is one connection whose datagrams go to the backend and back untouched.
type relay struct {
	set     *relays
	q       *proxy.QUIC
	backend net.Conn // nil until it is dialled
	oob     []byte   // of the client's first datagram
	began   time.Time

	// Guarded by relays.mu.
	ids     []string // under which it is known
	given   []string // of these, the ones that the backend showed in the clear
	idSize  int      // of the ids that the backend gives out
	waiting []heldDatagram
	read    int       // of these, those that the reader has seen
	last    time.Time // something moved
	closing time.Time // it said goodbye in the clear; zero: not yet
	ended   bool

	// Its address, which may be forged.
	client       netip.AddrPort // where datagrams go
	home, former netip.AddrPort // the address that is believed, and the one before it
	path         *path          // of a client that came from another address, until that has shown itself
	shown        bool           // the client has answered to what the backend sent it
	hands        bool           // the client has sent packets of the kind that end a handshake
	quiet        bool           // since then, the backend's last packet was one that follows the handshake
	short        [2]bool        // client and backend have sent packets that follow the handshake

	kept    *proxy.Datagrams // what goes both ways; nil: nobody wants it
	refused error            // of sending to the backend
	why     proxy.QUICPassed

	watch  sync.Mutex // of what follows
	reader *quicwire.Flow
}

// relays are the connections that pass through a socket.
type relays struct {
	socket *socket

	mu     sync.Mutex
	byID   map[string]*relay
	byAddr map[netip.AddrPort][]*relay
	all    map[*relay]struct{}
	sizes  [maxID + 1]int // how many ids there are of each length
	closed bool
	copies sync.WaitGroup
}

const (
	maxID        = 20 // RFC 9000, Section 17.2
	maxIDs       = 16 // of a connection that are remembered
	maxGiven     = 4  // of these, those that its backend showed
	maxWaiting   = 64 // datagrams that wait until the backend is dialled
	goodbyeTime  = 3 * time.Second
	partingTime  = 3 * time.Second // without a datagram, once the listener ends
	settledReads = 64              // datagrams of a side that are looked into
)

func newRelays(s *socket) *relays {
	return &relays{socket: s, byID: make(map[string]*relay), byAddr: make(map[netip.AddrPort][]*relay), all: make(map[*relay]struct{})}
}

func (r *relays) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}

// begin passes a connection on whose hello is whole.
func (r *relays) begin(f *flow, held []heldDatagram) {
	counts := &r.socket.server.counts
	counts.passed.Add(1)
	now := time.Now()
	x := &relay{set: r, q: f.q, client: f.key.addr, home: f.key.addr, oob: f.oob, began: f.began, last: now, waiting: held, read: len(held), reader: f.reader, kept: f.kept.of()}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.all[x] = struct{}{}
	counts.flows.Add(1)
	r.know(x, []byte(f.key.id))
	r.byAddr[x.client] = append(r.byAddr[x.client], x)
	r.copies.Add(1)
	r.mu.Unlock()
	go x.run()
}

// know remembers a connection id that the client may send to. Of those that were learned from the client the oldest makes room. r.mu is held.
func (r *relays) know(x *relay, id []byte) {
	if len(id) == 0 || len(id) > maxID || r.byID[string(id)] != nil {
		return
	}
	if len(x.ids) >= maxIDs {
		oldest := 1 + len(x.given)
		delete(r.byID, x.ids[oldest])
		r.sizes[len(x.ids[oldest])]--
		x.ids = slices.Delete(x.ids, oldest, oldest+1)
	}
	key := string(id)
	r.byID[key] = x
	r.sizes[len(id)]++
	x.ids = append(x.ids, key)
}

// gave remembers a connection id that the backend showed in the clear. r.mu is held.
func (r *relays) gave(x *relay, id []byte) {
	x.idSize = len(id) // those that it gives out later are as long, or it could not read them
	if len(id) == 0 || len(id) > maxID || len(x.given) >= maxGiven || r.byID[string(id)] != nil {
		return
	}
	key := string(id)
	r.byID[key] = x
	r.sizes[len(id)]++
	x.given = append(x.given, key)
	x.ids = slices.Insert(x.ids, len(x.given), key) // behind the first
}

// take sends a datagram of a client on, where it belongs to a connection that passes through. It reports whether nobody else is to have it.
func (r *relays) take(b []byte, from net.Addr) bool {
	r.mu.Lock()
	if len(r.all) == 0 || len(b) == 0 {
		r.mu.Unlock()
		return false
	}
	addr := addrPort(from)
	x, id := r.find(b, addr)
	if x == nil {
		several := append([]*relay(nil), r.byAddr[addr]...)
		r.mu.Unlock()
		if len(several) == 0 || !mayGoOn(b) {
			return false
		}
		// Which of the connections of this address it belongs to only their backends know, who throw away what is not theirs.
		for _, x := range several[:min(len(several), maxGuesses)] {
			x.forward(b, addr, "")
		}
		return !r.socket.terminates()
	}
	r.mu.Unlock()
	x.forward(b, addr, id)
	return id != "" || !r.socket.terminates()
}

// maxGuesses bounds to how many backends a datagram goes that may belong to any of them.
const maxGuesses = 8

// mayGoOn reports whether a datagram goes on with a connection: it begins none.
func mayGoOn(b []byte) bool {
	if b[0]&0x80 == 0 {
		return true
	}
	var h quicwire.Header
	_, err := quicwire.ParseHeader(b, &h)
	return err == nil && h.Type != quicwire.PacketInitial
}

// forward sends a datagram to the backend. id is the one that led to the connection; empty: its address did.
func (x *relay) forward(b []byte, addr netip.AddrPort, id string) {
	r := x.set
	now := time.Now()
	r.mu.Lock()
	if !r.belongs(x, b, addr, now) {
		r.mu.Unlock()
		r.socket.server.counts.strays.Add(1)
		return
	}
	x.last = now
	if addr == x.home {
		x.heard(b, id)
	}
	if x.path != nil && x.path.came(len(b), now) {
		r.believe(x)
	}
	x.kept.Add(inspect.FromClient, b, now)
	backend := x.backend
	if backend == nil && len(x.waiting) < maxWaiting {
		x.waiting = append(x.waiting, heldDatagram{bytes: append([]byte(nil), b...)})
	}
	r.mu.Unlock()
	if backend != nil {
		x.look(quicwire.FromClient, b, now)
		x.send(backend, b)
	}
}

// heard notes what a datagram of the client shows of it. One that goes to an id which the backend made up shows that the backend's
// datagrams have arrived; clients that change the id early show it less directly. r.mu is held.
func (x *relay) heard(b []byte, id string) {
	if slices.Contains(x.given, id) {
		x.shown = true
	}
	if b[0]&0x80 == 0 {
		x.short[quicwire.FromClient] = true
		return
	}
	var h quicwire.Header
	if _, err := quicwire.ParseHeader(b, &h); err == nil && h.Type == quicwire.PacketHandshake {
		x.hands = true
	}
}

// present reports whether the client is there. A backend that has heard nothing of it repeats packets of its handshake, and may repeat no
// others (RFC 9002, Section 6.2.1); one that has may send none of these any more (RFC 9001, Section 4.9.2). r.mu is held.
func (x *relay) present() bool { return x.shown || x.hands && x.quiet }

// find is the connection of a client's datagram: by the id that it is sent to; where that was never seen before, by the address that it
// comes from, if that has one connection only. Ids that take the place of the first ones are agreed upon behind encryption, and learned
// from datagrams of that kind, so that a client is found again whose address changes. id: that says so. r.mu is held.
func (r *relays) find(b []byte, addr netip.AddrPort) (x *relay, id string) {
	if b[0]&0x80 != 0 {
		if len(b) >= 6 && len(b) >= 6+int(b[5]) {
			id := string(b[6 : 6+int(b[5])])
			if x := r.byID[id]; x != nil {
				return x, id
			}
		}
	} else {
		for size := min(maxID, len(b)-1); size > 0; size-- {
			if r.sizes[size] == 0 {
				continue
			}
			id := string(b[1 : 1+size])
			if x := r.byID[id]; x != nil {
				return x, id
			}
		}
	}
	if own := r.byAddr[addr]; len(own) == 1 && mayGoOn(b) {
		x := own[0]
		if b[0]&0x80 == 0 && addr == x.home && x.idSize > 0 && len(b) > x.idSize && r.socket.passes() {
			r.know(x, b[1:1+x.idSize])
		}
		return x, ""
	}
	return nil, ""
}

// run dials the backend and copies what comes from there, until the connection is over.
func (x *relay) run() {
	defer x.set.copies.Done()
	backend, err := x.q.Pass()
	if err != nil {
		x.set.forget(x)
		return
	}
	x.set.mu.Lock()
	x.backend = backend
	waiting := x.waiting
	x.waiting = nil
	ended := x.ended
	x.set.mu.Unlock()
	if ended {
		backend.Close()
	}
	now := time.Now()
	for i, d := range waiting {
		if i >= x.read {
			x.look(quicwire.FromClient, d.bytes, now)
		}
		x.send(backend, d.bytes)
	}
	err = x.copy(backend)
	backend.Close()
	x.set.forget(x)
	x.finish(err)
}

// send sends a datagram to the backend. What is lost is QUIC's to send again; but that nobody listens there is told to whoever uses the
// socket next, which may be here.
func (x *relay) send(backend net.Conn, b []byte) {
	if _, err := backend.Write(b); errors.Is(err, syscall.ECONNREFUSED) {
		x.set.mu.Lock()
		x.refused = err
		x.set.mu.Unlock()
		x.end()
	}
}

// copy sends what the backend says to the client, wherever that is.
func (x *relay) copy(backend net.Conn) error {
	b := make([]byte, 1<<16)
	for {
		n, err := backend.Read(b)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		now := time.Now()
		x.set.mu.Lock()
		x.last = now
		to, home, moving := x.client, x.home, x.path != nil
		allowed := !moving || x.path.allows(n)
		if b[0]&0x80 != 0 {
			var h quicwire.Header
			if _, err := quicwire.ParseHeader(b[:n], &h); err == nil || len(h.SourceID) > 0 {
				x.set.gave(x, h.SourceID)
			}
			x.quiet = false
		} else {
			x.quiet = x.hands
			x.short[quicwire.FromServer] = true
		}
		x.set.mu.Unlock()
		x.look(quicwire.FromServer, b[:n], now)
		x.kept.Add(inspect.FromServer, b[:n], now)
		if allowed {
			_ = x.set.socket.send(b[:n], to, x.oob)
		}
		if moving {
			_ = x.set.socket.send(b[:n], home, x.oob)
		}
	}
}

// look reads what a datagram shows in the clear, while it may show something.
func (x *relay) look(from quicwire.Side, b []byte, now time.Time) {
	x.watch.Lock()
	defer x.watch.Unlock()
	if x.reader == nil {
		return
	}
	_ = x.reader.Datagram(from, b)
	var m quicwire.Message
	for x.reader.Next(&m) {
		side := inspect.FromClient
		if m.From == quicwire.FromServer {
			side = inspect.FromServer
		}
		if m.Level == quicwire.LevelInitial {
			x.q.Watch(side, m.Bytes, now)
		}
	}
	client, server := x.reader.Stats(quicwire.FromClient), x.reader.Stats(quicwire.FromServer)
	if end := x.reader.Close(); end != nil {
		x.set.mu.Lock()
		if x.closing.IsZero() {
			x.closing = now
		}
		x.set.mu.Unlock()
		x.seen()
	} else if client.OneRTT > 0 && server.OneRTT > 0 || client.Datagrams+server.Datagrams > settledReads {
		x.seen()
	}
}

// seen keeps of what was read what the record needs, and reads no more. x.watch is held.
func (x *relay) seen() {
	r := x.reader
	x.reader = nil
	client, server := r.Stats(quicwire.FromClient), r.Stats(quicwire.FromServer)
	why := &x.why
	why.Established = server.Handshake+server.OneRTT > 0 && client.OneRTT > 0
	if end := r.Close(); end != nil {
		why.Close = inspect.QUICCloseOf(end)
		if description, ok := end.Alert(); ok {
			from := inspect.FromClient
			if end.From == quicwire.FromServer {
				from = inspect.FromServer
			}
			alert := inspect.NewAlert(wire.AlertLevelFatal, wire.AlertDescription(description), from)
			why.Alert = &alert
		}
	}
	why.Retry = r.Retry() != nil
	if versions := r.VersionNegotiation(); versions != nil && server.Initial == 0 {
		for _, v := range versions {
			if !v.Reserved() {
				why.Versions = append(why.Versions, v.String())
			}
		}
	}
}

// finish hands over the record.
func (x *relay) finish(err error) {
	x.watch.Lock()
	if x.reader != nil {
		x.seen()
	}
	x.watch.Unlock()
	x.set.mu.Lock()
	why := x.why
	why.Established = why.Established && x.present()
	late := x.ended
	if x.refused != nil {
		err, late = x.refused, false
	}
	x.set.mu.Unlock()
	if !late || !errors.Is(err, net.ErrClosed) {
		why.Backend = err
	}
	x.q.Passed(why)
}

// end makes a connection's copying end.
func (x *relay) end() {
	x.set.mu.Lock()
	x.ended = true
	backend := x.backend
	x.set.mu.Unlock()
	if backend != nil {
		backend.Close()
	}
}

// close ends all.
func (r *relays) close() {
	r.mu.Lock()
	r.closed = true
	all := make([]*relay, 0, len(r.all))
	for x := range r.all {
		all = append(all, x)
	}
	r.mu.Unlock()
	for _, x := range all {
		x.end()
	}
	r.copies.Wait()
}
