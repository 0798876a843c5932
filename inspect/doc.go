// Package inspect holds the nouns of this project: Connection, Leg, Handshake, Finding. One connection gives one
// Connection, whether it was seen by a proxy, read from a capture, or made by a probe; its JSON form is the record
// (docs/record.md), whose field names are a contract.
//
// An Observer turns bytes with a direction and a time into a Leg. The package records and never judges: findings are
// made by inspect/diagnose. It does no I/O and reads no clock; everything above the bytes may import it.
package inspect
