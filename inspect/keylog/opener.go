package keylog

import (
	"errors"
	"fmt"
)

// Side is one end of a connection.
type Side uint8

// Sides.
const (
	FromClient Side = iota
	FromServer
)

// Versions of TLS.
const (
	versionSSL3  uint16 = 0x0300
	versionTLS12 uint16 = 0x0303
	versionTLS13 uint16 = 0x0304
)

// ErrNoSecret says that the store has no secret that would open anything of the connection's side.
var ErrNoSecret = errors.New("keylog: no secret for this connection")

// ErrNotOpened says that a record did not authenticate: the secrets are of another connection, the record is damaged, or records before it
// are missing.
var ErrNotOpened = errors.New("keylog: the record does not authenticate")

// UnsupportedError says that records of a version with a suite cannot be opened.
type UnsupportedError struct {
	Version uint16
	Suite   uint16
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("keylog: records of version 0x%04X with cipher suite 0x%04X cannot be opened", e.Version, e.Suite)
}

// Connection is what the hellos agreed upon.
type Connection struct {
	Version        uint16 // as negotiated: 0x0304 is TLS 1.3, 0x7F1C its draft 28, 0x0303 TLS 1.2, 0x0300 SSL 3.0
	Suite          uint16
	ClientRandom   []byte
	ServerRandom   []byte
	EncryptThenMAC bool // both hellos have the extension (RFC 7366)
}

// tls13Draft tells TLS 1.3 and its drafts, also Facebook's, from older versions; draft is 0 for the RFC's version.
func (c *Connection) tls13Draft() (draft int, ok bool) {
	switch c.Version >> 8 {
	case 0x7f, 0xfb:
		return int(c.Version & 0xff), true
	}
	return 0, c.Version == versionTLS13
}

// maxPayload is the longest payload of a record of any version (RFC 5246, Section 6.2.3).
const maxPayload = 1<<14 + 2048

// Opener opens the encrypted records of one side in their order.
type Opener struct {
	modern *stages    // TLS 1.3
	legacy protection // older
	seq    uint64
	buf    []byte
}

// protection opens records under one set of keys. dst has no contents; what it returns is in it.
type protection interface {
	open(dst []byte, seq uint64, contentType uint8, version uint16, payload []byte) ([]byte, bool)
}

// ForTLS makes an opener for the records of one side. The error is ErrNoSecret or an *UnsupportedError.
func (s *Store) ForTLS(c Connection, from Side) (*Opener, error) {
	info, known := suiteOf(c.Suite)
	draft, modern := c.tls13Draft()
	// Drafts before 20 derived keys with other labels.
	if !known || modern != tls13(c.Suite) || modern && draft > 0 && draft < 20 || !modern && (c.Version < versionSSL3 || c.Version > versionTLS12) {
		return nil, &UnsupportedError{c.Version, c.Suite}
	}
	if modern {
		return s.forTLS13(&c, info, draft, from)
	}
	master := s.Secret(c.ClientRandom, ClientRandom)
	if len(master) == 0 || len(c.ServerRandom) != randomSize {
		return nil, ErrNoSecret
	}
	p, ok := legacyProtection(&c, info, master, from)
	if !ok {
		return nil, &UnsupportedError{c.Version, c.Suite}
	}
	return &Opener{legacy: p}, nil
}

// Open opens the next record, given its header's type and version and its payload. Of TLS 1.3 those are the records of type
// application_data from the ServerHello on; the opener goes from the early to the handshake to the application keys, and along key
// updates, by itself. Of older versions those are all records after the side's ChangeCipherSpec. The content type is the true one,
// which TLS 1.3 encrypts; the plaintext is valid until the next call. The error is ErrNotOpened.
func (o *Opener) Open(contentType uint8, version uint16, payload []byte) (inner uint8, plaintext []byte, err error) {
	if len(payload) > maxPayload {
		return 0, nil, ErrNotOpened
	}
	if o.modern != nil {
		return o.modern.open(&o.buf, contentType, version, payload)
	}
	plaintext, ok := o.legacy.open(o.buf[:0], o.seq, contentType, version, payload)
	o.seq++
	if !ok {
		return 0, nil, ErrNotOpened
	}
	o.buf = plaintext[:0]
	return contentType, plaintext, nil
}

// Skip tells the opener that so many encrypted records of its side were not seen. With stream ciphers, and CBC before TLS 1.1, nothing
// can be opened behind a gap, or not the first record.
func (o *Opener) Skip(records int) {
	if records <= 0 {
		return
	}
	o.seq += uint64(records)
	if o.modern != nil {
		o.modern.seq += uint64(records)
	}
}
