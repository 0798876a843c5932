package probe

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Hello is a ClientHello in a form that can be changed. Every field is sent as it stands, in the order in which it stands,
// sensible or not. The zero value is not useful: hellos come from Parse, FromMessage, Modern, Legacy or Clone.
type Hello struct {
	SSLv2              bool         // sent in the SSLv2 format (RFC 5246, Appendix E.2), which has no extensions
	RecordVersion      wire.Version // of the records; 0: TLS 1.0, or SSLv3 for a hello of SSLv3
	Version            wire.Version // legacy_version
	Random             []byte       // 32 bytes; in the SSLv2 format the challenge, 16 to 32 bytes
	SessionID          []byte
	CipherSuites       []wire.CipherSuite
	CipherKinds        []wire.SSLv2CipherKind // SSLv2 format only, where they stand in place of CipherSuites
	CompressionMethods []byte
	HasExtensions      bool // an extensions block is sent, be it empty; one that is not empty is sent in any case
	Extensions         []Extension
	Layout             Layout // how the message is cut into records and segments

	keys   []privateShare // to the key shares that are ours
	padded int            // size of the message that the padding extension is to keep; 0: the hello has none
}

// Extension is one extension as it stands in the message.
type Extension struct {
	Type wire.ExtensionType
	Body []byte
}

// ErrNoHello says that bytes are no ClientHello in any of the forms that Parse reads.
var ErrNoHello = errors.New("probe: the bytes are no ClientHello")

// TooLongError says that a hello has no form on the wire, because a field is longer than its length can say.
type TooLongError struct{ Err error }

func (e *TooLongError) Error() string { return "probe: hello: " + e.Err.Error() }

// Unwrap is the reason.
func (e *TooLongError) Unwrap() error { return e.Err }

// Parse reads a hello from what was recorded: TLS records, a handshake message, or an SSLv2-format message with its two
// length bytes. Sent unchanged, it is what was read, down to how it was cut into records. Bytes behind the hello are left out.
//
// The error is ErrNoHello, a *wire.StreamError or a *wire.ParseError. A hello that a server would refuse as malformed is read
// all the same as long as its fields and extensions have a beginning and an end.
func Parse(b []byte) (*Hello, error) {
	if len(b) > 4 && b[0] == byte(wire.HandshakeTypeClientHello) && b[1] == 0 {
		return FromMessage(b)
	}
	r := wire.Reader{FromClient: true}
	r.Feed(b)
	var m wire.Message
	if !r.Next(&m) {
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("probe: hello: %w", err)
		}
		return nil, fmt.Errorf("probe: hello: cut off after %d bytes: %w", len(b), ErrNoHello)
	}
	if m.ContentType != wire.ContentTypeHandshake || m.HandshakeType != wire.HandshakeTypeClientHello {
		return nil, ErrNoHello
	}
	if m.SSLv2 {
		return fromSSLv2(m.Bytes)
	}
	h, err := FromMessage(m.Bytes)
	if err != nil {
		return nil, err
	}
	h.RecordVersion = m.RecordVersion
	h.Layout.Records = recordedLayout(b, m.Length)
	return h, nil
}

// FromMessage reads a hello from a handshake message with its four bytes of header, as a record keeps it. Errors are those of
// Parse.
func FromMessage(message []byte) (*Hello, error) {
	var parsed wire.ClientHello
	err := wire.ParseClientHello(message, &parsed)
	h := FromClientHello(&parsed)
	h.padded = 0
	if parsed.Extensions.Has(wire.ExtensionPadding) {
		h.padded = len(message)
	}
	// What reads back as the same bytes was understood, whatever stands in the body of an extension.
	if again, marshalErr := h.Message(); marshalErr != nil || !bytes.Equal(again, message) {
		if err == nil {
			err = ErrNoHello
		}
		return nil, fmt.Errorf("probe: %w", err)
	}
	return h, nil
}

