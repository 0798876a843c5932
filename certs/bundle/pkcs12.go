package bundle

import (
	"crypto"
	"crypto/sha1" //nolint:gosec // the form demands it
	"encoding/asn1"
	"errors"
	"math/big"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"software.sslmate.com/src/go-pkcs12"
)

// Bags of a SafeContents (RFC 7292, Section 4.2).
var (
	oidKeyBag      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidNestedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 6}
	oidX509Bag     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
)

// store is what a PKCS #12 file holds.
type store struct {
	certificates [][]byte
	keys         []crypto.Signer
	otherKeys    int
	unopened     error // of a key
}

const openPKCS12 = "openssl pkcs12 -legacy -in FILE -nodes -out FILE.pem"

// pkcs12 reads a PFX (RFC 7292) with any number of keys and certificates, also one without a key. The MAC is not checked: a
// password that opens what is inside is right, and nothing is trusted for standing in a file. It says whether der is one at all.
func (r *reader) pkcs12(der []byte, at Source) bool {
	s := cryptobyte.String(der)
	var outer, authSafe cryptobyte.String
	var version int
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1Integer(&version) || version != 3 || !outer.ReadASN1Element(&authSafe, cbasn1.SEQUENCE) {
		return false
	}
	content, ok := contentInfo(authSafe, oidData)
	var octets, safes cryptobyte.String
	if !ok || !content.ReadASN1(&octets, cbasn1.OCTET_STRING) {
		r.note(Unsupported, at, "a PKCS #12 file that is protected with a public key instead of a password")
		return true
	}
	if inner, _, err := toDER(octets); err == nil {
		octets = inner
	}
	if !octets.ReadASN1(&safes, cbasn1.SEQUENCE) {
		r.note(Unreadable, at, "a damaged PKCS #12 file")
		return true
	}
	var last error
	for _, password := range r.passwords {
		for _, emptyBytes := range []bool{false, true} {
			if emptyBytes && password != "" {
				break
			}
			// An empty password is encoded as two zero bytes by some, and as nothing at all by others.
			r.emptyBytes = emptyBytes
			found, err := r.safes(safes, password)
			if errors.Is(err, errRC2) {
				found, err = withRC2(der, password)
			}
			if err == nil {
				r.found(found, at)
				return true
			}
			if last = err; !errors.Is(err, errPassword) {
				r.note(Unsupported, at, "the PKCS #12 file cannot be opened: %v; OpenSSL may be able to: %s", err, openPKCS12)
				return true
			}
		}
	}
	if last != nil {
		r.locked(at, "the PKCS #12 file is encrypted", openPKCS12)
	}
	return true
}

// found puts what a store held into the pile.
func (r *reader) found(s *store, at Source) {
	n := 0
	next := func() (Source, bool) {
		n++
		here := Source{File: at.File, Block: n, Entry: at.Entry}
		return here, r.another(here)
	}
	for _, der := range s.certificates {
		here, ok := next()
		if !ok {
			return
		}
		r.der(der, here)
	}
	for _, key := range s.keys {
		here, ok := next()
		if !ok {
			return
		}
		r.key(key, here)
	}
	if s.otherKeys > 0 {
		r.note(Unsupported, at, "%d private key(s) of a kind that TLS cannot use", s.otherKeys)
	}
	if s.unopened != nil {
		r.locked(at, "a private key in the PKCS #12 file is encrypted", openPKCS12)
	}
	if n == 0 && s.otherKeys == 0 && s.unopened == nil {
		r.note(Ignored, at, "a PKCS #12 file with neither certificate nor key")
	}
}

