package keylog

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	_ "crypto/sha256" // crypto.Hash makes what is linked in
	_ "crypto/sha512"
	"hash"
)

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446, Section 7.1).
func expandLabel(h crypto.Hash, secret []byte, label string, size int) ([]byte, error) {
	info := append([]byte{byte(size >> 8), byte(size), byte(len("tls13 ") + len(label))}, "tls13 "+label...)
	return hkdf.Expand(h.New, secret, string(append(info, 0)), size)
}

// keyBlock derives the keys of a version before TLS 1.3 from its master secret.
func keyBlock(c *Connection, prf crypto.Hash, master []byte, size int) []byte {
	seed := append(append(make([]byte, 0, 2*randomSize), c.ServerRandom...), c.ClientRandom...)
	out := make([]byte, size)
	switch {
	case c.Version == versionSSL3:
		ssl3KeyBlock(out, master, seed)
	case c.Version < versionTLS12: // RFC 2246, Section 5
		half := (len(master) + 1) / 2
		seed = append([]byte("key expansion"), seed...)
		pHash(md5.New, out, master[:half], seed)
		other := make([]byte, size)
		pHash(sha1.New, other, master[len(master)-half:], seed)
		for i := range out {
			out[i] ^= other[i]
		}
	default: // RFC 5246, Sections 5 and 6.3
		if prf == 0 {
			prf = crypto.SHA256
		}
		pHash(prf.New, out, master, append([]byte("key expansion"), seed...))
	}
	return out
}

// pHash fills out with the P_hash of RFC 5246, Section 5.
func pHash(h func() hash.Hash, out, secret, seed []byte) {
	mac := hmac.New(h, secret)
	mac.Write(seed)
	a := mac.Sum(nil)
	for len(out) > 0 {
		mac.Reset()
		mac.Write(a)
		mac.Write(seed)
		n := copy(out, mac.Sum(nil))
		out = out[n:]
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(a[:0])
	}
}

// ssl3KeyBlock is the derivation of RFC 6101, Section 6.2.2: MD5(master + SHA("A" + master + randoms)), then with "BB", and so on.
func ssl3KeyBlock(out, master, seed []byte) {
	for n := 1; len(out) > 0; n++ {
		inner := sha1.New()
		for range n {
			inner.Write([]byte{byte('A' + n - 1)})
		}
		inner.Write(master)
		inner.Write(seed)
		outer := md5.New()
		outer.Write(master)
		outer.Write(inner.Sum(nil))
		out = out[copy(out, outer.Sum(nil)):]
	}
}
