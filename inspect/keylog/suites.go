package keylog

import "crypto"

// cipherKind is how a suite encrypts records.
type cipherKind uint8

const (
	cipherAESGCM cipherKind = iota
	cipherChaCha20
	cipherAESCCM
	cipherAESCCM8
	cipherAESCBC
	cipher3DESCBC
	cipherDESCBC
	cipherRC4
	cipherNULL
)

// suite is what record protection needs to know of a cipher suite.
type suite struct {
	kind cipherKind
	key  int         // bytes
	mac  crypto.Hash // 0: the cipher authenticates by itself
	prf  crypto.Hash // 0: the version's own
}

// suiteOf knows the suites of the IANA registry "TLS Cipher Suites" whose ciphers can be had, without those weakened for export.
func suiteOf(id uint16) (s suite, ok bool) {
	switch id {
	case 0x009C, 0x009E, 0x00A0, 0x00A2, 0x00A4, 0x00A6, 0x00A8, 0x00AA, 0x00AC, 0x1301, 0xC02B, 0xC02D,
		0xC02F, 0xC031, 0xC0B0, 0xD001:
		return suite{cipherAESGCM, 16, 0, crypto.SHA256}, true
	case 0x009D, 0x009F, 0x00A1, 0x00A3, 0x00A5, 0x00A7, 0x00A9, 0x00AB, 0x00AD, 0x1302, 0xC02C, 0xC02E,
		0xC030, 0xC032, 0xC0B1, 0xD002:
		return suite{cipherAESGCM, 32, 0, crypto.SHA384}, true
	case 0x1303, 0xCCA8, 0xCCA9, 0xCCAA, 0xCCAB, 0xCCAC, 0xCCAD, 0xCCAE:
		return suite{cipherChaCha20, 32, 0, crypto.SHA256}, true
	case 0x1304, 0xC09C, 0xC09E, 0xC0A4, 0xC0A6, 0xC0AC, 0xC0B2, 0xD005:
		return suite{cipherAESCCM, 16, 0, crypto.SHA256}, true
	case 0xC09D, 0xC09F, 0xC0A5, 0xC0A7, 0xC0AD:
		return suite{cipherAESCCM, 32, 0, crypto.SHA256}, true
	case 0xC0B3:
		return suite{cipherAESCCM, 32, 0, crypto.SHA384}, true
	case 0x1305, 0xC0A0, 0xC0A2, 0xC0A8, 0xC0AA, 0xC0AE, 0xD003:
		return suite{cipherAESCCM8, 16, 0, crypto.SHA256}, true
	case 0xC0A1, 0xC0A3, 0xC0A9, 0xC0AB, 0xC0AF:
		return suite{cipherAESCCM8, 32, 0, crypto.SHA256}, true
	case 0x002F, 0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x008C, 0x0090, 0x0094, 0xC004, 0xC009, 0xC00E,
		0xC013, 0xC018, 0xC01D, 0xC01E, 0xC01F, 0xC035:
		return suite{cipherAESCBC, 16, crypto.SHA1, 0}, true
	case 0x003C, 0x003E, 0x003F, 0x0040, 0x0067, 0x006C, 0x00AE, 0x00B2, 0x00B6, 0xC023, 0xC025, 0xC027,
		0xC029, 0xC037:
		return suite{cipherAESCBC, 16, crypto.SHA256, crypto.SHA256}, true
	case 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003A, 0x008D, 0x0091, 0x0095, 0xC005, 0xC00A, 0xC00F,
		0xC014, 0xC019, 0xC020, 0xC021, 0xC022, 0xC036:
		return suite{cipherAESCBC, 32, crypto.SHA1, 0}, true
	case 0x003D, 0x0068, 0x0069, 0x006A, 0x006B, 0x006D:
		return suite{cipherAESCBC, 32, crypto.SHA256, crypto.SHA256}, true
	case 0x00AF, 0x00B3, 0x00B7, 0xC024, 0xC026, 0xC028, 0xC02A, 0xC038:
		return suite{cipherAESCBC, 32, crypto.SHA384, crypto.SHA384}, true
	case 0x0023:
		return suite{cipher3DESCBC, 24, crypto.MD5, 0}, true
	case 0x000A, 0x000D, 0x0010, 0x0013, 0x0016, 0x001B, 0x001F, 0x008B, 0x008F, 0x0093, 0xC003, 0xC008,
		0xC00D, 0xC012, 0xC017, 0xC01A, 0xC01B, 0xC01C, 0xC034:
		return suite{cipher3DESCBC, 24, crypto.SHA1, 0}, true
	case 0x0022:
		return suite{cipherDESCBC, 8, crypto.MD5, 0}, true
	case 0x0009, 0x000C, 0x000F, 0x0012, 0x0015, 0x001A, 0x001E:
		return suite{cipherDESCBC, 8, crypto.SHA1, 0}, true
	case 0x0004, 0x0018, 0x0024:
		return suite{cipherRC4, 16, crypto.MD5, 0}, true
	case 0x0005, 0x0020, 0x0066, 0x008A, 0x008E, 0x0092, 0xC002, 0xC007, 0xC00C, 0xC011, 0xC016, 0xC033:
		return suite{cipherRC4, 16, crypto.SHA1, 0}, true
	case 0x0001:
		return suite{cipherNULL, 0, crypto.MD5, 0}, true
	case 0x0002, 0x002C, 0x002D, 0x002E, 0xC001, 0xC006, 0xC00B, 0xC010, 0xC015, 0xC039:
		return suite{cipherNULL, 0, crypto.SHA1, 0}, true
	case 0x003B, 0x00B0, 0x00B4, 0x00B8, 0xC03A:
		return suite{cipherNULL, 0, crypto.SHA256, crypto.SHA256}, true
	case 0x00B1, 0x00B5, 0x00B9, 0xC03B:
		return suite{cipherNULL, 0, crypto.SHA384, crypto.SHA384}, true
	}
	return suite{}, false
}

// tls13 reports whether a suite is one of TLS 1.3, whose suites and earlier ones exclude each other (RFC 8446, Appendix B.4).
func tls13(id uint16) bool { return id>>8 == 0x13 }
