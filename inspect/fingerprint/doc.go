// Package fingerprint gives short names to what a client offers: JA3, JA4, and this project's own Shape, which stays the
// same from one connection of a client to the next.
//
// Of the JA4 family only JA4 itself, the fingerprint of a TLS client, is here: its definition is published under the BSD
// 3-Clause licence, those of its siblings are not. The package computes from a parsed hello; it keeps no list of known
// fingerprints and judges nobody by them.
package fingerprint
