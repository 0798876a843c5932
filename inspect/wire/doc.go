// Package wire reads TLS from raw bytes: records, handshake messages, extensions and alerts, and names every code point.
//
//   - A Reader finds records and whole handshake messages in one direction of a connection, in whatever portions the bytes
//     come.
//   - The Parse functions read one message each: ParseClientHello, ParseServerHello, ParseCertificate, and so on.
//   - Version, CipherSuite, NamedGroup and the other code points have a name (String), most of them facts (Info), and are
//     found by the names that people type (CipherSuiteByName, …). The tables are generated from the IANA registries.
//   - Sniff tells what the first bytes are when they are no TLS.
//
// It reads and does not judge: a weak suite, an unknown extension, GREASE or a duplicate is kept as it stands in the
// message, in wire order. Parsed values are views into the caller's buffer; nothing is copied for a normal hello, and
// the buffer must not change while they are in use. It does no I/O, reads no clock and imports nothing of this project.
package wire
