package inspect

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ECH states of a hello. An outer hello and a GREASE one cannot be told apart by an observer (RFC 9849, Section 6.2).
const (
	ECHNone          = "none"
	ECHGREASEOrOuter = "grease_or_outer"
)

// The longest string of a stranger that a record keeps, in bytes.
const maxString = 1024

// Bounded cuts a stranger's string to what a record keeps and replaces what is not UTF-8, so that JSON holds it.
func Bounded(s string) string {
	cut := len(s)
	if cut > maxString {
		for cut = maxString; cut > maxString-utf8.UTFMax && !utf8.RuneStart(s[cut]); cut-- { // not in the middle of a character
		}
	}
	bounded := s[:cut]
	if !utf8.ValidString(bounded) {
		bounded = strings.ToValidUTF8(bounded, "\uFFFD")
	}
	if cut < len(s) {
		bounded += "…"
	}
	return bounded
}

// DescribeHello is a hello in the record's words. Raw is copied. transport is TransportTCP or one of its siblings.
func DescribeHello(h *wire.ClientHello, recordVersion wire.Version, transport string) *Hello {
	d := describeHello(h, recordVersion, transport)
	d.Message.Raw = bytes.Clone(h.Raw)
	return d
}

// describeHello is DescribeHello without copying Raw.
func describeHello(h *wire.ClientHello, recordVersion wire.Version, transport string) *Hello {
	d := &Hello{
		ServerName:          Bounded(string(h.ServerName)),
		LegacyVersion:       h.LegacyVersion.String(),
		SupportedVersions:   names(h.SupportedVersions),
		SupportedCiphers:    names(h.CipherSuites),
		SupportedGroups:     names(h.SupportedGroups),
		SignatureAlgorithms: names(h.SignatureSchemes),
		EarlyData:           h.EarlyData,
		ECH:                 ECHNone,
		Message: &HelloBytes{
			Size:     len(h.Raw),
			SSLv2:    h.SSLv2,
			Complete: true,
			GREASE:   hasGREASE(h),
			Raw:      h.Raw,
		},
	}
	d.SignatureAlgorithmsCert = names(h.SignatureSchemesCert)
	if recordVersion != 0 {
		d.RecordVersion = recordVersion.String()
	}
	if h.SupportedVersions.Len() == 0 {
		d.SupportedVersions = []string{d.LegacyVersion}
		d.SupportedVersionsDerived = true
	}
	if h.SSLv2 {
		d.SupportedCiphers = sslv2Names(h.SSLv2CipherKinds)
	}
	for group := range h.KeyShares.All() {
		if !wire.IsGREASE(group) {
			d.KeyShareGroups = append(d.KeyShareGroups, group.String())
		}
	}
	for name := range h.ALPN.All() {
		d.ALPNProtocols = append(d.ALPNProtocols, Bounded(string(name)))
	}
	for t := range h.Extensions.All() {
		if !wire.IsGREASE(t) {
			d.Extensions = append(d.Extensions, t.String())
		}
	}
	for _, m := range h.CompressionMethods {
		d.CompressionMethods = append(d.CompressionMethods, wire.CompressionMethodName(m))
	}
	for _, f := range h.PointFormats {
		d.ECPointFormats = append(d.ECPointFormats, wire.PointFormatName(f))
	}
	for _, m := range h.PSKModes {
		d.PSKKeyExchangeModes = append(d.PSKKeyExchangeModes, wire.PSKModeName(m))
	}
	if h.ECH != nil {
		d.ECH = ECHGREASEOrOuter
	}
	layer := fingerprint.TCP
	switch transport {
	case TransportQUIC:
		layer = fingerprint.QUIC
	case TransportDTLS:
		layer = fingerprint.DTLS
	}
	d.JA3, d.JA3String = fingerprint.JA3(h)
	d.JA4, d.JA4Raw = fingerprint.JA4(h, layer)
	d.Shape = fingerprint.Shape(h)
	return d
}

// names are the code points of a list by name, GREASE dropped.
func names[T interface {
	~uint16
	String() string
}](l wire.List[T]) []string {
	var s []string
	for v := range l.All() {
		if wire.IsGREASE(v) {
			continue
		}
		if s == nil {
			s = make([]string, 0, l.Len())
		}
		s = append(s, v.String())
	}
	return s
}

// sslv2Names are the kinds of an SSLv2-format hello: those with a leading zero are TLS suites (RFC 5246, Appendix E.2).
func sslv2Names(kinds []byte) []string {
	var s []string
	for kind := range slices.Chunk(kinds, 3) {
		if len(kind) < 3 {
			break
		}
		if kind[0] == 0 {
			s = append(s, wire.CipherSuite(uint16(kind[1])<<8|uint16(kind[2])).String())
		} else {
			s = append(s, wire.SSLv2CipherKind(uint32(kind[0])<<16|uint32(kind[1])<<8|uint32(kind[2])).String())
		}
	}
	return s
}

// hasGREASE reports whether any of the hello's lists holds a value of RFC 8701.
func hasGREASE(h *wire.ClientHello) bool {
	for t := range h.Extensions.All() {
		if wire.IsGREASE(t) {
			return true
		}
	}
	for group := range h.KeyShares.All() {
		if wire.IsGREASE(group) {
			return true
		}
	}
	return greased(h.CipherSuites) || greased(h.SupportedVersions) || greased(h.SupportedGroups) || greased(h.SignatureSchemes)
}

func greased[T ~uint16](l wire.List[T]) bool {
	for v := range l.All() {
		if wire.IsGREASE(v) {
			return true
		}
	}
	return false
}
