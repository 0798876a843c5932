// Package wire reads TLS from raw bytes: records, handshake messages, extensions and alerts, and names every code point.
//
// It reads and does not judge: a weak suite, an unknown extension, GREASE or a duplicate is kept as it stands in the
// message, in wire order. Parsed values are views into the caller's buffer; nothing is copied for a normal hello, and
// the buffer must not change while they are in use. It does no I/O, reads no clock and imports nothing of this project.
package wire
