package inspect

import (
	"errors"
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ErrHelloIncomplete says that a recorded hello never was whole, so that nothing can be negotiated from it.
var ErrHelloIncomplete = errors.New("inspect: the recorded hello is not complete")

// UnknownNameError says that a recorded hello lists something by a name that no registry has.
type UnknownNameError struct {
	Field string // of the record: supported_ciphers
	Name  string
}

func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("inspect: hello: %s: %q is no known name", e.Field, e.Name)
}

// ClientHello is the recorded hello as it can be negotiated from: read from its bytes where the record has them, otherwise
// rebuilt from the lists. What is rebuilt has no Raw, no random and no session id; GREASE and the bodies of extensions that
// the record does not spell out are missing, and of the key shares the group is right and the key empty.
//
// The error is ErrHelloIncomplete, a *wire.ParseError for bytes that do not parse, or an *UnknownNameError.
func (h *Hello) ClientHello() (*wire.ClientHello, error) {
	hello := &wire.ClientHello{}
	if m := h.Message; m != nil {
		if !m.Complete {
			return nil, ErrHelloIncomplete
		}
		if len(m.Raw) > 0 {
			parse := wire.ParseClientHello
			if m.SSLv2 {
				parse = wire.ParseSSLv2ClientHello
			}
			if err := parse(m.Raw, hello); err != nil {
				return nil, err
			}
			return hello, nil
		}
	}
	if err := h.rebuild(hello); err != nil {
		return nil, err
	}
	return hello, nil
}

// rebuild fills hello from the lists.
func (h *Hello) rebuild(hello *wire.ClientHello) error {
	b := builder{}
	hello.SSLv2 = h.Message != nil && h.Message.SSLv2
	if v := codes(&b, "legacy_version", []string{h.LegacyVersion}, wire.VersionByName); v.Len() > 0 {
		hello.LegacyVersion = v.At(0)
	}
	if hello.SSLv2 {
		hello.SSLv2CipherKinds, hello.CipherSuites = b.sslv2Kinds(h.SupportedCiphers)
	} else {
		hello.CipherSuites = codes(&b, "supported_ciphers", h.SupportedCiphers, wire.CipherSuiteByName)
	}
	if !h.SupportedVersionsDerived {
		hello.SupportedVersions = codes(&b, "supported_versions", h.SupportedVersions, wire.VersionByName)
	}
	hello.SupportedGroups = codes(&b, "supported_groups", h.SupportedGroups, wire.NamedGroupByName)
	hello.SignatureSchemes = codes(&b, "signature_algorithms", h.SignatureAlgorithms, wire.SignatureSchemeByName)
	hello.SignatureSchemesCert = codes(&b, "signature_algorithms_cert", h.SignatureAlgorithmsCert, wire.SignatureSchemeByName)
	for group := range codes(&b, "key_share_groups", h.KeyShareGroups, wire.NamedGroupByName).All() {
		hello.KeyShares = append(hello.KeyShares, byte(group>>8), byte(group), 0, 0)
	}
	hello.CompressionMethods = b.bytes("compression_methods", h.CompressionMethods, wire.CompressionMethodName)
	hello.PointFormats = b.bytes("ec_point_formats", h.ECPointFormats, wire.PointFormatName)
	hello.PSKModes = b.bytes("psk_key_exchange_modes", h.PSKKeyExchangeModes, wire.PSKModeName)
	hello.ALPN = wire.ProtocolNamesOf(h.ALPNProtocols...)
	if h.ServerName != "" {
		hello.ServerName = []byte(h.ServerName)
	}
	hello.EarlyData = h.EarlyData
	h.rebuildExtensions(&b, hello)
	return b.err
}

// rebuildExtensions makes a block of the recorded extensions without their bodies: types and order are what counts.
func (h *Hello) rebuildExtensions(b *builder, hello *wire.ClientHello) {
	hello.HasExtensions = len(h.Extensions) > 0
	for t := range codes(b, "extensions", h.Extensions, wire.ExtensionTypeByName).All() {
		hello.Extensions = append(hello.Extensions, byte(t>>8), byte(t), 0, 0)
		switch t {
		case wire.ExtensionExtendedMasterSecret:
			hello.ExtendedMasterSecret = true
		case wire.ExtensionEncryptThenMAC:
			hello.EncryptThenMAC = true
		case wire.ExtensionSCT:
			hello.SCT = true
		case wire.ExtensionPostHandshakeAuth:
			hello.PostHandshakeAuth = true
		case wire.ExtensionSessionTicket:
			hello.SessionTicket = []byte{}
		case wire.ExtensionRenegotiationInfo:
			hello.RenegotiationInfo = []byte{}
		case wire.ExtensionEncryptedClientHello:
			hello.ECH = []byte{}
		}
	}
}

// builder turns names back into code points and keeps the first error.
type builder struct{ err error }

func (b *builder) unknown(field, name string) {
	if b.err == nil {
		b.err = &UnknownNameError{Field: field, Name: Bounded(name)}
	}
}

// codes are the code points of names; nil when there are none.
func codes[T ~uint16](b *builder, field string, names []string, find func(string) (T, bool)) wire.List[T] {
	var list wire.List[T]
	for _, name := range names {
		code, ok := find(name)
		if !ok {
			b.unknown(field, name)
			continue
		}
		list = append(list, byte(code>>8), byte(code))
	}
	return list
}

// bytes are the values of one byte that have these names.
func (b *builder) bytes(field string, names []string, name func(byte) string) []byte {
	var list []byte
	for _, wanted := range names {
		v := 0
		for v < 256 && name(byte(v)) != wanted {
			v++
		}
		if v == 256 {
			b.unknown(field, wanted)
			continue
		}
		list = append(list, byte(v))
	}
	return list
}

// sslv2Kinds are the kinds of an SSLv2-format hello, and those among them that are TLS suites.
func (b *builder) sslv2Kinds(names []string) (kinds []byte, suites wire.List[wire.CipherSuite]) {
	for _, name := range names {
		if suite, ok := wire.CipherSuiteByName(name); ok {
			kinds = append(kinds, 0, byte(suite>>8), byte(suite))
			suites = append(suites, byte(suite>>8), byte(suite))
			continue
		}
		kind, ok := sslv2Kind(name)
		if !ok {
			b.unknown("supported_ciphers", name)
			continue
		}
		kinds = append(kinds, byte(kind>>16), byte(kind>>8), byte(kind))
	}
	return kinds, suites
}

// sslv2Kind finds a kind of SSLv2 by its name: those of the SSL 2.0 draft are 0x0t00ss with a type of 1 to 8 and a size in
// bits; another one is written as a number.
func sslv2Kind(name string) (wire.SSLv2CipherKind, bool) {
	for _, size := range [...]wire.SSLv2CipherKind{0x40, 0x80, 0xC0} {
		for _, variant := range [...]wire.SSLv2CipherKind{0, 0x100} {
			for t := wire.SSLv2CipherKind(1); t <= 8; t++ {
				if kind := t<<16 | variant | size; kind.String() == name {
					return kind, true
				}
			}
		}
	}
	for _, kind := range [...]wire.SSLv2CipherKind{0xFF8000, 0xFF8010} { // of SSLeay
		if kind.String() == name {
			return kind, true
		}
	}
	var kind wire.SSLv2CipherKind
	if n, err := fmt.Sscanf(name, "0x%06X", &kind); err != nil || n != 1 || kind.String() != name {
		return 0, false
	}
	return kind, true
}
