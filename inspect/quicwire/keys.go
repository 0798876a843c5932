package quicwire

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// headerSize is what a header takes that has no token: ids, lengths and packet number.
const headerSize = 64

// Suites that QUIC can use, by their IANA code points. The CCM suite is not opened.
const (
	suiteAES128GCM uint16 = 0x1301
	suiteAES256GCM uint16 = 0x1302
	suiteChaCha20  uint16 = 0x1303
)

// Keys are what protects the packets of one side at one level. They are not safe for concurrent use.
type Keys struct {
	aead   cipher.AEAD
	block  cipher.Block // header protection by AES; nil: by ChaCha20 with stream
	stream [chacha20.KeySize]byte
	iv     [12]byte

	// What would else be allocated for each packet, because it passes through an interface.
	nonce  [12]byte
	sample [sampleSize]byte
	header []byte
}

// SuiteError says that a cipher suite is none that packets can be opened with here.
type SuiteError struct{ Suite uint16 }

func (e *SuiteError) Error() string {
	return fmt.Sprintf("quicwire: packets of cipher suite 0x%04X cannot be opened", e.Suite)
}

// InitialKeys derives the keys of Initial packets from the destination connection id of the client's first Initial, or of its first
// after a Retry (RFC 9001, Section 5.2). The error is a *PacketError of kind ErrVersion.
func InitialKeys(v Version, id []byte) (client, server *Keys, err error) {
	salts := saltsOf(v)
	if len(salts) == 0 || len(id) > maxID {
		return nil, nil, &PacketError{Kind: ErrVersion, Type: PacketInitial, Got: int(v)}
	}
	c, s := initialSecrets(salts[0], id)
	return aesKeys(v, c[:], 16), aesKeys(v, s[:], 16), nil
}

// NewKeys derives packet protection keys from a traffic secret of TLS (RFC 9001, Section 5.1). The error is a *SuiteError, also for
// a secret that is not as long as the suite's hash.
func NewKeys(v Version, suite uint16, secret []byte) (*Keys, error) {
	switch {
	case suite == suiteAES128GCM && len(secret) == 32:
		return aesKeys(v, secret, 16), nil
	case suite == suiteAES256GCM && len(secret) == 48:
		return aesKeys(v, secret, 32), nil
	case suite == suiteChaCha20 && len(secret) == 32:
		return chachaKeys(v, secret), nil
	}
	return nil, &SuiteError{suite}
}

// labels are those of RFC 9001, Section 5.1, and of RFC 9369, Section 3.3.2.
func labels(v Version) (key, iv, hp string) {
	if v == Version2 {
		return "quicv2 key", "quicv2 iv", "quicv2 hp"
	}
	return "quic key", "quic iv", "quic hp"
}

func aesKeys(v Version, secret []byte, size int) *Keys {
	keyLabel, ivLabel, hpLabel := labels(v)
	k := &Keys{header: make([]byte, 0, headerSize)}
	var key [32]byte
	expandLabel(secret, keyLabel, key[:size])
	expandLabel(secret, ivLabel, k.iv[:])
	k.aead = gcm(key[:size])
	expandLabel(secret, hpLabel, key[:size])
	k.block = aesBlock(key[:size])
	return k
}

func chachaKeys(v Version, secret []byte) *Keys {
	keyLabel, ivLabel, hpLabel := labels(v)
	k := &Keys{}
	var key [chacha20poly1305.KeySize]byte
	expandLabel(secret, keyLabel, key[:])
	expandLabel(secret, ivLabel, k.iv[:])
	expandLabel(secret, hpLabel, k.stream[:])
	k.aead, _ = chacha20poly1305.New(key[:]) // fails on keys of another size only
	return k
}

// aesBlock and gcm fail on keys of no AES size only, and are called with 16 and 32 bytes.
func aesBlock(key []byte) cipher.Block {
	block, _ := aes.NewCipher(key)
	return block
}

func gcm(key []byte) cipher.AEAD {
	aead, _ := cipher.NewGCM(aesBlock(key))
	return aead
}

