package probe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// sealer makes encrypted records of ours, in their order.
type sealer interface {
	seal(kind wire.ContentType, plaintext []byte) []byte // with the record's header
}

// sealed13 protects records of TLS 1.3 (RFC 8446, Section 5.2).
type sealed13 struct {
	aead cipher.AEAD
	iv   []byte
	seq  uint64
}

func newSealed13(s *schedule13, suite wire.CipherSuite, secret []byte) sealer {
	info, _ := suite.Info()
	key := expandLabel(s.hash, secret, "key", nil, info.KeyBits/8)
	aead := newAEAD(info, key)
	if aead == nil {
		return nil
	}
	return &sealed13{aead: aead, iv: expandLabel(s.hash, secret, "iv", nil, 12)}
}

func (s *sealed13) seal(kind wire.ContentType, plaintext []byte) []byte {
	inner := append(append(make([]byte, 0, len(plaintext)+1), plaintext...), byte(kind))
	size := len(inner) + s.aead.Overhead()
	header := []byte{byte(wire.ContentTypeApplicationData), 3, 3, byte(size >> 8), byte(size)}
	record := s.aead.Seal(header, nonceOf(s.iv, s.seq), inner, header[:5:5])
	s.seq++
	return record
}

// nonceOf is a record's nonce (RFC 8446, Section 5.3; RFC 7905, Section 2).
func nonceOf(iv []byte, seq uint64) []byte {
	nonce := append(make([]byte, 0, 12), iv...)
	for i := range 8 {
		nonce[len(nonce)-1-i] ^= byte(seq >> (8 * i))
	}
	return nonce
}

// newAEAD is the authenticated cipher of a suite; nil: not at hand.
func newAEAD(info wire.CipherSuiteInfo, key []byte) cipher.AEAD {
	if info.Encryption == "CHACHA20" {
		aead, err := chacha20poly1305.New(key)
		if err != nil {
			return nil
		}
		return aead
	}
	if info.Encryption != "AES" {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	switch info.Mode {
	case "GCM":
		if aead, err := cipher.NewGCM(block); err == nil {
			return aead
		}
	case "CCM":
		return &ccm{block, 16}
	case "CCM_8":
		return &ccm{block, 8}
	}
	return nil
}

// keyMaterial12 is what a suite before TLS 1.3 needs of the key block: bytes of a MAC secret, a key, and a nonce or IV.
func keyMaterial12(info wire.CipherSuiteInfo) (mac, key, iv int, ok bool) {
	key = info.KeyBits / 8
	switch info.Encryption {
	case "AES":
		iv = aes.BlockSize
	case "3DES":
		key, iv = 24, des.BlockSize
	case "CHACHA20":
		iv = 12
	case "RC4", "NULL":
	default:
		return 0, 0, 0, false
	}
	if info.AEAD {
		if info.Encryption == "AES" {
			iv = 4 // the rest of the nonce is in the record (RFC 5288, Section 3)
		}
		return 0, key, iv, true
	}
	h := macOf(info.MAC)
	if h == nil || info.Export {
		return 0, 0, 0, false
	}
	return h().Size(), key, iv, true
}

func macOf(name string) func() hash.Hash {
	switch name {
	case "MD5":
		return md5.New
	case "SHA1":
		return sha1.New
	case "SHA256":
		return sha256.New
	case "SHA384":
		return sha512.New384
	}
	return nil
}

// sealed12 protects records of TLS 1.0 to 1.2 in all the forms of RFC 5246, Section 6.2.3.
type sealed12 struct {
	version        wire.Version
	seq            uint64
	aead           cipher.AEAD
	explicit       bool // the nonce's second part is in the record
	iv             []byte
	block          cipher.Block
	stream         cipher.Stream
	mac            hash.Hash // nil: the cipher authenticates by itself
	encryptThenMAC bool      // RFC 7366
}

func newSealed12(version wire.Version, info wire.CipherSuiteInfo, macSecret, key, iv []byte, encryptThenMAC bool) sealer {
	s := &sealed12{version: version, iv: iv}
	if info.AEAD {
		if s.aead, s.explicit = newAEAD(info, key), info.Encryption == "AES"; s.aead == nil {
			return nil
		}
		return s
	}
	s.mac = hmac.New(macOf(info.MAC), macSecret)
	var err error
	switch info.Encryption {
	case "AES":
		s.block, err = aes.NewCipher(key)
	case "3DES":
		s.block, err = des.NewTripleDESCipher(key)
	case "RC4":
		s.stream, err = rc4.NewCipher(key)
	}
	if err != nil {
		return nil
	}
	s.encryptThenMAC = encryptThenMAC && s.block != nil
	return s
}

func (s *sealed12) seal(kind wire.ContentType, plaintext []byte) []byte {
	var payload []byte
	switch {
	case s.aead != nil:
		payload = s.authenticated(kind, plaintext)
	case s.block != nil:
		payload = s.chained(kind, plaintext)
	default:
		payload = s.withMAC(kind, append([]byte(nil), plaintext...))
		if s.stream != nil {
			s.stream.XORKeyStream(payload, payload)
		}
	}
	s.seq++
	header := []byte{byte(kind), byte(s.version >> 8), byte(s.version), byte(len(payload) >> 8), byte(len(payload))}
	return append(header, payload...)
}

// pseudoHeader is what is authenticated besides the contents.
func (s *sealed12) pseudoHeader(kind wire.ContentType, length int) []byte {
	b := binary.BigEndian.AppendUint64(nil, s.seq)
	return append(b, byte(kind), byte(s.version>>8), byte(s.version), byte(length>>8), byte(length))
}

func (s *sealed12) authenticated(kind wire.ContentType, plaintext []byte) []byte {
	additional := s.pseudoHeader(kind, len(plaintext))
	if !s.explicit {
		return s.aead.Seal(nil, nonceOf(s.iv, s.seq), plaintext, additional)
	}
	explicit := binary.BigEndian.AppendUint64(nil, s.seq)
	return s.aead.Seal(explicit, append(append([]byte(nil), s.iv...), explicit...), plaintext, additional)
}

// withMAC appends the MAC of contents, or of what they were encrypted to.
func (s *sealed12) withMAC(kind wire.ContentType, contents []byte) []byte {
	s.mac.Reset()
	s.mac.Write(s.pseudoHeader(kind, len(contents)))
	s.mac.Write(contents)
	return s.mac.Sum(contents)
}

func (s *sealed12) chained(kind wire.ContentType, plaintext []byte) []byte {
	contents := append([]byte(nil), plaintext...)
	if !s.encryptThenMAC {
		contents = s.withMAC(kind, contents)
	}
	size := s.block.BlockSize()
	padding := size - (len(contents)+1)%size
	if padding == size {
		padding = 0
	}
	for range padding + 1 {
		contents = append(contents, byte(padding))
	}
	iv, payload := s.iv, []byte(nil)
	if s.version > wire.VersionTLS10 { // RFC 4346, Section 6.2.3.2: each record brings its own
		iv = random(size)
		payload = iv
	}
	cipher.NewCBCEncrypter(s.block, iv).CryptBlocks(contents, contents)
	if s.version <= wire.VersionTLS10 {
		s.iv = append([]byte(nil), contents[len(contents)-size:]...)
	}
	payload = append(append([]byte(nil), payload...), contents...)
	if s.encryptThenMAC {
		payload = s.withMAC(kind, payload)
	}
	return payload
}
