package recording

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// sameOffer reports whether two hellos of one shape are the same in all that a server negotiates from but the server name's
// text. A shape is a digest of 64 bits, and whoever sends hellos may search for two with the same one: the tally does not take
// its word. GREASE counts as one value (RFC 8701), like in the shape.
func sameOffer(a, b *wire.ClientHello) bool {
	return a.SSLv2 == b.SSLv2 && a.LegacyVersion == b.LegacyVersion &&
		(len(a.ServerName) == 0) == (len(b.ServerName) == 0) &&
		bytes.Equal(a.SSLv2CipherKinds, b.SSLv2CipherKinds) &&
		bytes.Equal(a.CompressionMethods, b.CompressionMethods) &&
		bytes.Equal(a.PointFormats, b.PointFormats) &&
		sameCodes(a.CipherSuites, b.CipherSuites) &&
		sameCodes(a.SupportedVersions, b.SupportedVersions) &&
		sameCodes(a.SupportedGroups, b.SupportedGroups) &&
		sameCodes(a.SignatureSchemes, b.SignatureSchemes) &&
		sameCodes(a.SignatureSchemesCert, b.SignatureSchemesCert) &&
		sameProtocols(a.ALPN, b.ALPN) &&
		sameShares(a.KeyShares, b.KeyShares) &&
		sameExtensions(a.Extensions, b.Extensions) && sameExtensions(b.Extensions, a.Extensions)
}

func sameCodes[T ~uint16](a, b wire.List[T]) bool {
	if len(a) != len(b) {
		return false
	}
	if bytes.Equal(a, b) {
		return true
	}
	for i := range a.Len() {
		if x, y := a.At(i), b.At(i); x != y && !(wire.IsGREASE(x) && wire.IsGREASE(y)) {
			return false
		}
	}
	return true
}

// sameProtocols compares the names; those of GREASE have two bytes that are a code of RFC 8701.
func sameProtocols(a, b wire.ProtocolNames) bool {
	if len(a) != len(b) {
		return false
	}
	if bytes.Equal(a, b) {
		return true
	}
	for len(a) > 0 && a[0] == b[0] && len(a) > int(a[0]) {
		n := 1 + int(a[0])
		if x, y := a[1:n], b[1:n]; !bytes.Equal(x, y) && !(n == 3 && wire.IsGREASE(uint16(x[0])<<8|uint16(x[1])) && wire.IsGREASE(uint16(y[0])<<8|uint16(y[1]))) {
			return false
		}
		a, b = a[n:], b[n:]
	}
	return len(a) == 0
}

// sameShares compares the groups of the key shares, in order.
func sameShares(a, b wire.KeyShares) bool {
	for {
		x, restA, okA := cutShare(a)
		y, restB, okB := cutShare(b)
		if okA != okB {
			return false
		}
		if !okA {
			return true
		}
		if x != y && !(wire.IsGREASE(x) && wire.IsGREASE(y)) {
			return false
		}
		a, b = restA, restB
	}
}

func cutShare(k wire.KeyShares) (wire.NamedGroup, wire.KeyShares, bool) {
	if len(k) < 4 {
		return 0, nil, false
	}
	n := 4 + int(k[2])<<8 + int(k[3])
	if n > len(k) {
		return 0, nil, false
	}
	return wire.NamedGroup(k[0])<<8 | wire.NamedGroup(k[1]), k[n:], true
}

// sameExtensions reports whether every extension of a is in b, but for GREASE and those that a shape leaves out.
func sameExtensions(a, b wire.Extensions) bool {
	for t := range a.All() {
		switch t {
		case wire.ExtensionPreSharedKey, wire.ExtensionEarlyData, wire.ExtensionCookie, wire.ExtensionPadding:
			continue
		}
		if !wire.IsGREASE(t) && !b.Has(t) {
			return false
		}
	}
	return true
}
