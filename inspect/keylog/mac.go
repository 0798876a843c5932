package keylog

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/md5"
	"hash"
)

// recordMAC is the MAC of records before TLS 1.3: an HMAC, or in SSL 3.0 what came before it.
type recordMAC struct {
	hash   hash.Hash // an HMAC; in SSL 3.0 a plain hash
	secret []byte    // in SSL 3.0
	pads   int       // bytes of padding in SSL 3.0; 0: an HMAC
	sum    []byte
}

func newRecordMAC(version uint16, h crypto.Hash, secret []byte) *recordMAC {
	if version > versionSSL3 {
		return &recordMAC{hash: hmac.New(h.New, secret)}
	}
	pads := 40 // RFC 6101, Section 5.2.3.1
	if h.Size() == md5.Size {
		pads = 48
	}
	return &recordMAC{hash: h.New(), secret: secret, pads: pads}
}

// strip checks the MAC at the end of b and takes it off.
func (m *recordMAC) strip(b []byte, seq uint64, contentType uint8, version uint16) ([]byte, bool) {
	end := len(b) - m.hash.Size()
	if end < 0 {
		return nil, false
	}
	header := pseudoHeader(seq, contentType, version, end)
	m.hash.Reset()
	if m.pads == 0 {
		m.hash.Write(header[:])
		m.hash.Write(b[:end])
		m.sum = m.hash.Sum(m.sum[:0])
		return b[:end], hmac.Equal(m.sum, b[end:])
	}
	m.hash.Write(m.secret)
	m.hash.Write(bytes.Repeat([]byte{0x36}, m.pads))
	m.hash.Write(header[:9]) // sequence number and type
	m.hash.Write(header[11:])
	m.hash.Write(b[:end])
	inner := m.hash.Sum(nil)
	m.hash.Reset()
	m.hash.Write(m.secret)
	m.hash.Write(bytes.Repeat([]byte{0x5c}, m.pads))
	m.hash.Write(inner)
	m.sum = m.hash.Sum(m.sum[:0])
	return b[:end], hmac.Equal(m.sum, b[end:])
}
