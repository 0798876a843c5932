package quicwire

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// hmac256 is HMAC-SHA-256 of a key of at most a block and a short message. Initial keys are derived for every connection there is;
// this does it without allocating.
func hmac256(key, message []byte) [sha256.Size]byte {
	var inner [sha256.BlockSize + 128]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	n := copy(inner[sha256.BlockSize:], message)
	copy(inner[:sha256.BlockSize], key)
	copy(outer[:sha256.BlockSize], key)
	for i := range sha256.BlockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	digest := sha256.Sum256(inner[:sha256.BlockSize+n])
	copy(outer[sha256.BlockSize:], digest[:])
	return sha256.Sum256(outer[:])
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446, Section 7.1; RFC 9001, Section 5.1). One block of the hash is
// enough for everything that QUIC derives.
func expandLabel(secret []byte, label string, out []byte) {
	if len(secret) > sha256.Size {
		expandLabel384(secret, label, out)
		return
	}
	var info [64]byte
	block := hmac256(secret, appendLabel(info[:0], label, len(out)))
	copy(out, block[:])
}

func expandLabel384(secret []byte, label string, out []byte) {
	mac := hmac.New(func() hash.Hash { return sha512.New384() }, secret)
	mac.Write(appendLabel(nil, label, len(out)))
	copy(out, mac.Sum(nil))
}

// appendLabel appends the HkdfLabel, and HKDF-Expand's counter of the first block (RFC 5869, Section 2.3).
func appendLabel(b []byte, label string, size int) []byte {
	b = append(b, byte(size>>8), byte(size), byte(len("tls13 ")+len(label)))
	b = append(b, "tls13 "...)
	b = append(b, label...)
	return append(b, 0, 1)
}

// initialSecrets derives both sides' secrets from the destination connection id of the client's first Initial packet.
func initialSecrets(salt string, id []byte) (client, server [sha256.Size]byte) {
	var key [20]byte
	copy(key[:], salt)
	prk := hmac256(key[:], id)
	expandLabel(prk[:], "client in", client[:])
	expandLabel(prk[:], "server in", server[:])
	return client, server
}
