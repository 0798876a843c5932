package h3

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// path is a new address of a client. Whoever has seen a connection id can forge it, so that at first no more is sent there than three
// times what came (RFC 9000, Section 9.3.1), or would have come in full datagrams, as long as nothing answers to what was sent.
//
// Until it is believed, the address before it gets the same: a client that is there answers, and is sent everything again alone.
type path struct {
	received, sent, answers int
	began                   time.Time
}

// pathAnswers is how many datagrams must come from a new address after something was sent there, before it is believed.
const pathAnswers = 3

// pathTime is for how long the address before it must have been silent by then.
const pathTime = time.Second

// belongs reports whether a datagram that may be of a connection is to reach its backend, and follows the client where it comes from another
// address (RFC 9000, Section 9). Only what has a short header moves a connection, and only once the handshake is done on both sides:
// anything else is a copy that somebody sends who saw it. The backend sees none of it. r.mu is held.
func (r *relays) belongs(x *relay, b []byte, addr netip.AddrPort, now time.Time) bool {
	switch {
	case addr == x.client:
	case addr == x.home:
		r.follow(x, addr, nil)
	case b[0]&0x80 != 0, !x.short[quicwire.FromClient], !x.short[quicwire.FromServer]:
		return false
	case addr == x.former:
		r.follow(x, addr, nil)
		r.believe(x)
	default:
		r.socket.server.counts.migrations.Add(1)
		r.follow(x, addr, &path{began: now})
	}
	return true
}

// follow sends what the backend says to another address from now on. The one that is believed stays known, so that a client which never
// moved is found there by whatever it sends. r.mu is held.
func (r *relays) follow(x *relay, addr netip.AddrPort, p *path) {
	if x.client != x.home {
		r.leave(x, x.client)
	}
	x.client, x.path = addr, p
	if addr != x.home {
		r.byAddr[addr] = append(r.byAddr[addr], x)
	}
}

// believe makes an address the one to come back to. r.mu is held.
func (r *relays) believe(x *relay) {
	x.path = nil
	if x.client != x.home {
		r.leave(x, x.home)
		x.home, x.former = x.client, x.home
	}
}

// leave takes a connection out of those of an address. r.mu is held.
func (r *relays) leave(x *relay, addr netip.AddrPort) {
	left := slices.DeleteFunc(r.byAddr[addr], func(other *relay) bool { return other == x })
	if len(left) == 0 {
		delete(r.byAddr, addr)
	} else {
		r.byAddr[addr] = left
	}
}

// came counts a datagram from the new address, and reports whether that is to be believed now.
func (p *path) came(n int, now time.Time) bool {
	p.received += n
	if p.sent > 0 {
		p.answers++
	}
	return p.answers >= pathAnswers && now.Sub(p.began) >= pathTime
}

// allows reports whether a datagram may be sent to the new address, and counts it.
func (p *path) allows(n int) bool {
	if p.sent+n > amplification*max(p.received, (p.answers+1)*minInitial) { // as if each had been a first datagram: requests are small
		return false
	}
	p.sent += n
	return true
}
