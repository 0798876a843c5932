package h3

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/proxy"
)

// unchecked are the addresses that may be forged: nobody has shown yet that what is sent there arrives. quic-go counts for itself, but lets a
// last datagram go out that is beyond the limit; here the limit holds for every byte (RFC 9000, Section 8.1).
type unchecked struct {
	open atomic.Int64 // of byAddr, so that most datagrams need no look at it
	mu   sync.Mutex
	by   map[netip.AddrPort]*balance
}

// balance is what came from an address, and what was sent there.
type balance struct {
	received, sent, connections int
	free                        bool            // the address was shown by a token
	id                          [ownIDSize]byte // that was sent there last
	watched                     []watched
}

// watched is a handshake that is read on, as far as it is in the clear: the server's hello, and the client's second one.
type watched struct {
	reader *quicwire.Flow
	q      *proxy.QUIC
}

// maxWatched bounds the handshakes of one address that are read on at the same time.
const maxWatched = 16

// see shows the handshakes of an address a datagram.
func (x *balance) see(from quicwire.Side, b []byte) {
	if len(b) < 7 || b[0]&0x80 == 0 {
		return
	}
	if v := quicwire.Version(binary.BigEndian.Uint32(b[1:5])); !isInitial(b[0], v) {
		return
	}
	for _, w := range x.watched {
		_ = w.reader.Datagram(from, b) // of another one's it opens nothing
		var m quicwire.Message
		for w.reader.Next(&m) {
			side := inspect.FromClient
			if m.From == quicwire.FromServer {
				side = inspect.FromServer
			}
			if m.Level == quicwire.LevelInitial {
				w.q.Watch(side, m.Bytes, time.Now())
			}
		}
	}
}

// amplification is how many times as much as it received a server may send to an address that may be forged.
const amplification = 3

// begin counts what an address sent before there was a connection, and reads on what follows.
func (u *unchecked) begin(addr netip.AddrPort, received int, w watched) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b := u.by[addr]
	if b == nil {
		if u.by == nil {
			u.by = make(map[netip.AddrPort]*balance)
		}
		b = &balance{}
		u.by[addr] = b
		u.open.Add(1)
	}
	b.connections++
	b.received += received
	if len(b.watched) < maxWatched {
		b.watched = append(b.watched, w)
	}
}

// shown lifts the limit of an address: a token has shown that it is the client's own.
func (u *unchecked) shown(addr netip.AddrPort) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if b := u.by[addr]; b != nil {
		b.free = true
	}
}

// came counts a datagram with a long header. One that goes on from what was sent there, by the id in it, shows that it arrived.
func (u *unchecked) came(addr netip.AddrPort, b []byte, further bool) {
	if u.open.Load() == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	x := u.by[addr]
	if x == nil {
		return
	}
	x.received += len(b)
	if !further {
		x.see(quicwire.FromClient, b)
	}
	if id := b[6:min(len(b), 6+int(b[5]))]; further && len(id) == ownIDSize && bytes.Equal(id, x.id[:]) {
		delete(u.by, addr)
		u.open.Add(-1)
	}
}

// checked takes an address out: what was sent there arrived, or its connection is over.
func (u *unchecked) checked(addr netip.AddrPort) {
	if u.open.Load() == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.by[addr]; ok {
		delete(u.by, addr)
		u.open.Add(-1)
	}
}

// over ends a connection to an address that was never checked.
func (u *unchecked) over(addr netip.AddrPort) {
	if u.open.Load() == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	b := u.by[addr]
	if b == nil {
		return
	}
	if b.connections--; b.connections <= 0 {
		delete(u.by, addr)
		u.open.Add(-1)
	}
}

// allows reports whether a datagram may be sent to an address, and counts it.
func (u *unchecked) allows(addr netip.AddrPort, b []byte) bool {
	if u.open.Load() == 0 {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	x := u.by[addr]
	if x == nil {
		return true
	}
	if !x.free && x.sent+len(b) > amplification*x.received {
		return false
	}
	x.sent += len(b)
	x.see(quicwire.FromServer, b)
	if len(b) > 7 && b[0]&0x80 != 0 {
		if at := 7 + int(b[5]); at+ownIDSize <= len(b) && b[at-1] == ownIDSize {
			copy(x.id[:], b[at:])
		}
	}
	return true
}

// WriteMsgUDP sends what may be sent. What may not is lost, as datagrams are.
func (t *tap) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (int, int, error) {
	if !t.socket.unchecked.allows(addrPort(to), b) {
		return len(b), len(oob), nil
	}
	t.socket.keeping.went(to, b)
	return t.UDPConn.WriteMsgUDP(b, oob, to)
}

// WriteTo is WriteMsgUDP where the system takes nothing but datagrams.
func (t *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	if !t.socket.unchecked.allows(addrPort(to), b) {
		return len(b), nil
	}
	t.socket.keeping.went(to, b)
	return t.UDPConn.WriteTo(b, to)
}
