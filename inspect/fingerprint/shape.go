package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// shapeVersion stands before every shape. Whoever changes what goes into a shape raises it, so that recordings of two
// releases are never compared.
const shapeVersion = "s1_"

// Shape gives a short name, "s1_" and 16 hexadecimal digits, to what stays the same from one connection of a client to the
// next: format, legacy version, suites, the set of extensions, groups, groups of the key shares, versions, signature
// schemes, ALPN, point formats, compression methods, PSK modes, certificate compression and record size limit.
//
// What changes from connection to connection is left out: randoms, session id, key share bytes, the server name, the order of
// the extensions (Chromium permutes them), GREASE values (one marker stands for all; GREASE extensions are dropped), padding,
// and what depends on an earlier message of the same server: tickets, pre_shared_key, early_data, cookie. What is left is what
// a server negotiates from; whether a server name was sent at all is part of it.
func Shape(h *wire.ClientHello) string {
	var buf [len(shapeVersion) + 16]byte
	return string(AppendShape(buf[:0], h))
}

// AppendShape appends the shape.
func AppendShape(dst []byte, h *wire.ClientHello) []byte {
	var buf [1024]byte
	sum := sha256.Sum256(appendShapeBytes(buf[:0], h))
	return hex.AppendEncode(append(dst, shapeVersion...), sum[:8])
}

// appendShapeBytes appends what is hashed: every field behind a two-byte length, so that no two hellos run together.
func appendShapeBytes(b []byte, h *wire.ClientHello) []byte {
	format := byte(0)
	if h.SSLv2 {
		format = 2
	}
	if h.HasExtensions {
		format |= 1
	}
	b = append(b, format, byte(h.LegacyVersion>>8), byte(h.LegacyVersion))
	b = appendField(b, h.SSLv2CipherKinds)
	b = appendCodes(b, h.CipherSuites)
	b = appendField(b, h.CompressionMethods)
	b = appendExtensionSet(b, h.Extensions)
	b = appendCodes(b, h.SupportedVersions)
	b = appendCodes(b, h.SupportedGroups)
	b = appendKeyShareGroups(b, h.KeyShares)
	b = appendCodes(b, h.SignatureSchemes)
	b = appendCodes(b, h.SignatureSchemesCert)
	b = appendCodes(b, h.DelegatedCredentials)
	b = appendALPNNames(b, h.ALPN)
	b = appendField(b, h.PointFormats)
	b = appendPSKModes(b, h.PSKModes)
	b = appendCodes(b, h.CompressCertificate)
	return append(b, byte(h.RecordSizeLimit>>8), byte(h.RecordSizeLimit))
}

// grease stands for every GREASE value.
const grease = 0x0A0A

func appendField(b, field []byte) []byte {
	return append(append(b, byte(len(field)>>8), byte(len(field))), field...)
}

// open leaves room for a length that closeField fills in.
func open(b []byte) (start int, _ []byte) { return len(b) + 2, append(b, 0, 0) }

func closeField(b []byte, start int) []byte {
	n := len(b) - start
	b[start-2], b[start-1] = byte(n>>8), byte(n)
	return b
}

func appendCode[T ~uint16](b []byte, v T) []byte {
	if wire.IsGREASE(v) {
		v = grease
	}
	return append(b, byte(v>>8), byte(v))
}

func appendCodes[T ~uint16](b []byte, list wire.List[T]) []byte {
	start, b := open(b)
	for v := range list.All() {
		b = appendCode(b, v)
	}
	return closeField(b, start)
}

func appendKeyShareGroups(b []byte, shares wire.KeyShares) []byte {
	start, b := open(b)
	for g := range shares.All() {
		b = appendCode(b, g)
	}
	return closeField(b, start)
}

// appendExtensionSet appends the types once each, in the order of their numbers.
func appendExtensionSet(b []byte, extensions wire.Extensions) []byte {
	var buf [64]wire.ExtensionType
	set := buf[:0]
	for t := range extensions.All() {
		switch t {
		case wire.ExtensionPreSharedKey, wire.ExtensionEarlyData, wire.ExtensionCookie, wire.ExtensionPadding:
			continue
		}
		if !wire.IsGREASE(t) {
			set = append(set, t)
		}
	}
	slices.Sort(set)
	start, b := open(b)
	for _, t := range slices.Compact(set) {
		b = append(b, byte(t>>8), byte(t))
	}
	return closeField(b, start)
}

// appendALPNNames appends the names with their lengths; RFC 8701, Section 2 reserves two-byte names for GREASE, too.
func appendALPNNames(b []byte, names wire.ProtocolNames) []byte {
	start, b := open(b)
	for name := range names.All() {
		b = append(b, byte(len(name)))
		if len(name) == 2 && wire.IsGREASE(uint16(name[0])<<8|uint16(name[1])) {
			b = append(b, grease>>8, grease&0xFF)
			continue
		}
		b = append(b, name...)
	}
	return closeField(b, start)
}

// appendPSKModes appends the modes; the eight GREASE ones (RFC 8701, Section 2) are 0x1F apart.
func appendPSKModes(b, modes []byte) []byte {
	start, b := open(b)
	for _, m := range modes {
		if m%0x1F == 0x0B {
			m = 0x0B
		}
		b = append(b, m)
	}
	return closeField(b, start)
}
