package bundle

import (
	"crypto/sha1" //nolint:gosec // the form demands it
	"crypto/subtle"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
)

var (
	jksMagic   = []byte{0xfe, 0xed, 0xfe, 0xed}
	jceksMagic = []byte{0xce, 0xce, 0xce, 0xce}
)

const convertStore = "keytool -importkeystore -srckeystore FILE -destkeystore FILE.p12 -deststoretype PKCS12"

// keyStore reads a Java key store of the old kind (JKS). Its certificates are in the clear, its keys encrypted each with a
// password. The digest at the end is not checked: see pkcs12.
func (r *reader) keyStore(data []byte, at Source) {
	if string(data[:4]) == string(jceksMagic) {
		r.note(Unsupported, at, "a Java key store of type JCEKS; convert it with: %s", convertStore)
		return
	}
	s := cryptobyte.String(data[4:])
	var version, count uint32
	if !s.ReadUint32(&version) || !s.ReadUint32(&count) || version < 1 || version > 2 {
		r.note(Unreadable, at, "a damaged Java key store")
		return
	}
	if count == 0 {
		r.note(Ignored, at, "a Java key store without entries")
	}
	for range count {
		if !r.keyStoreEntry(&s, version, at) {
			return
		}
	}
}

// keyStoreEntry reads one entry and says whether the next can be read.
func (r *reader) keyStoreEntry(s *cryptobyte.String, version uint32, at Source) bool {
	var tag, chain uint32
	var alias cryptobyte.String
	if !s.ReadUint32(&tag) || !s.ReadUint16LengthPrefixed(&alias) || !s.Skip(8) {
		return r.damagedStore(at)
	}
	here := Source{File: at.File, Entry: string(alias)}
	switch tag {
	case 1: // a key and its chain
		var sealed []byte
		if !readLong(s, &sealed) || !s.ReadUint32(&chain) || !r.another(here) {
			return r.damagedStore(at)
		}
		if algorithm, data, ok := encryptedInfo(sealed); ok {
			r.openKey(algorithm, data, here, convertStore)
		} else {
			r.note(Unreadable, here, "a damaged private key")
		}
	case 2: // a trusted certificate
		chain = 1
	default:
		return r.damagedStore(at)
	}
	for range chain {
		var kind cryptobyte.String
		var der []byte
		if version == 2 && !s.ReadUint16LengthPrefixed(&kind) || !readLong(s, &der) {
			return r.damagedStore(at)
		}
		if !r.another(here) {
			return false
		}
		r.der(der, here)
	}
	return true
}

func (r *reader) damagedStore(at Source) bool {
	r.note(Unreadable, at, "a damaged Java key store: it ends too early")
	return false
}

// readLong reads bytes behind a length of 32 bits.
func readLong(s *cryptobyte.String, out *[]byte) bool {
	var n uint32
	return s.ReadUint32(&n) && n <= MaxFileBytes && s.ReadBytes(out, int(n))
}

// openJavaKey opens a key of a JKS: a salt, the key under a stream of chained SHA-1 digests, and a digest of the key.
func openJavaKey(data []byte, password string) ([]byte, error) {
	if len(data) < 2*sha1.Size+1 {
		return nil, errBER
	}
	var secret []byte
	for _, u := range utf16.Encode([]rune(strings.ToValidUTF8(password, "?"))) {
		secret = append(secret, byte(u>>8), byte(u))
	}
	digest, sealed, check := data[:sha1.Size], data[sha1.Size:len(data)-sha1.Size], data[len(data)-sha1.Size:]
	out := make([]byte, len(sealed))
	for i := range sealed {
		if i%sha1.Size == 0 {
			d := sha1.Sum(append(append([]byte(nil), secret...), digest...))
			digest = d[:]
		}
		out[i] = sealed[i] ^ digest[i%sha1.Size]
	}
	sum := sha1.Sum(append(secret, out...))
	if subtle.ConstantTimeCompare(sum[:], check) != 1 {
		return nil, errPassword
	}
	return out, nil
}
