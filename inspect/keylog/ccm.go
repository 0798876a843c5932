package keylog

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
)

// ccm opens AES-CCM (RFC 3610) with nonces of 12 bytes, as the suites of RFC 6655 and RFC 8446 have them.
type ccm struct {
	block cipher.Block
	tag   int
}

const ccmNonce = 12 // which leaves three bytes for the length

// open appends the plaintext to dst. It costs one pass for the contents and one for the tag.
func (c *ccm) open(dst, nonce, ciphertext, additional []byte) ([]byte, bool) {
	if len(ciphertext) < c.tag || len(ciphertext)-c.tag >= 1<<24 || len(nonce) != ccmNonce || len(additional) >= 0xff00 {
		return nil, false
	}
	body, tag := ciphertext[:len(ciphertext)-c.tag], ciphertext[len(ciphertext)-c.tag:]
	counter := [aes.BlockSize]byte{0: 2}
	copy(counter[1:], nonce)
	stream := cipher.NewCTR(c.block, counter[:])
	var wanted [aes.BlockSize]byte
	copy(wanted[:], tag)
	stream.XORKeyStream(wanted[:], wanted[:]) // the key stream's first block is the tag's, whole
	at := len(dst)
	dst = append(dst, body...)
	stream.XORKeyStream(dst[at:], dst[at:])

	var mac [aes.BlockSize]byte
	mac[0] = byte(c.tag-2)/2<<3 | 2 // size of the tag, size of the length less one
	if len(additional) > 0 {
		mac[0] |= 1 << 6
	}
	copy(mac[1:], nonce)
	n := len(body)
	mac[13], mac[14], mac[15] = byte(n>>16), byte(n>>8), byte(n)
	c.block.Encrypt(mac[:], mac[:])
	if len(additional) > 0 {
		c.mix(&mac, append(binary.BigEndian.AppendUint16(nil, uint16(len(additional))), additional...))
	}
	c.mix(&mac, dst[at:])
	return dst, hmac.Equal(mac[:c.tag], wanted[:c.tag])
}

// mix takes b into the CBC-MAC, filled up to whole blocks with zeros.
func (c *ccm) mix(mac *[aes.BlockSize]byte, b []byte) {
	for len(b) > 0 {
		n := min(len(b), aes.BlockSize)
		for i, x := range b[:n] {
			mac[i] ^= x
		}
		b = b[n:]
		c.block.Encrypt(mac[:], mac[:])
	}
}
