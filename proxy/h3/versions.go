package h3

import (
	"net"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// other notes a client that speaks a version which is not spoken here. quic-go tells it which ones are (RFC 9000, Section 6.1); the
// client gets a record unless it comes back with one of them. Versions that exist to be refused are no matter.
func (h *hellos) other(b, oob []byte, from net.Addr, version quicwire.Version) {
	h.socket.server.counts.otherVersions.Add(1)
	if version == quicwire.VersionNegotiation || version.Reserved() || len(b) < minInitial {
		return
	}
	now := time.Now()
	key := flowKey{addr: addrPort(from), id: otherVersion}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.flows[key]
	if f == nil {
		to, source := longIDs(b)
		f = h.add(key, now, oob, &quicwire.Header{Version: version, DestinationID: []byte(to), SourceID: []byte(source)})
		f.spoken = version
	}
	f.kept.of().Add(inspect.FromClient, b, now)
	f.facts.Datagrams++
}

// otherVersion stands in a flow's key where the ids of an unknown version would: no connection id is as long.
const otherVersion = "a version that is not spoken here"

// cameBack forgets that a client spoke another version. h.mu is held.
func (h *hellos) cameBack(f *flow) {
	if other := h.flows[flowKey{f.key.addr, otherVersion}]; other != nil {
		h.remove(other)
	}
}