// FromClientHello takes over a hello that was parsed elsewhere, or rebuilt from a record ((*inspect.Hello).ClientHello). What
// was rebuilt has no random: Fresh gives it one. Nothing of c is kept.
func FromClientHello(c *wire.ClientHello) *Hello {
	h := &Hello{
		SSLv2: c.SSLv2, Version: c.LegacyVersion, Random: bytes.Clone(c.Random), SessionID: bytes.Clone(c.SessionID),
		CipherSuites: c.CipherSuites.Slice(), CompressionMethods: bytes.Clone(c.CompressionMethods), HasExtensions: c.HasExtensions,
	}
	if c.SSLv2 {
		h.CipherSuites = nil
		for k := c.SSLv2CipherKinds; len(k) >= 3; k = k[3:] {
			h.CipherKinds = append(h.CipherKinds, wire.SSLv2CipherKind(k[0])<<16|wire.SSLv2CipherKind(k[1])<<8|wire.SSLv2CipherKind(k[2]))
		}
		return h
	}
	if c.Raw == nil {
		rebuild(h, c)
		return h
	}
	for t, body := range c.Extensions.All() {
		h.Extensions = append(h.Extensions, Extension{t, bytes.Clone(body)})
	}
	if c.Extensions.Has(wire.ExtensionPadding) {
		h.padded = len(c.Raw)
	}
	return h
}

// rebuild fills the extensions of a hello of which only lists were recorded: their bodies are made from the lists.
func rebuild(h *Hello, c *wire.ClientHello) {
	for t := range c.Extensions.All() {
		h.Extensions = append(h.Extensions, Extension{Type: t})
	}
	fill := func(t wire.ExtensionType, body []byte) {
		for i := range h.Extensions {
			if h.Extensions[i].Type == t {
				h.Extensions[i].Body = body
				return
			}
		}
	}
	fill(wire.ExtensionServerName, serverNameBody(string(c.ServerName)))
	fill(wire.ExtensionSupportedVersions, vector(1, c.SupportedVersions))
	fill(wire.ExtensionSupportedGroups, vector(2, c.SupportedGroups))
	fill(wire.ExtensionSignatureAlgorithms, vector(2, c.SignatureSchemes))
	fill(wire.ExtensionSignatureAlgorithmsCert, vector(2, c.SignatureSchemesCert))
	fill(wire.ExtensionKeyShare, vector(2, c.KeyShares))
	fill(wire.ExtensionALPN, vector(2, c.ALPN))
	fill(wire.ExtensionECPointFormats, vector(1, c.PointFormats))
	fill(wire.ExtensionPSKKeyExchangeModes, vector(1, c.PSKModes))
	fill(wire.ExtensionStatusRequest, []byte{1, 0, 0, 0, 0}) // ocsp without ids (RFC 6066, Section 8)
	fill(wire.ExtensionRenegotiationInfo, []byte{0})
	if c.RecordSizeLimit > 0 {
		fill(wire.ExtensionRecordSizeLimit, []byte{byte(c.RecordSizeLimit >> 8), byte(c.RecordSizeLimit)})
	}
	fill(wire.ExtensionCompressCertificate, vector(1, c.CompressCertificate))
	if len(c.CompressCertificate) == 0 {
		h.Remove(wire.ExtensionCompressCertificate)
	}
	// Without their bodies these would be malformed, and no record spells them out.
	h.Remove(wire.ExtensionEncryptedClientHello, wire.ExtensionPreSharedKey, wire.ExtensionCookie, wire.ExtensionDelegatedCredential,
		wire.ExtensionApplicationSetting, wire.ExtensionApplicationSettingsNew, wire.ExtensionQUICTransportParameters, wire.ExtensionPadding)
	if len(h.CompressionMethods) == 0 {
		h.CompressionMethods = []byte{0}
	}
	h.renewKeyShares() // a record names their groups only: without keys the hello would be smaller than its client's
}

// Clone is a copy that shares nothing that can be changed; private keys are the same.
func (h *Hello) Clone() *Hello {
	c := *h
	c.Random, c.SessionID = bytes.Clone(h.Random), bytes.Clone(h.SessionID)
	c.CipherSuites, c.CipherKinds = slices.Clone(h.CipherSuites), slices.Clone(h.CipherKinds)
	c.CompressionMethods = bytes.Clone(h.CompressionMethods)
	c.Extensions = slices.Clone(h.Extensions)
	for i := range c.Extensions {
		c.Extensions[i].Body = bytes.Clone(c.Extensions[i].Body)
	}
	c.Layout.Records = slices.Clone(h.Layout.Records)
	c.keys = slices.Clone(h.keys)
	return &c
}

