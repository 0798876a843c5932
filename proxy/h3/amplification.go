package h3

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
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
	id                          [ownIDSize]byte // that was sent there last
}

// amplification is how many times as much as it received a server may send to an address that may be forged.
const amplification = 3

// begin counts what an address sent before there was a connection.
func (u *unchecked) begin(addr netip.AddrPort, received int) {
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
	if x.sent+len(b) > amplification*x.received {
		return false
	}
	x.sent += len(b)
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
	return t.UDPConn.WriteMsgUDP(b, oob, to)
}

// WriteTo is WriteMsgUDP where the system takes nothing but datagrams.
func (t *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	if !t.socket.unchecked.allows(addrPort(to), b) {
		return len(b), nil
	}
	return t.UDPConn.WriteTo(b, to)
}
