package bundle

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // what others encrypted with it is only read here
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/scrypt"
)

// Object identifiers of RFC 8018 (PKCS #5), RFC 7914 (scrypt) and RFC 7292 (PKCS #12).
var (
	oidPBES2        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidPKCS12TDES   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	oidPKCS12RC2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 5} // 128 bits
	oidPKCS12RC2w40 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6} // 40 bits
	oidJavaKey      = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}
)

var (
	errPassword = errors.New("the password does not open it")
	errBudget   = errors.New("opening it would take too many iterations of key derivation")
	errRC2      = errors.New("encrypted with RC2")
)

// unknownCipher is an algorithm of encryption that is not read here.
type unknownCipher struct{ oid asn1.ObjectIdentifier }

func (e *unknownCipher) Error() string {
	return "encrypted with an algorithm that is not read here, " + e.oid.String()
}

// encryptedKey opens an EncryptedPrivateKeyInfo (RFC 5958, Section 3) and says whether der is one at all.
func (r *reader) encryptedKey(der []byte, at Source) bool {
	algorithm, data, ok := encryptedInfo(der)
	if !ok {
		return false
	}
	r.openKey(algorithm, data, at, "openssl pkcs8 -in FILE -out FILE.open")
	return true
}

// encryptedInfo parts SEQUENCE { AlgorithmIdentifier, OCTET STRING }.
func encryptedInfo(der []byte) (algorithm cryptobyte.String, data []byte, ok bool) {
	s := cryptobyte.String(der)
	var outer, octets cryptobyte.String
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) ||
		!outer.ReadASN1(&octets, cbasn1.OCTET_STRING) || !outer.Empty() {
		return nil, nil, false
	}
	return algorithm, octets, true
}

// openKey opens an encrypted PKCS #8 key with the passwords.
func (r *reader) openKey(algorithm cryptobyte.String, data []byte, at Source, command string) {
	if len(data) > maxKeyBytes {
		r.note(Beyond, at, "a key of %d bytes", len(data))
		return
	}
	for _, password := range r.passwords {
		der, err := r.decrypt(algorithm, data, password)
		if err == nil {
			if key, parseErr := parseKey(der); parseErr == nil {
				r.key(key, at)
				return
			} else if errors.Is(parseErr, errKeyKind) {
				r.note(Unsupported, at, "a private key of a kind that TLS cannot use")
				return
			}
			continue
		}
		if !errors.Is(err, errPassword) {
			r.note(Unsupported, at, "the private key cannot be opened: %v; OpenSSL may be able to: %s", err, command)
			return
		}
	}
	r.locked(at, "the private key is encrypted", command)
}

// decrypt undoes password-based encryption: PBES2 (RFC 8018, Section 6.2) with PBKDF2 or scrypt and AES or Triple DES, or the
// Triple DES of PKCS #12. errPassword is the error for a password that does not fit.
func (r *reader) decrypt(algorithm cryptobyte.String, data []byte, password string) ([]byte, error) {
	var oid asn1.ObjectIdentifier
	var params cryptobyte.String
	if !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return nil, errBER
	}
	switch {
	case oid.Equal(oidPBES2):
		if !algorithm.ReadASN1(&params, cbasn1.SEQUENCE) {
			return nil, errBER
		}
		return r.decryptPBES2(params, data, password)
	case oid.Equal(oidPKCS12TDES):
		if !algorithm.ReadASN1(&params, cbasn1.SEQUENCE) {
			return nil, errBER
		}
		return r.decryptPKCS12(params, data, password)
	case oid.Equal(oidPKCS12RC2), oid.Equal(oidPKCS12RC2w40):
		return nil, errRC2
	case oid.Equal(oidJavaKey):
		var octets cryptobyte.String
		s := cryptobyte.String(data)
		if s.ReadASN1(&octets, cbasn1.OCTET_STRING) && s.Empty() {
			data = octets
		}
		return openJavaKey(data, password)
	}
	return nil, &unknownCipher{oid}
}

// spend takes iterations from what the pile may cost.
func (r *reader) spend(iterations int) error {
	if iterations < 1 || iterations > r.budget {
		return errBudget
	}
	r.budget -= iterations
	return nil
}

func (r *reader) decryptPBES2(params cryptobyte.String, data []byte, password string) ([]byte, error) {
	var kdf, scheme cryptobyte.String
	var kdfOID, cipherOID asn1.ObjectIdentifier
	var iv []byte
	if !params.ReadASN1(&kdf, cbasn1.SEQUENCE) || !params.ReadASN1(&scheme, cbasn1.SEQUENCE) ||
		!kdf.ReadASN1ObjectIdentifier(&kdfOID) || !kdf.ReadASN1(&kdf, cbasn1.SEQUENCE) || !scheme.ReadASN1ObjectIdentifier(&cipherOID) {
		return nil, errBER
	}
	keySize, makeBlock := blockCipher(cipherOID)
	if makeBlock == nil {
		return nil, &unknownCipher{cipherOID}
	}
	if !scheme.ReadASN1Bytes(&iv, cbasn1.OCTET_STRING) {
		return nil, errBER
	}
	var key []byte
	var err error
	switch {
	case kdfOID.Equal(oidPBKDF2):
		key, err = r.pbkdf2(kdf, password, keySize)
	case kdfOID.Equal(oidScrypt):
		key, err = r.scrypt(kdf, password, keySize)
	default:
		err = &unknownCipher{kdfOID}
	}
	if err != nil {
		return nil, err
	}
	b, err := makeBlock(key)
	if err != nil {
		return nil, err
	}
	return unpad(b, iv, data)
}

