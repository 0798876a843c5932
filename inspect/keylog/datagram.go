package keylog

// Versions of DTLS, which count downwards (RFC 6347, Section 4.1).
const (
	versionDTLS10 uint16 = 0xFEFF
	versionDTLS12 uint16 = 0xFEFD
)

// DatagramOpener opens the encrypted records of one side of DTLS 1.0 or 1.2, in any order.
type DatagramOpener struct {
	protection protection
	buf        []byte
}

// ForDTLS makes an opener for the records of one side: of the first epoch that is encrypted. Version is that of DTLS, 0xFEFD for 1.2. The
// error is ErrNoSecret or an *UnsupportedError; DTLS 1.3 is not opened.
func (s *Store) ForDTLS(c Connection, from Side) (*DatagramOpener, error) {
	asked := c.Version
	switch c.Version { // the keys are derived as those of the version of TLS that it is made of
	case versionDTLS12:
		c.Version = versionTLS12
	case versionDTLS10:
		c.Version = versionTLS12 - 1
	default:
		return nil, &UnsupportedError{asked, c.Suite}
	}
	info, known := suiteOf(c.Suite)
	if !known || tls13(c.Suite) || info.kind == cipherRC4 { // RFC 6347, Section 4.1.2.2: stream ciphers cannot be had
		return nil, &UnsupportedError{asked, c.Suite}
	}
	master := s.Secret(c.ClientRandom, ClientRandom)
	if len(master) == 0 || len(c.ServerRandom) != randomSize {
		return nil, ErrNoSecret
	}
	p, ok := legacyProtection(&c, info, master, from)
	if !ok {
		return nil, &UnsupportedError{asked, c.Suite}
	}
	return &DatagramOpener{protection: p}, nil
}

// Open opens a record, given what its header says: sequence has 48 bits. The plaintext is valid until the next call; the error is
// ErrNotOpened.
func (o *DatagramOpener) Open(contentType uint8, version, epoch uint16, sequence uint64, payload []byte) ([]byte, error) {
	if len(payload) > maxPayload || epoch != 1 {
		return nil, ErrNotOpened // a later epoch has other keys
	}
	plaintext, ok := o.protection.open(o.buf[:0], uint64(epoch)<<48|sequence&(1<<48-1), contentType, version, payload)
	if !ok {
		return nil, ErrNotOpened
	}
	o.buf = plaintext[:0]
	return plaintext, nil
}
