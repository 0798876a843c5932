package fingerprint

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// JA3 gives the JA3 fingerprint of a hello, 32 hexadecimal digits, and the text that it is the MD5 of: version, suites,
// extensions, groups and point formats in decimal, in wire order, GREASE dropped
// (https://github.com/salesforce/ja3). An SSLv2-format hello has no extensions; its version and its TLS suites count.
func JA3(h *wire.ClientHello) (hash, text string) {
	var buf [1024]byte
	b := AppendJA3Text(buf[:0], h)
	sum := md5.Sum(b)
	var digits [2 * md5.Size]byte
	hex.Encode(digits[:], sum[:])
	return string(digits[:]), string(b)
}

// AppendJA3 appends the fingerprint alone.
func AppendJA3(dst []byte, h *wire.ClientHello) []byte {
	var buf [1024]byte
	sum := md5.Sum(AppendJA3Text(buf[:0], h))
	return hex.AppendEncode(dst, sum[:])
}

// AppendJA3Text appends the text that the fingerprint is made of.
func AppendJA3Text(dst []byte, h *wire.ClientHello) []byte {
	dst = strconv.AppendUint(dst, uint64(h.LegacyVersion), 10)
	dst = appendDecimals(append(dst, ','), h.CipherSuites)
	dst = append(dst, ',')
	start := len(dst)
	for t := range h.Extensions.All() {
		if !wire.IsGREASE(t) {
			dst = appendDecimal(dst, start, uint64(t))
		}
	}
	dst = appendDecimals(append(dst, ','), h.SupportedGroups)
	dst = append(dst, ',')
	start = len(dst)
	for _, f := range h.PointFormats {
		dst = appendDecimal(dst, start, uint64(f))
	}
	return dst
}

// appendDecimals appends a list, GREASE dropped, joined by "-".
func appendDecimals[T ~uint16](dst []byte, list wire.List[T]) []byte {
	start := len(dst)
	for v := range list.All() {
		if !wire.IsGREASE(v) {
			dst = appendDecimal(dst, start, uint64(v))
		}
	}
	return dst
}

// appendDecimal appends one number, after a "-" unless it is the first of the field that begins at start.
func appendDecimal(dst []byte, start int, v uint64) []byte {
	if len(dst) > start {
		dst = append(dst, '-')
	}
	return strconv.AppendUint(dst, v, 10)
}
