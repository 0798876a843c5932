package openssl

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

const schemeList = "signature algorithms"

// DefaultSignatureAlgorithms are the schemes of a release in its order where none are set, before a security level takes
// any away. 3.0 and 1.1.1 agree.
func DefaultSignatureAlgorithms() []wire.SignatureScheme {
	return []wire.SignatureScheme{
		wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512,
		wire.SchemeEd25519, wire.SchemeEd448,
		wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512,
		wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512,
		wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512,
		wire.SchemeECDSASHA224, wire.SchemeECDSASHA1, wire.SchemeRSASHA224, wire.SchemeRSAPKCS1SHA1, wire.SchemeDSASHA224, wire.SchemeDSASHA1,
		wire.SchemeDSASHA256, wire.SchemeDSASHA384, wire.SchemeDSASHA512,
	}
}

// SignatureAlgorithms reads a list of signature algorithms as SSL_CTX_set1_sigalgs_list does: elements separated by colons, each
// a scheme's name or a kind of key and a hash joined by "+", in either order. The empty string gives the default. What
// stands twice is refused, and so is what OpenSSL does not know.
func SignatureAlgorithms(list string, o Options) ([]wire.SignatureScheme, error) {
	if _, err := releaseOf(o.Version); err != nil {
		return nil, err
	}
	if list == "" {
		return DefaultSignatureAlgorithms(), nil
	}
	if len(list) > maxString {
		return nil, refuse(schemeList, list, -1, "", ErrTooLong)
	}
	var out []wire.SignatureScheme
	at := 0
	for word := range strings.SplitSeq(list, ":") {
		scheme, ok := schemeNamed(trimSpace(word))
		if !ok || slices.Contains(out, scheme) {
			return nil, refuse(schemeList, list, at, word, ErrNotUnderstood)
		}
		out = append(out, scheme)
		at += len(word) + 1
	}
	return out, nil
}

func schemeNamed(name string) (wire.SignatureScheme, bool) {
	first, second, pair := strings.Cut(name, "+")
	if !pair {
		return standardScheme(name)
	}
	key, hash := keyKind(first), hashCode(second)
	if key == 0 && hash == 0 {
		key, hash = keyKind(second), hashCode(first)
	}
	switch {
	case key == 0 || hash == 0:
		return 0, false
	case key == keyPSS:
		scheme := wire.SignatureScheme(0x0800 | int(hash))
		return scheme, hash >= 4
	}
	return wire.SignatureScheme(int(hash)<<8 | int(key)), true
}

const keyPSS = 0xFF

// keyKind is the number that TLS 1.2 has for a kind of key (RFC 5246, Section 7.4.1.4.1).
func keyKind(word string) byte {
	switch word {
	case "RSA":
		return 1
	case "DSA":
		return 2
	case "ECDSA":
		return 3
	case "RSA-PSS", "PSS":
		return keyPSS
	}
	return 0
}

// hashCode is the number that TLS 1.2 has for a hash.
func hashCode(word string) byte {
	switch word {
	case "SHA1", "sha1":
		return 2
	case "SHA224", "sha224":
		return 3
	case "SHA256", "sha256":
		return 4
	case "SHA384", "sha384":
		return 5
	case "SHA512", "sha512":
		return 6
	}
	return 0
}

// standardScheme knows the schemes that OpenSSL knows by a name of the registry, in that spelling. Those of DSA, and of ECDSA with
// SHA-1 and SHA-224, have none there.
func standardScheme(name string) (wire.SignatureScheme, bool) {
	switch name {
	case "ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512", "ed25519", "ed448",
		"rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512",
		"rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512", "rsa_pkcs1_sha1":
		return wire.SignatureSchemeByName(name)
	case "rsa_pkcs1_sha224":
		return wire.SchemeRSASHA224, true
	}
	return 0, false
}

// schemeBits are the security bits of a scheme, which are those of its hash.
func schemeBits(s wire.SignatureScheme, rel release) int {
	switch s {
	case wire.SchemeEd25519, wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSPSSSHA256:
		return 128
	case wire.SchemeEd448:
		return 224
	case wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSPSSSHA384:
		return 192
	case wire.SchemeRSAPSSRSAESHA512, wire.SchemeRSAPSSPSSSHA512:
		return 256
	}
	switch s >> 8 {
	case 2: // SHA-1, broken further since 1.1.1
		if rel == release111 {
			return 80
		}
		return 64
	case 3:
		return 112
	case 4:
		return 128
	case 5:
		return 192
	case 6:
		return 256
	}
	return 0
}