// mask is the header protection mask of a sample (RFC 9001, Sections 5.4.3 and 5.4.4).
func (k *Keys) mask(sample []byte) (mask [5]byte) {
	if k.block != nil {
		k.block.Encrypt(k.sample[:], sample)
		copy(mask[:], k.sample[:])
		return mask
	}
	c, err := chacha20.NewUnauthenticatedCipher(k.stream[:], sample[4:16])
	if err != nil {
		return mask
	}
	c.SetCounter(binary.LittleEndian.Uint32(sample))
	c.XORKeyStream(mask[:], mask[:])
	return mask
}

// Opened is a packet without its protection.
type Opened struct {
	Number   uint64
	Payload  []byte // frames, in the buffer that Open was given
	KeyPhase bool   // of a short header
}

// Open removes the protection of a packet: first of its header, then of its payload, which is appended to buf (RFC 9001, Sections 5.3
// and 5.4). packet is the whole packet and number the place of its packet number; expected is one more than the highest number
// opened before from this side at this level. The packet is not changed. ok is false if it does not authenticate.
func (k *Keys) Open(buf, packet []byte, number int, expected uint64) (o Opened, ok bool) {
	if number <= 0 || len(packet) < number+4+sampleSize {
		return Opened{}, false
	}
	mask := k.mask(packet[number+4 : number+4+sampleSize])
	protects := byte(0x1f) // RFC 9001, Section 5.4.1
	if packet[0]&0x80 != 0 {
		protects = 0x0f
	}
	first := packet[0] ^ mask[0]&protects
	numberLen := int(first&3) + 1
	var truncated uint64
	// The header is authenticated as it was before it was protected: a copy of it, so that the datagram stays as it is.
	header := append(k.header[:0], packet[:number+numberLen]...)
	k.header = header
	header[0] = first
	for i := range numberLen {
		header[number+i] ^= mask[1+i]
		truncated = truncated<<8 | uint64(header[number+i])
	}
	o.Number = decodeNumber(expected, truncated, numberLen)
	o.KeyPhase = first&0x84 == 0x04
	k.nonce = k.iv
	for i := range 8 {
		k.nonce[4+i] ^= byte(o.Number >> (56 - 8*i))
	}
	payload, err := k.aead.Open(buf, k.nonce[:], packet[number+numberLen:], header)
	if err != nil {
		return Opened{}, false
	}
	o.Payload = payload[len(buf):]
	return o, true
}

// decodeNumber finds the packet number nearest to the expected one that ends in the truncated bits (RFC 9000, Section 17.1 and
// Appendix A.3).
func decodeNumber(expected, truncated uint64, size int) uint64 {
	window := uint64(1) << (8 * size)
	half := window / 2
	candidate := expected&^(window-1) | truncated
	switch {
	case candidate+half <= expected && candidate < 1<<62-window:
		return candidate + window
	case candidate > expected+half && candidate >= window:
		return candidate - window
	}
	return candidate
}

// RetryValid checks the integrity tag of a Retry packet, which is made with the destination connection id of the client's Initial that
// it answers (RFC 9001, Section 5.8). Drafts before 25 have no tag: then it is never valid.
func RetryValid(h *Header, originalID []byte) bool {
	if key, _ := retryKeys(h.Version); key == "" || h.Type != PacketRetry || len(h.Packet) < tagSize || len(originalID) > maxID {
		return false
	}
	end := len(h.Packet) - tagSize
	return bytes.Equal(retryTag(h.Version, originalID, h.Packet[:end]), h.Packet[end:])
}

// retryTag is the integrity tag behind a Retry packet.
func retryTag(v Version, originalID, packet []byte) []byte {
	key, nonce := retryKeys(v)
	pseudo := make([]byte, 0, 1+len(originalID)+len(packet))
	pseudo = append(append(append(pseudo, byte(len(originalID))), originalID...), packet...)
	return gcm([]byte(key)).Seal(nil, []byte(nonce), nil, pseudo)
}
