package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Transports, the first letter of a JA4.
const (
	TCP  byte = 't'
	QUIC byte = 'q'
	DTLS byte = 'd'
)

// JA4 gives the JA4 fingerprint of a hello that came over transport, "t13d1516h2_8daaf6152771_02713d6af862", and its raw
// form (ja4_r), in which the lists stand in place of their hashes. Definition:
// https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md. GREASE is dropped everywhere, also among the signature
// algorithms. Of an SSLv2-format hello the TLS suites count.
func JA4(h *wire.ClientHello, transport byte) (hash, raw string) {
	var text [1024]byte
	b, suites, extensions := appendJA4Raw(text[:0], h, transport)
	var short [ja4Size]byte
	return string(appendJA4(short[:0], b, suites, extensions)), string(b)
}

// AppendJA4 appends the fingerprint alone.
func AppendJA4(dst []byte, h *wire.ClientHello, transport byte) []byte {
	var text [1024]byte
	b, suites, extensions := appendJA4Raw(text[:0], h, transport)
	return appendJA4(dst, b, suites, extensions)
}

// AppendJA4Raw appends the raw form alone.
func AppendJA4Raw(dst []byte, h *wire.ClientHello, transport byte) []byte {
	dst, _, _ = appendJA4Raw(dst, h, transport)
	return dst
}

const (
	ja4HeadSize = 10                 // "t13d1516h2"
	ja4Size     = ja4HeadSize + 2*13 // two hashes of 12 digits, each after an underscore
)

// appendJA4 makes the fingerprint of the raw form b, whose suites and extensions begin at the given places.
func appendJA4(dst, b []byte, suites, extensions int) []byte {
	dst = append(dst, b[suites-1-ja4HeadSize:suites-1]...)
	dst = appendShortHash(append(dst, '_'), b[suites:extensions-1])
	// No extension that counts gives zeros, even where signature algorithms follow.
	list := b[extensions:]
	if len(list) > 0 && list[0] == '_' {
		list = nil
	}
	return appendShortHash(append(dst, '_'), list)
}

// appendShortHash appends the first 12 digits of the SHA-256 of list, zeros for an empty one.
func appendShortHash(dst, list []byte) []byte {
	if len(list) == 0 {
		return append(dst, "000000000000"...)
	}
	sum := sha256.Sum256(list)
	return hex.AppendEncode(dst, sum[:6])
}

// appendJA4Raw appends the raw form and tells where in the result the lists of suites and of extensions begin.
func appendJA4Raw(dst []byte, h *wire.ClientHello, transport byte) (text []byte, suitesAt, extensionsAt int) {
	var codes [128]uint16
	suites := codes[:0]
	for c := range h.CipherSuites.All() {
		if !wire.IsGREASE(c) {
			suites = append(suites, uint16(c))
		}
	}
	var types [64]uint16
	extensions, count, name := types[:0], 0, byte('i')
	for t := range h.Extensions.All() {
		if wire.IsGREASE(t) {
			continue
		}
		count++
		switch t {
		case wire.ExtensionServerName:
			name = 'd'
		case wire.ExtensionALPN:
		default:
			extensions = append(extensions, uint16(t))
		}
	}

	dst = append(dst, transport)
	dst = append(dst, ja4Version(h)...)
	dst = append(dst, name)
	dst = appendCount(dst, len(suites))
	dst = appendCount(dst, count)
	dst = append(appendALPN(dst, h.ALPN.First()), '_')

	suitesAt = len(dst)
	sort(suites)
	dst = append(appendHexes(dst, suites), '_')

	extensionsAt = len(dst)
	sort(extensions)
	dst = appendHexes(dst, extensions)
	separator := byte('_')
	for s := range h.SignatureSchemes.All() {
		if !wire.IsGREASE(s) {
			dst = appendHex(append(dst, separator), uint16(s))
			separator = ','
		}
	}
	return dst, suitesAt, extensionsAt
}

// sort sorts in place. Lists of hellos are short, for which insertion is the fastest way.
func sort(codes []uint16) {
	if len(codes) > 40 {
		slices.Sort(codes)
		return
	}
	for i := 1; i < len(codes); i++ {
		v, j := codes[i], i
		for ; j > 0 && codes[j-1] > v; j-- {
			codes[j] = codes[j-1]
		}
		codes[j] = v
	}
}

// ja4Version gives the two letters for the highest version of supported_versions, else for legacy_version.
func ja4Version(h *wire.ClientHello) string {
	version := h.LegacyVersion
	found := false
	for v := range h.SupportedVersions.All() {
		if !wire.IsGREASE(v) && (!found || later(v, version)) {
			version, found = v, true
		}
	}
	switch version {
	case wire.VersionTLS13:
		return "13"
	case wire.VersionTLS12:
		return "12"
	case wire.VersionTLS11:
		return "11"
	case wire.VersionTLS10:
		return "10"
	case wire.VersionSSLv3:
		return "s3"
	case wire.VersionSSLv2:
		return "s2"
	case wire.VersionDTLS13:
		return "d3"
	case wire.VersionDTLS12:
		return "d2"
	case wire.VersionDTLS10:
		return "d1"
	}
	return "00" // drafts of TLS 1.3, too, as the definition has no letters for them
}

// later reports whether version a is later than b. DTLS counts downwards (RFC 6347, Section 4.1).
func later(a, b wire.Version) bool {
	if a>>8 == 0xFE && b>>8 == 0xFE {
		return a < b
	}
	return a > b
}

// appendCount appends a number of two digits, at most 99.
func appendCount(dst []byte, n int) []byte {
	n = min(n, 99)
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}

// appendALPN appends the first and last character of a protocol name. Where one of them is not alphanumeric, the first and
// last digit of the name's hexadecimal form stand for it.
func appendALPN(dst, name []byte) []byte {
	if len(name) == 0 {
		return append(dst, "00"...)
	}
	first, last := name[0], name[len(name)-1]
	if alphanumeric(first) && alphanumeric(last) {
		return append(dst, first, last)
	}
	return append(dst, lowerHex[first>>4], lowerHex[last&15])
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

const lowerHex = "0123456789abcdef"

// appendHexes appends four digits a code point, joined by ",".
func appendHexes(dst []byte, codes []uint16) []byte {
	for i, v := range codes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendHex(dst, v)
	}
	return dst
}

func appendHex(dst []byte, v uint16) []byte {
	return append(dst, lowerHex[v>>12], lowerHex[v>>8&15], lowerHex[v>>4&15], lowerHex[v&15])
}
