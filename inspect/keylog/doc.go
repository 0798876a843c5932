// Package keylog opens what TLS has encrypted, for someone who has the secrets: it reads lines in the SSLKEYLOGFILE format (RFC 9850), which
// browsers, curl, OpenSSL and Go write, keeps the secrets by client random, and decrypts records with them.
//
//   - A Store takes lines and finds secrets.
//   - An Opener, made by Store.ForTLS, opens the encrypted records of one side in their order: TLS 1.3 over its changes of keys, and older
//     versions down to SSL 3.0.
//
// It is there to read a handshake's encrypted part and its alerts; compressed records stay closed, and so do those of a renegotiation.
// Nothing secret appears in an error. It does no I/O, reads no clock and imports nothing of this project.
package keylog
