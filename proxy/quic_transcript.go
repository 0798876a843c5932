package proxy

import (
	"bytes"
	"io"
	"net"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// Datagrams keeps those of a connection over QUIC, of a client or to a backend, for Server.OnTranscript: of the handshake, and the beginnings of a few that
// follow it, which say that they did. Nil keeps nothing.
type Datagrams struct{ kept transcript }

// Bounds on what is kept of a connection over QUIC.
const (
	maxDatagrams     = 64 // of both sides
	maxDatagramBytes = 64 << 10
	maxDatagram      = 16 << 10
	maxSent          = 1500 // what is handed to the system at once and is longer may be several datagrams
	maxFollowing     = 4    // datagrams of a side that follow its handshake
	followingBytes   = 41   // of a packet that follows it: first byte, the longest id, packet number, and what hides the two (RFC 9001, Section 5.4.2)
)

// KeepDatagrams keeps the datagrams of a connection that begins; nil where nobody wants them.
func (s *Server) KeepDatagrams() *Datagrams {
	if s.OnTranscript == nil {
		return nil
	}
	return newDatagrams(s.KeyLog)
}

func newDatagrams(keyLog io.Writer) *Datagrams {
	d := &Datagrams{kept: transcript{keyLog: keyLog, bytes: maxDatagramBytes, over: -1}}
	d.kept.leg.Transport = inspect.TransportQUIC
	return d
}

// Between says whose datagrams these are, where that is not known from elsewhere: those of a connection to a backend.
func (d *Datagrams) Between(client, server net.Addr) {
	if d == nil {
		return
	}
	d.kept.mu.Lock()
	defer d.kept.mu.Unlock()
	d.kept.leg.Client, d.kept.leg.Server = addrPort(client), addrPort(server)
}

// Add takes the payload of a datagram, which is not kept itself.
func (d *Datagrams) Add(from inspect.Side, b []byte, at time.Time) {
	if d == nil || len(b) == 0 {
		return
	}
	t := &d.kept
	t.mu.Lock()
	defer t.mu.Unlock()
	if b[0]&0x80 == 0 {
		following := &t.following[0]
		if from == inspect.FromServer {
			following = &t.following[1]
		}
		if *following++; *following > maxFollowing {
			t.leg.Truncated = true
			return
		}
	}
	n, size := handshakeLength(b), len(b)
	if n < size && size > maxSent {
		size = n
	}
	if len(t.leg.Chunks) >= maxDatagrams || n > min(t.bytes, maxDatagram) {
		t.leg.Truncated = true
		return
	}
	t.bytes -= n
	if t.leg.Began.IsZero() {
		t.leg.Began = at
	}
	t.leg.Chunks = append(t.leg.Chunks, Chunk{At: at, From: from, Data: bytes.Clone(b[:n]), Size: size})
}

// Full reports whether nothing more will be kept.
func (d *Datagrams) Full() bool {
	if d == nil {
		return true
	}
	d.kept.mu.Lock()
	defer d.kept.mu.Unlock()
	return len(d.kept.leg.Chunks) >= maxDatagrams || min(d.kept.following[0], d.kept.following[1]) > maxFollowing
}

// Follow takes what another keeps in front of what will be added: that of a client before it was sent a Retry. What the other keeps stays there.
func (d *Datagrams) Follow(before *Datagrams) {
	if d == nil || before == nil {
		return
	}
	before.kept.mu.Lock()
	leg, left := before.kept.leg, before.kept.bytes
	leg.Chunks = slices.Clone(leg.Chunks)
	before.kept.mu.Unlock()
	d.kept.mu.Lock()
	defer d.kept.mu.Unlock()
	d.kept.leg, d.kept.bytes = leg, left
}

// handshakeLength is how many bytes of a datagram are of the handshake. Packets that hold application data, or early data, are cut behind
// their headers: what is in them can be opened by whoever has the secrets.
func handshakeLength(b []byte) int {
	for rest := b; len(rest) > 0; {
		at := len(b) - len(rest)
		var h quicwire.Header
		next, err := quicwire.ParseHeader(rest, &h)
		switch {
		case err != nil && at == 0 && b[0]&0x80 != 0:
			return len(b) // of a version that is not known, or what somebody sends who does not know QUIC
		case err != nil, h.Type == quicwire.PacketOneRTT:
			return at + min(len(rest), followingBytes)
		case h.Type == quicwire.PacketZeroRTT:
			return at + min(len(h.Packet), h.Number+4+16)
		}
		rest = next
	}
	return len(b)
}
