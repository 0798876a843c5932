// Package probe is the active client: it sends a ClientHello of any form, goes as far into the handshake as it is told to,
// and says what came back.
//
//   - A Hello is a ClientHello that can be changed: read from recorded bytes with everything kept in wire order (Parse),
//     made anew with own keys (Fresh), or built from a wish (Modern, Legacy).
//   - A Client sends it to a Target over TCP or QUIC, behind a PROXY protocol header or a STARTTLS dialogue where asked.
//   - An Exchange is what happened: the outcome, what the server chose and presented, alerts with the moment that they came
//     in, times and sizes; Exchange.Connection is the same as a record.
//
// No TLS library stands between a hello and the wire: what is sent is what the Hello says, byte by byte, and what is read is
// read here. Where the hello's key shares are ours, the handshake goes on into what is encrypted: certificates of TLS 1.3,
// the answer to the client's Finished, an answer of the application.
//
// It reports and does not judge. Nothing that a server sends is verified beyond what is needed to read on: a probe wants to
// know what an endpoint does, not whether it may be trusted. Everything that is read is bounded. inspect/scan, inspect/why,
// inspect/replay and cmd import it.
package probe
