package h3

import (
	"crypto/rand"
	"net/netip"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Errors of the transport (RFC 9000, Section 20.1).
const (
	connectionRefused = 0x02
	cryptoError       = 0x0100 // and above it a TLS alert (RFC 9001, Section 4.8)
)

// refuse tells a client whose connection does not begin: with a TLS alert, or that it is refused (0). The answer is smaller by far than
// the datagrams that it is given to, so that nobody can be flooded with it (RFC 9000, Section 8.1).
func (s *socket) refuse(f *flow, alert wire.AlertDescription) {
	code := uint64(connectionRefused)
	if alert != 0 {
		code = cryptoError + uint64(alert)
	}
	_, keys, err := quicwire.InitialKeys(f.version, []byte(f.key.id))
	if err != nil {
		return
	}
	source := make([]byte, ownIDSize)
	rand.Read(source)
	header := quicwire.Header{Type: quicwire.PacketInitial, Version: f.version, DestinationID: f.sourceID, SourceID: source}
	f.answer = keys.Seal(nil, &header, 0, quicwire.AppendClose(nil, code))
	s.answer(f, f.key.addr)
}

// answer sends it, and again for each datagram that may begin a connection.
func (s *socket) answer(f *flow, to netip.AddrPort) {
	if len(f.answer) > 0 {
		f.kept.of().Add(inspect.FromServer, f.answer, time.Now())
		_ = s.send(f.answer, to, f.oob)
	}
}
