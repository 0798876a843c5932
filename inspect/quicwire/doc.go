// Package quicwire reads the handshake of a QUIC connection from its datagrams, the way a bystander can: Initial packets are
// encrypted with keys that everybody can derive (RFC 9001, Section 5.2), so the ClientHello, the ServerHello and an early
// CONNECTION_CLOSE are visible to whoever sees the client's first packet.
//
//   - A Flow reads the datagrams of both sides of one connection, in whatever order they come, and hands out whole TLS handshake
//     messages as wire.ParseClientHello and its siblings take them.
//   - Recognize tells whether a datagram of any port may begin a QUIC connection.
//   - ParseHeader reads one packet's header; Keys remove its protection.
//   - ParseTransportParameters reads the TLS extension that QUIC brings along.
//
// Known are versions 1 (RFC 9000, RFC 9001) and 2 (RFC 9369), the drafts from 22 on, Facebook's mvfst, Google's T050 and T051, and
// of Google's own QUIC before TLS the CHLO of a client. Given traffic secrets, Handshake and 1-RTT packets are opened too.
//
// It reads and does not judge: amplification, flow control and what belongs to streams are not looked at. Everything a Flow keeps is
// bounded. It does no I/O, reads no clock and imports nothing of this project.
package quicwire
