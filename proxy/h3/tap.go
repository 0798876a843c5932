package h3

import (
	"encoding/binary"
	"net"

	"golang.org/x/net/ipv4"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// tap is a UDP socket as quic-go reads it: in batches, with what the system says of each datagram. It hands on what is for quic-go.
// Writing goes to the socket itself, with all that the system can do.
type tap struct {
	*net.UDPConn
	socket *socket
	single []ipv4.Message // for ReadFrom
	large  []ipv4.Message // for datagrams that pass through
}

// ReadBatch is read by one goroutine of quic-go.
func (t *tap) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	for {
		if n := t.held(ms); n > 0 {
			return n, nil
		}
		from := ms
		if t.socket.passes() {
			from = t.largeBuffers()
		}
		n, err := t.socket.batch.ReadBatch(from, flags)
		if err != nil || n == 0 {
			return n, err
		}
		if n = t.sift(ms, from[:n]); n > 0 {
			return n, nil
		}
	}
}

// held fills messages with datagrams whose hello is whole now.
func (t *tap) held(ms []ipv4.Message) int {
	for i := range ms {
		d, ok := t.socket.hellos.next()
		if !ok {
			return i
		}
		m := &ms[i]
		m.N, m.NN, m.Flags, m.Addr = copy(m.Buffers[0], d.bytes), copy(m.OOB, d.oob), 0, d.addr
	}
	return len(ms)
}

// largeBuffers are for datagrams that pass through: quic-go's own are no larger than what quic-go itself may be sent.
func (t *tap) largeBuffers() []ipv4.Message {
	if t.large == nil {
		t.large = make([]ipv4.Message, 8)
		for i := range t.large {
			t.large[i].Buffers, t.large[i].OOB = [][]byte{make([]byte, 1<<16)}, make([]byte, maxOOB)
		}
	}
	return t.large
}

// sift keeps in ms what quic-go is to have of what was read. The messages' buffers are quic-go's and stay where they are.
func (t *tap) sift(ms, read []ipv4.Message) int {
	kept := 0
	for i := range read {
		m := &read[i]
		if !t.socket.hand(m.Buffers[0][:m.N], m.OOB[:m.NN], m.Addr) || kept == len(ms) {
			continue
		}
		if to := &ms[kept]; to != m {
			to.N, to.NN, to.Flags, to.Addr = copy(to.Buffers[0], m.Buffers[0][:m.N]), copy(to.OOB, m.OOB[:m.NN]), m.Flags, m.Addr
		}
		kept++
	}
	return kept
}

// ReadFrom is read where the system has no batches.
func (t *tap) ReadFrom(b []byte) (int, net.Addr, error) {
	if t.single == nil {
		t.single = make([]ipv4.Message, 1)
		t.single[0].Buffers, t.single[0].OOB = make([][]byte, 1), make([]byte, maxOOB)
	}
	t.single[0].Buffers[0] = b
	n, err := t.ReadBatch(t.single, 0)
	if err != nil || n == 0 {
		return 0, nil, err
	}
	return t.single[0].N, t.single[0].Addr, nil
}

const maxOOB = 128

// hand looks at a datagram and reports whether quic-go is to have it.
func (s *socket) hand(b, oob []byte, from net.Addr) bool {
	if s.relays.take(b, from) {
		return false
	}
	passes, terminates := s.passes(), s.terminates()
	counts := &s.server.counts
	if len(b) < 7 || b[0]&0x80 == 0 {
		s.keeping.came(from, b)
		if !terminates {
			counts.strays.Add(1)
		}
		return terminates
	}
	counts.datagrams.Add(1)
	s.came.Add(1)
	version := quicwire.Version(binary.BigEndian.Uint32(b[1:5]))
	if version != quicwire.Version1 && version != quicwire.Version2 && !(passes && version.Opens()) {
		s.hellos.other(b, oob, from, version) // in passing, its name cannot be read, and with it the route
		return !passes                        // quic-go answers with the versions that are spoken here
	}
	if !isInitial(b[0], version) {
		s.keeping.came(from, b)
		s.unchecked.came(addrPort(from), b, true)
		if !terminates {
			counts.strays.Add(1)
		}
		return terminates
	}
	s.unchecked.came(addrPort(from), b, false)
	var h quicwire.Header
	if _, err := quicwire.ParseHeader(b, &h); err != nil {
		counts.unreadable.Add(1)
		return false
	}
	return s.hellos.datagram(b, oob, from, &h)
}

// isInitial reports whether the packet is an Initial one by the type in its first byte (RFC 9000, Section 17.2; RFC 9369, Section 3.2).
func isInitial(first byte, v quicwire.Version) bool {
	kind := first >> 4 & 3
	return kind == 0 && v != quicwire.Version2 || kind == 1 && v == quicwire.Version2
}