// blockCipher is the cipher in CBC mode that an identifier names (RFC 8018, Appendix B.2; RFC 3565).
func blockCipher(oid asn1.ObjectIdentifier) (keySize int, makeBlock func([]byte) (cipher.Block, error)) {
	switch oid.String() {
	case "2.16.840.1.101.3.4.1.2":
		return 16, aes.NewCipher
	case "2.16.840.1.101.3.4.1.22":
		return 24, aes.NewCipher
	case "2.16.840.1.101.3.4.1.42":
		return 32, aes.NewCipher
	case "1.2.840.113549.3.7":
		return 24, des.NewTripleDESCipher
	}
	return 0, nil
}

// pbkdf2 reads PBKDF2-params (RFC 8018, Appendix A.2) and derives a key.
func (r *reader) pbkdf2(params cryptobyte.String, password string, keySize int) ([]byte, error) {
	var salt []byte
	var iterations int
	if !params.ReadASN1Bytes(&salt, cbasn1.OCTET_STRING) || !params.ReadASN1Integer(&iterations) ||
		params.PeekASN1Tag(cbasn1.INTEGER) && !params.SkipASN1(cbasn1.INTEGER) {
		return nil, errBER
	}
	prf := sha1.New // "DEFAULT algid-hmacWithSHA1"
	if !params.Empty() {
		var algorithm cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !params.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
			return nil, errBER
		}
		if prf = hmacHash(oid); prf == nil {
			return nil, &unknownCipher{oid}
		}
	}
	if err := r.spend(iterations); err != nil {
		return nil, err
	}
	return pbkdf2.Key(prf, password, salt, iterations, keySize)
}

// hmacHash is the hash of an HMAC (RFC 8018, Appendix B.1.2).
func hmacHash(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch oid.String() {
	case "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.8":
		return sha256.New224
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// scrypt reads scrypt-params (RFC 7914, Section 7.1) and derives a key, with at most 64 MiB of memory.
func (r *reader) scrypt(params cryptobyte.String, password string, keySize int) ([]byte, error) {
	var salt []byte
	var n, size, parallel int
	if !params.ReadASN1Bytes(&salt, cbasn1.OCTET_STRING) || !params.ReadASN1Integer(&n) || !params.ReadASN1Integer(&size) || !params.ReadASN1Integer(&parallel) {
		return nil, errBER
	}
	if n < 2 || size < 1 || parallel < 1 || n > 1<<20 || size > 64 || parallel > 16 || 128*n*size > 64<<20 {
		return nil, errBudget
	}
	if err := r.spend(n * size * parallel); err != nil {
		return nil, err
	}
	return scrypt.Key([]byte(password), salt, n, size, parallel, keySize)
}

// decryptPKCS12 undoes pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, Appendix C).
func (r *reader) decryptPKCS12(params cryptobyte.String, data []byte, password string) ([]byte, error) {
	var salt []byte
	var iterations int
	if !params.ReadASN1Bytes(&salt, cbasn1.OCTET_STRING) || !params.ReadASN1Integer(&iterations) {
		return nil, errBER
	}
	bmp := bmpPassword(password)
	if password == "" && r.emptyBytes {
		bmp = nil
	}
	if len(salt) == 0 || len(salt) > 1024 {
		return nil, errBER
	}
	if err := r.spend(2*iterations + 1); err != nil {
		return nil, err
	}
	b, err := des.NewTripleDESCipher(pkcs12Key(1, bmp, salt, iterations, 24))
	if err != nil {
		return nil, err
	}
	return unpad(b, pkcs12Key(2, bmp, salt, iterations, 8), data)
}

// unpad decrypts in CBC mode and takes the padding off (RFC 8018, Section 6.1.1); padding that is none means another password.
func unpad(b cipher.Block, iv, data []byte) ([]byte, error) {
	size := b.BlockSize()
	if len(iv) != size {
		return nil, fmt.Errorf("an initialisation vector of %d bytes where the cipher has blocks of %d", len(iv), size)
	}
	if len(data) == 0 || len(data)%size != 0 {
		return nil, errors.New("the encrypted data is cut off")
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(out, data)
	n := int(out[len(out)-1])
	if n == 0 || n > size || !bytes.Equal(out[len(out)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errPassword
	}
	return out[:len(out)-n], nil
}
