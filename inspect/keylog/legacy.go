package keylog

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rc4"
)

// legacyProtection derives the keys of a side before TLS 1.3: the key block has MAC secrets, keys and nonces, the client's of each
// first (RFC 5246, Section 6.3).
func legacyProtection(c *Connection, info suite, master []byte, from Side) (protection, bool) {
	macSize, ivSize := 0, 0
	if info.mac != 0 {
		macSize = info.mac.Size()
	}
	switch info.kind {
	case cipherAESGCM, cipherAESCCM, cipherAESCCM8:
		ivSize = nonceSize - explicitSize
	case cipherChaCha20:
		ivSize = nonceSize
	case cipherAESCBC:
		ivSize = aes.BlockSize
	case cipher3DESCBC, cipherDESCBC:
		ivSize = des.BlockSize
	}
	block := keyBlock(c, info.prf, master, 2*(macSize+info.key+ivSize))
	take := func(size int) []byte {
		side := block[:size]
		if from == FromServer {
			side = block[size : 2*size]
		}
		block = block[2*size:]
		return side
	}
	macSecret, key, iv := take(macSize), take(info.key), take(ivSize)
	if info.mac == 0 {
		return newSealed12(c, info, key, iv)
	}
	mac := newRecordMAC(c.Version, info.mac, macSecret)
	switch info.kind {
	case cipherRC4:
		stream, err := rc4.NewCipher(key)
		return &streamed{stream, mac}, err == nil
	case cipherNULL:
		return &streamed{nil, mac}, true
	}
	b, err := newBlock(info.kind, key)
	if err != nil {
		return nil, false
	}
	return &chained{block: b, iv: iv, mac: mac, version: c.Version, macLast: c.EncryptThenMAC && c.Version > versionSSL3}, true
}

func newBlock(kind cipherKind, key []byte) (cipher.Block, error) {
	switch kind {
	case cipher3DESCBC:
		return des.NewTripleDESCipher(key)
	case cipherDESCBC:
		return des.NewCipher(key)
	}
	return aes.NewCipher(key)
}

func newSealed12(c *Connection, info suite, key, iv []byte) (protection, bool) {
	a, ok := newAEAD(info, key)
	if !ok || c.Version != versionTLS12 { // RFC 5246, Section 6.2.3.3: there are none before
		return nil, false
	}
	p := &sealed12{aead: a, explicit: info.kind != cipherChaCha20, tag: aeadTag}
	if info.kind == cipherAESCCM8 {
		p.tag = shortTag
	}
	copy(p.iv[:], iv)
	return p, true
}

// streamed opens records of a stream cipher, or of none, with a MAC behind the contents (RFC 5246, Section 6.2.3.1).
type streamed struct {
	stream cipher.Stream // nil: none
	mac    *recordMAC
}

func (p *streamed) open(dst []byte, seq uint64, contentType uint8, version uint16, payload []byte) ([]byte, bool) {
	dst = append(dst, payload...)
	if p.stream != nil {
		p.stream.XORKeyStream(dst, dst)
	}
	return p.mac.strip(dst, seq, contentType, version)
}

// chained opens records of a block cipher in CBC mode with a MAC (RFC 5246, Section 6.2.3.2).
type chained struct {
	block   cipher.Block
	iv      []byte // of the next record before TLS 1.1: the last block of the one before
	mac     *recordMAC
	version uint16
	macLast bool // the MAC is of the ciphertext and behind it (RFC 7366)
}

func (p *chained) open(dst []byte, seq uint64, contentType uint8, version uint16, payload []byte) ([]byte, bool) {
	if p.macLast {
		var ok bool
		if payload, ok = p.mac.strip(payload, seq, contentType, version); !ok {
			return nil, false
		}
	}
	size := p.block.BlockSize()
	if len(payload) < size || len(payload)%size != 0 {
		return nil, false
	}
	iv := p.iv
	if p.version > 0x0301 { // RFC 4346, Section 6.2.3.2: the IV is in the record
		iv, payload = payload[:size], payload[size:]
	} else {
		p.iv = append([]byte(nil), payload[len(payload)-size:]...)
	}
	dst = append(dst, payload...)
	if len(dst) == 0 {
		return nil, false
	}
	cipher.NewCBCDecrypter(p.block, iv).CryptBlocks(dst, dst)
	dst, ok := p.unpad(dst)
	if !ok || p.macLast {
		return dst, ok
	}
	return p.mac.strip(dst, seq, contentType, version)
}

// unpad takes the padding off: its length in the last byte, and before it as many bytes with the same value, or in SSL 3.0 with any.
func (p *chained) unpad(b []byte) ([]byte, bool) {
	n := int(b[len(b)-1]) + 1
	if n > len(b) {
		return nil, false
	}
	if p.version > versionSSL3 {
		for _, x := range b[len(b)-n:] {
			if int(x) != n-1 {
				return nil, false
			}
		}
	}
	return b[:len(b)-n], true
}
