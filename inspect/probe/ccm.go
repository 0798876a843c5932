package probe

import (
	"crypto/cipher"
	"crypto/subtle"
	"errors"
)

// ccm is AES-CCM with nonces of 12 bytes (RFC 3610; RFC 6655), which the standard library lacks. It seals; what servers seal is
// opened elsewhere.
type ccm struct {
	block cipher.Block
	tag   int
}

// NonceSize is 12.
func (c *ccm) NonceSize() int { return 12 }

// Overhead is the length of the tag.
func (c *ccm) Overhead() int { return c.tag }

// Seal encrypts and authenticates (RFC 3610, Section 2).
func (c *ccm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	const lengthSize = 3 // 15 bytes without the nonce
	mac := make([]byte, 16)
	absorb := func(b []byte) {
		for len(b) > 0 {
			n := min(len(b), 16)
			subtle.XORBytes(mac, mac, b[:n])
			c.block.Encrypt(mac, mac)
			b = b[n:]
		}
	}
	first := append([]byte{byte(8*((c.tag-2)/2) + lengthSize - 1)}, nonce...)
	if len(additional) > 0 {
		first[0] |= 0x40
	}
	absorb(append(first, byte(len(plaintext)>>16), byte(len(plaintext)>>8), byte(len(plaintext))))
	if len(additional) > 0 {
		absorb(append([]byte{byte(len(additional) >> 8), byte(len(additional))}, additional...))
	}
	absorb(plaintext)
	counter := append(append([]byte{lengthSize - 1}, nonce...), 0, 0, 0)
	stream := cipher.NewCTR(c.block, counter)
	stream.XORKeyStream(mac, mac)
	sealed := make([]byte, len(plaintext))
	stream.XORKeyStream(sealed, plaintext)
	return append(append(dst, sealed...), mac[:c.tag]...)
}

// errSealOnly says that this cipher opens nothing.
var errSealOnly = errors.New("probe: this cipher is for sealing")

// Open always fails.
func (c *ccm) Open(_, _, _, _ []byte) ([]byte, error) { return nil, errSealOnly }
