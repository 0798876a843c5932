package gnutls

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

func allCiphers() []string {
	return []string{
		"AES-256-CBC", "AES-192-CBC", "AES-128-CBC", "AES-128-GCM", "AES-192-GCM", "AES-256-GCM", "AES-128-CCM", "AES-256-CCM", "AES-128-CCM-8", "AES-256-CCM-8",
		"ARCFOUR-128", "ESTREAM-SALSA20-256", "SALSA20-256", "CHACHA20-32", "CHACHA20-64", "CAMELLIA-256-CBC", "CAMELLIA-192-CBC", "CAMELLIA-128-CBC",
		"CHACHA20-POLY1305", "CAMELLIA-128-GCM", "CAMELLIA-256-GCM", "3DES-CBC", "DES-CBC", "RC2-40", "NULL",
	}
}

func allMACs() []string {
	return []string{"SHA1", "SHA256", "SHA384", "SHA512", "SHA224", "UMAC-96", "UMAC-128", "AEAD", "MD5"}
}

func allKX() []string {
	return []string{
		"ECDHE-RSA", "ECDHE-ECDSA", "RSA", "DHE-RSA", "DHE-DSS", "PSK", "RSA-PSK", "DHE-PSK", "ECDHE-PSK", "SRP-DSS", "SRP-RSA", "SRP", "ANON-DH", "ANON-ECDH", "RSA-EXPORT",
	}
}

func allSigns() []string {
	signs := []string{
		"RSA-SHA1", "RSA-SHA224", "RSA-RMD160", "DSA-SHA1", "DSA-SHA224", "DSA-SHA256", "DSA-SHA384", "DSA-SHA512", "RSA-MD5", "ECDSA-SHA1", "ECDSA-SHA224", "RSA-RAW",
	}
	return append(signs, normal().signs[:17]...)
}

// suite13 is the suite of TLS 1.3 with a cipher.
func suite13(cipher string) (wire.CipherSuite, bool) {
	switch cipher {
	case "AES-128-GCM":
		return wire.TLS_AES_128_GCM_SHA256, true
	case "AES-256-GCM":
		return wire.TLS_AES_256_GCM_SHA384, true
	case "CHACHA20-POLY1305":
		return wire.TLS_CHACHA20_POLY1305_SHA256, true
	case "AES-128-CCM":
		return wire.TLS_AES_128_CCM_SHA256, true
	case "AES-128-CCM-8":
		return wire.TLS_AES_128_CCM_8_SHA256, true
	}
	return 0, false
}

// suite12 is the suite of TLS 1.2 or below with a key exchange, a cipher and a MAC, by the name that GnuTLS puts together
// of the three: TLS_ECDHE_RSA_AES_128_CBC_SHA1. AEAD suites end in the hash of their PRF, if in any.
func suite12(kx, cipher, mac string) (wire.CipherSuite, bool) {
	switch kx {
	case "ANON-DH":
		kx = "DH-ANON"
	case "ANON-ECDH":
		kx = "ECDH-ANON"
	case "SRP":
		kx = "SRP-SHA"
	case "SRP-RSA", "SRP-DSS":
		kx = "SRP-SHA-" + kx[4:]
	}
	if cipher == "3DES-CBC" {
		cipher = "3DES-EDE-CBC"
	}
	name := "TLS-" + kx + "-" + cipher
	switch {
	case mac != "AEAD":
		name += "-" + mac
	case strings.HasSuffix(cipher, "128-GCM"):
		name += "-SHA256"
	case strings.HasSuffix(cipher, "256-GCM"):
		name += "-SHA384"
	}
	suite, ok := wire.CipherSuiteByName(strings.ReplaceAll(name, "-", "_"))
	if !ok {
		return 0, false
	}
	info, _ := suite.Info()
	return suite, info.AEAD == (mac == "AEAD") && !info.TLS13()
}

// schemeNamed is the code point of a scheme by GnuTLS's name; some have none in TLS.
func schemeNamed(name string) (wire.SignatureScheme, bool) {
	switch name { // by the code point that TLS 1.2 has for hash and key
	case "ECDSA-SHA256":
		return wire.SchemeECDSASecp256r1SHA256, true
	case "ECDSA-SHA384":
		return wire.SchemeECDSASecp384r1SHA384, true
	case "ECDSA-SHA512":
		return wire.SchemeECDSASecp521r1SHA512, true
	}
	return wire.SignatureSchemeByName("SIGN-" + name)
}
