package keylog

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	nonceSize    = 12
	explicitSize = 8 // of the nonce in a record of TLS 1.2 with GCM or CCM (RFC 5288, Section 3; RFC 6655, Section 3)
	aeadTag      = 16
	shortTag     = 8
)

// aead is an authenticated cipher, to be opened with only.
type aead interface {
	open(dst, nonce, ciphertext, additional []byte) ([]byte, bool)
}

// standard is an aead of the standard library's kind.
type standard struct{ cipher.AEAD }

func (s standard) open(dst, nonce, ciphertext, additional []byte) ([]byte, bool) {
	b, err := s.Open(dst, nonce, ciphertext, additional)
	return b, err == nil
}

// newAEAD makes the cipher of a suite; ok is false if the suite has none.
func newAEAD(info suite, key []byte) (a aead, ok bool) {
	if info.kind == cipherChaCha20 {
		c, err := chacha20poly1305.New(key)
		return standard{c}, err == nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	switch info.kind {
	case cipherAESGCM:
		c, err := cipher.NewGCM(block)
		return standard{c}, err == nil
	case cipherAESCCM:
		return &ccm{block, aeadTag}, true
	case cipherAESCCM8:
		return &ccm{block, shortTag}, true
	}
	return nil, false
}

// sealed12 opens records of TLS 1.2 with an authenticated cipher.
type sealed12 struct {
	aead     aead
	iv       [nonceSize]byte // with an explicit part only the first four bytes
	explicit bool            // the rest of the nonce is in the record; else it comes of the sequence number
	tag      int
}

func (p *sealed12) open(dst []byte, seq uint64, contentType uint8, version uint16, payload []byte) ([]byte, bool) {
	nonce := p.iv
	if p.explicit {
		if len(payload) < explicitSize {
			return nil, false
		}
		copy(nonce[nonceSize-explicitSize:], payload)
		payload = payload[explicitSize:]
	} else {
		xorSequence(&nonce, seq)
	}
	if len(payload) < p.tag {
		return nil, false
	}
	additional := pseudoHeader(seq, contentType, version, len(payload)-p.tag)
	return p.aead.open(dst, nonce[:], payload, additional[:])
}

// pseudoHeader is what is authenticated besides the contents before TLS 1.3 (RFC 5246, Sections 6.2.3.1 and 6.2.3.3).
func pseudoHeader(seq uint64, contentType uint8, version uint16, length int) (b [13]byte) {
	binary.BigEndian.PutUint64(b[:], seq)
	b[8] = contentType
	binary.BigEndian.PutUint16(b[9:], version)
	binary.BigEndian.PutUint16(b[11:], uint16(length))
	return b
}
