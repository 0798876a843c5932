package boringssl

import "github.com/tlstriage/tlstriage/inspect/wire"

// set is a set of properties of one kind.
type set uint8

const (
	kxRSA set = 1 << iota
	kxECDHE
	kxPSK
)

const (
	auRSA set = 1 << iota
	auECDSA
	auPSK
)

const (
	enc3DES set = 1 << iota
	encAES128
	encAES256
	encAES128GCM
	encAES256GCM
	encCHACHA20
)

const (
	macSHA1 set = 1 << iota
	macSHA256
	macAEAD
)

const all set = 0xFF

// properties are what a word selects by, and what a suite has.
type properties struct {
	kx, au, enc, mac set
}

type suite struct {
	code wire.CipherSuite
	name string // OpenSSL's; the IANA name is understood, too
	properties
	bits       int
	deprecated bool // only taken when it is meant
}

// suites are those of TLS 1.2 and below in BoringSSL's own order of preference, which depends on how fast AES is.
func suites(slowAES bool) []suite {
	aes := []suite{
		{0xC02B, "ECDHE-ECDSA-AES128-GCM-SHA256", properties{kxECDHE, auECDSA, encAES128GCM, macAEAD}, 128, false},
		{0xC02F, "ECDHE-RSA-AES128-GCM-SHA256", properties{kxECDHE, auRSA, encAES128GCM, macAEAD}, 128, false},
		{0xC02C, "ECDHE-ECDSA-AES256-GCM-SHA384", properties{kxECDHE, auECDSA, encAES256GCM, macAEAD}, 256, false},
		{0xC030, "ECDHE-RSA-AES256-GCM-SHA384", properties{kxECDHE, auRSA, encAES256GCM, macAEAD}, 256, false},
	}
	chacha := []suite{
		{0xCCA9, "ECDHE-ECDSA-CHACHA20-POLY1305", properties{kxECDHE, auECDSA, encCHACHA20, macAEAD}, 256, false},
		{0xCCA8, "ECDHE-RSA-CHACHA20-POLY1305", properties{kxECDHE, auRSA, encCHACHA20, macAEAD}, 256, false},
		{0xCCAC, "ECDHE-PSK-CHACHA20-POLY1305", properties{kxECDHE, auPSK, encCHACHA20, macAEAD}, 256, false},
	}
	legacy := []suite{
		{0xC009, "ECDHE-ECDSA-AES128-SHA", properties{kxECDHE, auECDSA, encAES128, macSHA1}, 128, false},
		{0xC013, "ECDHE-RSA-AES128-SHA", properties{kxECDHE, auRSA, encAES128, macSHA1}, 128, false},
		{0xC035, "ECDHE-PSK-AES128-CBC-SHA", properties{kxECDHE, auPSK, encAES128, macSHA1}, 128, false},
		{0xC00A, "ECDHE-ECDSA-AES256-SHA", properties{kxECDHE, auECDSA, encAES256, macSHA1}, 256, false},
		{0xC014, "ECDHE-RSA-AES256-SHA", properties{kxECDHE, auRSA, encAES256, macSHA1}, 256, false},
		{0xC036, "ECDHE-PSK-AES256-CBC-SHA", properties{kxECDHE, auPSK, encAES256, macSHA1}, 256, false},
		{0xC027, "ECDHE-RSA-AES128-SHA256", properties{kxECDHE, auRSA, encAES128, macSHA256}, 128, true},
		{0x009C, "AES128-GCM-SHA256", properties{kxRSA, auRSA, encAES128GCM, macAEAD}, 128, false},
		{0x009D, "AES256-GCM-SHA384", properties{kxRSA, auRSA, encAES256GCM, macAEAD}, 256, false},
		{0x002F, "AES128-SHA", properties{kxRSA, auRSA, encAES128, macSHA1}, 128, false},
		{0x008C, "PSK-AES128-CBC-SHA", properties{kxPSK, auPSK, encAES128, macSHA1}, 128, false},
		{0x0035, "AES256-SHA", properties{kxRSA, auRSA, encAES256, macSHA1}, 256, false},
		{0x008D, "PSK-AES256-CBC-SHA", properties{kxPSK, auPSK, encAES256, macSHA1}, 256, false},
		{0x000A, "DES-CBC3-SHA", properties{kxRSA, auRSA, enc3DES, macSHA1}, 112, true},
	}
	if slowAES {
		return append(append(chacha, aes...), legacy...)
	}
	return append(append(aes, chacha...), legacy...)
}

// named reports whether word is a name of the suite: OpenSSL's or IANA's.
func (s *suite) named(word string) bool { return s.name == word || s.code.String() == word }

func (s *suite) minVersion() wire.Version {
	if s.mac == macSHA1 {
		return wire.VersionSSLv3
	}
	return wire.VersionTLS12
}

// keyword is a word that selects several suites.
type keyword struct {
	properties
	min        wire.Version
	deprecated bool // deprecated suites are meant, too
}

func keywordNamed(word string) (keyword, bool) {
	everything := properties{all, all, all, all}
	k := keyword{properties: everything}
	switch word {
	case "ALL", "HIGH", "FIPS":
	case "kRSA":
		k.kx = kxRSA
	case "kECDHE", "kEECDH", "ECDH", "ECDHE", "EECDH":
		k.kx = kxECDHE
	case "kPSK":
		k.kx = kxPSK
	case "aRSA":
		k.au = auRSA
	case "aECDSA", "ECDSA":
		k.au = auECDSA
	case "aPSK":
		k.au = auPSK
	case "RSA":
		k.kx, k.au = kxRSA, auRSA
	case "PSK":
		k.kx, k.au = kxPSK, auPSK
	case "3DES":
		k.enc, k.deprecated = enc3DES, true
	case "AES128":
		k.enc = encAES128 | encAES128GCM
	case "AES256":
		k.enc = encAES256 | encAES256GCM
	case "AES":
		k.enc = encAES128 | encAES128GCM | encAES256 | encAES256GCM
	case "AESGCM":
		k.enc = encAES128GCM | encAES256GCM
	case "CHACHA20":
		k.enc = encCHACHA20
	case "SHA1", "SHA":
		k.mac = macSHA1
	case "SSLv3", "TLSv1":
		k.min = wire.VersionSSLv3
	case "TLSv1.2":
		k.min = wire.VersionTLS12
	case "SHA256", "SHA384": // known, and nothing
		k.properties = properties{}
	default:
		return keyword{}, false
	}
	return k, true
}