// safes reads an AuthenticatedSafe.
func (r *reader) safes(list cryptobyte.String, password string) (*store, error) {
	found := &store{}
	for !list.Empty() {
		var info cryptobyte.String
		if !list.ReadASN1Element(&info, cbasn1.SEQUENCE) {
			return nil, errors.New("it is damaged")
		}
		var bags []byte
		if content, ok := contentInfo(info, oidData); ok {
			if !content.ReadASN1Bytes(&bags, cbasn1.OCTET_STRING) {
				return nil, errors.New("it is damaged")
			}
		} else if content, ok := contentInfo(info, oidEncrypted); ok {
			var err error
			if bags, err = r.encryptedSafe(content, password); err != nil {
				return nil, err
			}
		} else {
			return nil, errors.New("part of it is protected with a public key instead of a password")
		}
		if err := r.bags(bags, password, found, 0); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// encryptedSafe opens an EncryptedData (RFC 5652, Section 8).
func (r *reader) encryptedSafe(content cryptobyte.String, password string) ([]byte, error) {
	var data, info, algorithm, sealed cryptobyte.String
	if !content.ReadASN1(&data, cbasn1.SEQUENCE) || !data.SkipASN1(cbasn1.INTEGER) || !data.ReadASN1(&info, cbasn1.SEQUENCE) ||
		!info.SkipASN1(cbasn1.OBJECT_IDENTIFIER) || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) {
		return nil, errors.New("it is damaged")
	}
	var tag cbasn1.Tag
	if !info.ReadAnyASN1(&sealed, &tag) {
		return nil, errors.New("it is damaged")
	}
	if tag == context0 { // in pieces, as BER allows
		var whole []byte
		for !sealed.Empty() {
			var piece cryptobyte.String
			if !sealed.ReadASN1(&piece, cbasn1.OCTET_STRING) {
				return nil, errors.New("it is damaged")
			}
			whole = append(whole, piece...)
		}
		sealed = whole
	}
	return r.decrypt(algorithm, sealed, password)
}

// bags reads a SafeContents.
func (r *reader) bags(data []byte, password string, found *store, depth int) error {
	s := cryptobyte.String(data)
	if der, _, err := toDER(data); err == nil {
		s = der
	}
	var list cryptobyte.String
	if depth > maxDepth || !s.ReadASN1(&list, cbasn1.SEQUENCE) {
		return errPassword // what a wrong password makes of it now and then has right padding
	}
	for !list.Empty() {
		var bag, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list.ReadASN1(&bag, cbasn1.SEQUENCE) || !bag.ReadASN1ObjectIdentifier(&oid) || !bag.ReadASN1(&value, context0) {
			return errors.New("it is damaged")
		}
		if len(found.certificates)+len(found.keys)+found.otherKeys > MaxBlocks {
			return errors.New("it holds too many certificates and keys")
		}
		switch {
		case oid.Equal(oidCertBag):
			var inner, wrapped cryptobyte.String
			var kind asn1.ObjectIdentifier
			var der []byte
			if !value.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&kind) || !inner.ReadASN1(&wrapped, context0) {
				return errors.New("it is damaged")
			}
			if kind.Equal(oidX509Bag) && wrapped.ReadASN1Bytes(&der, cbasn1.OCTET_STRING) {
				found.certificates = append(found.certificates, der)
			}
		case oid.Equal(oidKeyBag):
			found.add(parseKey(value))
		case oid.Equal(oidShroudedBag):
			if err := r.shrouded(value, password, found); err != nil {
				return err
			}
		case oid.Equal(oidNestedBag):
			if err := r.bags(value, password, found, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// shrouded opens an encrypted key. It may have another password than the rest of the file.
func (r *reader) shrouded(value []byte, password string, found *store) error {
	algorithm, data, ok := encryptedInfo(value)
	if !ok {
		return errors.New("it is damaged")
	}
	der, err := r.decrypt(algorithm, data, password)
	if err == nil {
		if key, keyErr := parseKey(der); keyErr == nil || errors.Is(keyErr, errKeyKind) {
			found.add(key, keyErr)
			return nil
		}
		err = errPassword
	}
	if !errors.Is(err, errPassword) || len(found.certificates) == 0 {
		return err
	}
	for _, other := range r.passwords {
		if other == password {
			continue
		}
		if der, err := r.decrypt(algorithm, data, other); err == nil {
			if key, keyErr := parseKey(der); keyErr == nil {
				found.add(key, nil)
				return nil
			}
		}
	}
	if password == "" { // certificates in the clear say nothing about the password
		return errPassword
	}
	found.unopened = errPassword
	return nil
}

func (s *store) add(key crypto.Signer, err error) {
	if err != nil {
		s.otherKeys++
		return
	}
	s.keys = append(s.keys, key)
}

// withRC2 opens a file whose certificates are encrypted with RC2, as OpenSSL before version 3 and Windows write it. The library
// reads such files when they hold one key.
func withRC2(der []byte, password string) (*store, error) {
	key, leaf, above, err := pkcs12.DecodeChain(der, password)
	if err != nil {
		if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
			return nil, errPassword
		}
		return nil, err
	}
	found := &store{certificates: [][]byte{leaf.Raw}}
	for _, c := range above {
		found.certificates = append(found.certificates, c.Raw)
	}
	if signer, ok := key.(crypto.Signer); ok {
		found.keys = append(found.keys, signer)
	} else {
		found.otherKeys++
	}
	return found, nil
}

// bmpPassword is a password as PKCS #12 derives keys from it (RFC 7292, Appendix B.1): UTF-16 with two zero bytes at its end.
func bmpPassword(password string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(password)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return append(out, 0, 0)
}

// pkcs12Key derives a key (RFC 7292, Appendix B.2) with SHA-1; id says for what: 1 a key, 2 an initialisation vector.
func pkcs12Key(id byte, password, salt []byte, iterations, size int) []byte {
	const u, v = sha1.Size, sha1.BlockSize
	d := make([]byte, v)
	for i := range d {
		d[i] = id
	}
	in := append(stretch(salt, v), stretch(password, v)...)
	var out []byte
	for len(out) < size {
		a := sha1.Sum(append(append([]byte(nil), d...), in...))
		for range iterations - 1 {
			a = sha1.Sum(a[:])
		}
		out = append(out, a[:]...)
		// Each block of the input grows by B + 1, modulo 2^(8v).
		b := new(big.Int).SetBytes(stretch(a[:u], v))
		b.Add(b, big.NewInt(1))
		for j := 0; j < len(in); j += v {
			sum := new(big.Int).SetBytes(in[j : j+v])
			raw := sum.Add(sum, b).Bytes()
			clear(in[j : j+v])
			if len(raw) > v {
				raw = raw[len(raw)-v:]
			}
			copy(in[j+v-len(raw):j+v], raw)
		}
	}
	return out[:size]
}

// stretch repeats s to a multiple of n bytes; nothing stays nothing.
func stretch(s []byte, n int) []byte {
	if len(s) == 0 {
		return nil
	}
	out := make([]byte, (len(s)+n-1)/n*n)
	for i := range out {
		out[i] = s[i%len(s)]
	}
	return out
}
