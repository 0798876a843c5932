package wire

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

//go:generate go run ./internal/generate -registry ../../../shared/facts/registry -out code_points_generated.go

// codeName is a row of a generated table that is sorted by code.
type codeName[T ~uint8 | ~uint16 | ~uint32] struct {
	code T
	name string
}

// nameOf finds a code's name; empty: the registry has none.
func nameOf[T ~uint8 | ~uint16 | ~uint32](table []codeName[T], code T) string {
	i, ok := slices.BinarySearchFunc(table, code, func(row codeName[T], code T) int { return cmp.Compare(row.code, code) })
	if !ok {
		return ""
	}
	return table[i].name
}

// nameCode is a row of a generated table that is sorted by the lower-case form of the name.
type nameCode[T ~uint8 | ~uint16] struct {
	name  string
	code  T
	exact bool // the name's case matters (OpenSSL's cipher names)
}

// codeOf finds the code for a name, or for a number written as String writes unknown code points ("0x1A2B").
func codeOf[T ~uint8 | ~uint16](table []nameCode[T], name string) (T, bool) {
	i, ok := slices.BinarySearchFunc(table, name, func(row nameCode[T], name string) int { return compareFold(row.name, name) })
	if ok && (!table[i].exact || table[i].name == name) {
		return table[i].code, true
	}
	return numberOf[T](name)
}

// numberOf reads "0x1A2B".
func numberOf[T ~uint8 | ~uint16](name string) (T, bool) {
	digits, ok := strings.CutPrefix(name, "0x")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 16)
	if err != nil || uint64(T(n)) != n {
		return 0, false
	}
	return T(n), true
}

// compareFold compares two ASCII strings as if both were in lower case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

const upperHex = "0123456789ABCDEF"

// hex4 is the name of a 16-bit code point without one.
func hex4(v uint16) string {
	return string([]byte{'0', 'x', upperHex[v>>12], upperHex[v>>8&15], upperHex[v>>4&15], upperHex[v&15]})
}

// String is the record's name: "TLSv1.2"; drafts of TLS 1.3 are "TLSv1.3-draft23".
func (v Version) String() string {
	if name := nameOf(versionNames[:], v); name != "" {
		return name
	}
	if v.IsDraft() {
		return "TLSv1.3-draft" + strconv.Itoa(int(v&0xFF))
	}
	return hex4(uint16(v))
}

// IsDraft reports whether v is one of the numbers by which drafts of TLS 1.3 were told apart (RFC 8446 before it was
// published, Section 4.2.1.1): 0x7F and the draft's number.
func (v Version) IsDraft() bool { return v>>8 == 0x7F }

// IsTLS13 reports whether v is TLS 1.3, a draft of it, or DTLS 1.3: its messages have other forms than those before.
func (v Version) IsTLS13() bool { return v == VersionTLS13 || v.IsDraft() || v == VersionDTLS13 }

// String is the IANA name, or what the suite was known by where IANA never registered it.
func (c CipherSuite) String() string {
	if f := c.fact(); f != nil {
		return f.name
	}
	return hex4(uint16(c))
}

// String is the name of RFC 6101's predecessor, the SSL 2.0 draft ("SSL_CK_RC4_128_WITH_MD5"); of a TLS suite in an SSLv2
// hello it is the suite's name (RFC 5246, Appendix E.2); otherwise "0x1A2B3C".
func (k SSLv2CipherKind) String() string {
	if name := nameOf(sslv2CipherKindNames[:], k); name != "" {
		return name
	}
	if k <= 0xFFFF {
		return CipherSuite(k).String()
	}
	return string([]byte{'0', 'x', upperHex[k>>20&15], upperHex[k>>16&15], upperHex[k>>12&15], upperHex[k>>8&15], upperHex[k>>4&15], upperHex[k&15]})
}

// String is the IANA name.
func (g NamedGroup) String() string {
	if f := g.fact(); f != nil {
		return f.name
	}
	return hex4(uint16(g))
}

// String is the IANA name; the hash and signature pairs of TLS 1.2 that RFC 8446 dropped are named alike ("dsa_sha1").
func (s SignatureScheme) String() string {
	if f := s.fact(); f != nil {
		return f.name
	}
	return hex4(uint16(s))
}

// String is the IANA name.
func (t ExtensionType) String() string {
	if name := nameOf(extensionNames[:], t); name != "" {
		return name
	}
	return hex4(uint16(t))
}

// String is the registry name, "handshake_failure"; an unknown alert is "alert(231)".
func (d AlertDescription) String() string {
	if name := nameOf(alertNames[:], d); name != "" {
		return name
	}
	return "alert(" + strconv.Itoa(int(d)) + ")"
}

// String is "warning" or "fatal"; anything else is "level(3)".
func (l AlertLevel) String() string {
	if name := nameOf(alertLevelNames[:], l); name != "" {
		return name
	}
	return "level(" + strconv.Itoa(int(l)) + ")"
}

// String is the registry name; an unknown type is "content_type(99)".
func (t ContentType) String() string {
	if name := nameOf(contentTypeNames[:], t); name != "" {
		return name
	}
	return "content_type(" + strconv.Itoa(int(t)) + ")"
}

// String is the registry name; an unknown type is "handshake_type(99)".
func (t HandshakeType) String() string {
	if name := nameOf(handshakeTypeNames[:], t); name != "" {
		return name
	}
	return "handshake_type(" + strconv.Itoa(int(t)) + ")"
}

// String is the name of RFC 8879, Section 3.
func (a CertificateCompressionAlgorithm) String() string {
	switch a {
	case 1:
		return "zlib"
	case 2:
		return "brotli"
	case 3:
		return "zstd"
	}
	return hex4(uint16(a))
}

// CompressionMethodName names a TLS compression method (RFC 3749, RFC 3943); unknown: "0x2A".
func CompressionMethodName(m byte) string {
	switch m {
	case 0:
		return "null"
	case 1:
		return "deflate"
	case 64:
		return "lzs"
	}
	return hex2(m)
}

// PointFormatName names an EC point format (RFC 8422, Section 5.1.2); unknown: "0x2A".
func PointFormatName(f byte) string {
	switch f {
	case 0:
		return "uncompressed"
	case 1:
		return "ansiX962_compressed_prime"
	case 2:
		return "ansiX962_compressed_char2"
	}
	return hex2(f)
}

// PSKModeName names a PSK key exchange mode (RFC 8446, Section 4.2.9); unknown: "0x2A".
func PSKModeName(m byte) string {
	switch m {
	case 0:
		return "psk_ke"
	case 1:
		return "psk_dhe_ke"
	}
	return hex2(m)
}

// ClientCertificateTypeName names a certificate type of a CertificateRequest before TLS 1.3 (RFC 5246, Section 7.4.4;
// RFC 8422, Section 5.5); unknown: "0x2A".
func ClientCertificateTypeName(t byte) string {
	switch t {
	case 1:
		return "rsa_sign"
	case 2:
		return "dss_sign"
	case 3:
		return "rsa_fixed_dh"
	case 4:
		return "dss_fixed_dh"
	case 5:
		return "rsa_ephemeral_dh"
	case 6:
		return "dss_ephemeral_dh"
	case 20:
		return "fortezza_dms"
	case 64:
		return "ecdsa_sign"
	case 65:
		return "rsa_fixed_ecdh"
	case 66:
		return "ecdsa_fixed_ecdh"
	}
	return hex2(t)
}

func hex2(v byte) string {
	return string([]byte{'0', 'x', upperHex[v>>4], upperHex[v&15]})
}