// Message is the handshake message with its four bytes of header; in the SSLv2 format the message without the two length
// bytes. The error is a *TooLongError.
func (h *Hello) Message() ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, 512))
	if h.SSLv2 {
		h.sslv2Body(b)
	} else {
		b.AddUint8(uint8(wire.HandshakeTypeClientHello))
		b.AddUint24LengthPrefixed(h.body)
	}
	message, err := b.Bytes()
	if err != nil {
		return nil, &TooLongError{err}
	}
	return message, nil
}

// Size is the length of the message; 0 if it has no form on the wire.
func (h *Hello) Size() int {
	message, err := h.Message()
	if err != nil {
		return 0
	}
	return len(message)
}

// body writes the ClientHello of RFC 8446, Section 4.1.2.
func (h *Hello) body(b *cryptobyte.Builder) {
	b.AddUint16(uint16(h.Version))
	b.AddBytes(h.Random)
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(h.SessionID) })
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, suite := range h.CipherSuites {
			b.AddUint16(uint16(suite))
		}
	})
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(h.CompressionMethods) })
	if !h.HasExtensions && len(h.Extensions) == 0 {
		return
	}
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, e := range h.Extensions {
			b.AddUint16(uint16(e.Type))
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.Body) })
		}
	})
}

// sslv2Body writes the CLIENT-HELLO of RFC 5246, Appendix E.2.
func (h *Hello) sslv2Body(b *cryptobyte.Builder) {
	if 3*len(h.CipherKinds) > 0xFFFF || len(h.SessionID) > 0xFFFF || len(h.Random) > 0xFFFF {
		b.SetError(errors.New("SSLv2 format: a field is longer than 65535 bytes"))
		return
	}
	b.AddUint8(uint8(wire.HandshakeTypeClientHello))
	b.AddUint16(uint16(h.Version))
	b.AddUint16(uint16(3 * len(h.CipherKinds)))
	b.AddUint16(uint16(len(h.SessionID)))
	b.AddUint16(uint16(len(h.Random)))
	for _, kind := range h.CipherKinds {
		b.AddUint24(uint32(kind))
	}
	b.AddBytes(h.SessionID)
	b.AddBytes(h.Random)
}

// fromSSLv2 reads an SSLv2-format message.
func fromSSLv2(message []byte) (*Hello, error) {
	var parsed wire.ClientHello
	err := wire.ParseSSLv2ClientHello(message, &parsed)
	h := FromClientHello(&parsed)
	if again, marshalErr := h.Message(); marshalErr != nil || !bytes.Equal(again, message) {
		if err == nil {
			err = ErrNoHello
		}
		return nil, fmt.Errorf("probe: %w", err)
	}
	return h, nil
}

// InTLSFormat is the same offer as a TLS record: of an SSLv2-format hello the kinds that are TLS suites, without extensions.
// Any other hello is cloned.
func (h *Hello) InTLSFormat() *Hello {
	c := h.Clone()
	if !h.SSLv2 {
		return c
	}
	c.SSLv2, c.CipherKinds, c.CipherSuites = false, nil, nil
	for _, kind := range h.CipherKinds {
		if kind>>16 == 0 {
			c.CipherSuites = append(c.CipherSuites, wire.CipherSuite(kind))
		}
	}
	c.Random = append(make([]byte, 32-min(32, len(h.Random))), h.Random...)[:32] // RFC 5246, Appendix E.2: zeros before the challenge
	c.SessionID, c.CompressionMethods = nil, []byte{0}
	c.RecordVersion = h.Version
	return c
}

// View is the hello as the parser reads it, of bytes of its own.
func (h *Hello) View() (*wire.ClientHello, error) {
	message, err := h.Message()
	if err != nil {
		return nil, err
	}
	view := &wire.ClientHello{}
	parse := wire.ParseClientHello
	if h.SSLv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	return view, parse(message, view)
}
