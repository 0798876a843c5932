package h3

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/proxy"
)

// keeping are the connections of a socket whose datagrams somebody wants, and that go through quic-go, which says nothing of what it reads and
// writes. Where nobody wants any, it costs a look at a number.
type keeping struct {
	open atomic.Int64
	mu   sync.Mutex
	by   map[netip.AddrPort][]*kept
}

// kept is one of them. Of a client with several connections they are told apart by the ids in long headers.
type kept struct {
	datagrams *proxy.Datagrams
	addr      netip.AddrPort
	client    string   // the id that the client gave itself
	server    []string // ids that the client sends to
}

// maxKeptIDs bounds the ids of a connection: the one that the client made up, that of a Retry, and the server's own.
const maxKeptIDs = 4

// begin keeps what goes between an address and this socket from now on.
func (k *keeping) begin(x *kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by == nil {
		k.by = make(map[netip.AddrPort][]*kept)
	}
	k.by[x.addr] = append(k.by[x.addr], x)
	k.open.Add(1)
}

// end keeps nothing more; a second time it does nothing.
func (k *keeping) end(x *kept) {
	if x == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.by[x.addr]
	i := slices.Index(all, x)
	if i < 0 {
		return
	}
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(k.by, x.addr)
	} else {
		k.by[x.addr] = all
	}
	k.open.Add(-1)
}

// came takes a datagram from a client that went on from what was kept before.
func (k *keeping) came(from net.Addr, b []byte) { k.add(inspect.FromClient, from, b) }

// went takes a datagram to a client.
func (k *keeping) went(to net.Addr, b []byte) { k.add(inspect.FromServer, to, b) }

func (k *keeping) add(from inspect.Side, client net.Addr, b []byte) {
	if k.open.Load() == 0 || len(b) == 0 {
		return
	}
	addr := addrPort(client)
	k.mu.Lock()
	x := find(k.by[addr], from, b)
	k.mu.Unlock()
	if x == nil {
		return
	}
	if x.datagrams.Add(from, b, time.Now()); x.datagrams.Full() {
		k.end(x)
	}
}

// again notes that a client begins once more: what is sent to it has other ids.
func (k *keeping) again(x *kept, client, to string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x.client = client
	if len(x.server) < maxKeptIDs && !slices.Contains(x.server, to) {
		x.server = append(x.server, to)
	}
}

// of is what is kept of a connection; nil: nothing.
func (x *kept) of() *proxy.Datagrams {
	if x == nil {
		return nil
	}
	return x.datagrams
}

// find tells whose a datagram is; nil: nobody can say.
func find(all []*kept, from inspect.Side, b []byte) *kept {
	if b[0]&0x80 == 0 {
		if len(all) == 1 {
			return all[0]
		}
		return nil
	}
	to, source := longIDs(b)
	for _, x := range all {
		switch {
		case from == inspect.FromClient && slices.Contains(x.server, to):
			return x
		case from == inspect.FromServer && x.client == to && (len(all) == 1 || to != "" || slices.Contains(x.server, source)):
			if len(x.server) < maxKeptIDs && !slices.Contains(x.server, source) {
				x.server = append(x.server, source)
			}
			return x
		}
	}
	return nil
}

// longIDs are the destination and the source of a packet with a long header (RFC 8999, Section 5.1); empty where it is cut off.
func longIDs(b []byte) (to, source string) {
	if len(b) < 7 || len(b) < 7+int(b[5]) {
		return "", ""
	}
	to, b = string(b[6:6+int(b[5])]), b[6+int(b[5]):]
	if len(b) > int(b[0]) {
		source = string(b[1 : 1+int(b[0])])
	}
	return to, source
}

// keep begins to keep the datagrams of a client, where somebody wants them; before is what was kept of it before its Retry.
func (s *socket) keep(f *flow, header *quicwire.Header, before *kept) {
	datagrams := s.server.Proxy.KeepDatagrams()
	if datagrams == nil {
		return
	}
	datagrams.Follow(before.of())
	f.kept = &kept{datagrams: datagrams, addr: f.key.addr, client: string(header.SourceID), server: []string{string(header.DestinationID)}}
	s.keeping.begin(f.kept)
}

// forgetDatagrams keeps no more of a client whose record has what was kept, or that gets none. hellos.mu is held.
func (f *flow) forgetDatagrams() {
	f.socket.keeping.end(f.kept)
	f.kept = nil
}

// maxKeptDemands bounds how many clients that were sent a Retry have their datagrams kept: each may be a forged address.
const maxKeptDemands = 64

// keepDemand keeps those of a client that is sent a Retry. h.mu is held.
func (h *hellos) keepDemand(d *demand, addr netip.AddrPort, b []byte, header *quicwire.Header) {
	if d.kept == nil && h.keptDemands < maxKeptDemands {
		if datagrams := h.socket.server.Proxy.KeepDatagrams(); datagrams != nil {
			d.kept = &kept{datagrams: datagrams, addr: addr}
			h.keptDemands++
			h.socket.keeping.begin(d.kept)
		}
	}
	if d.kept != nil {
		h.socket.keeping.again(d.kept, string(header.SourceID), string(header.DestinationID))
		d.kept.datagrams.Add(inspect.FromClient, b, time.Now())
	}
}

// forgetDemand keeps no more of a client that was sent a Retry. h.mu is held.
func (h *hellos) forgetDemand(d *demand) {
	if d.kept != nil {
		h.socket.keeping.end(d.kept)
		h.keptDemands--
		d.kept = nil
	}
}
