package exchange

import (
	"golang.org/x/crypto/cryptobyte"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// WithServerName is a ClientHello, one record, that asks for another server name; name empty: for none. ok false: the hello has
// no extensions to change, or is none.
func WithServerName(record []byte, name string) (changed []byte, ok bool) {
	if len(record) < 5 {
		return nil, false
	}
	s := cryptobyte.String(record[5:])
	var message, body, session, suites, compression, extensions cryptobyte.String
	var kind uint8
	var fixed []byte
	if !s.ReadUint8(&kind) || kind != 1 || !s.ReadUint24LengthPrefixed(&message) || !s.Empty() {
		return nil, false
	}
	body = message
	if !body.ReadBytes(&fixed, 34) || !body.ReadUint8LengthPrefixed(&session) || !body.ReadUint16LengthPrefixed(&suites) ||
		!body.ReadUint8LengthPrefixed(&compression) || !body.ReadUint16LengthPrefixed(&extensions) || !body.Empty() {
		return nil, false
	}
	var b cryptobyte.Builder
	b.AddBytes(record[:3])
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(kind)
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddBytes(fixed)
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(session) })
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(suites) })
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(compression) })
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addExtensions(b, extensions, name) })
		})
	})
	out, err := b.Bytes()
	return out, err == nil
}

func addExtensions(b *cryptobyte.Builder, extensions cryptobyte.String, name string) {
	add := func(kind wire.ExtensionType, body func(*cryptobyte.Builder)) {
		b.AddUint16(uint16(kind))
		b.AddUint16LengthPrefixed(body)
	}
	if name != "" {
		// RFC 6066, Section 3: a list with one host_name.
		add(wire.ExtensionServerName, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				b.AddUint8(0)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
			})
		})
	}
	// pre_shared_key stays the last (RFC 8446, Section 4.2.11).
	for kind, body := range wire.Extensions(extensions).All() {
		if kind != wire.ExtensionServerName {
			add(kind, func(b *cryptobyte.Builder) { b.AddBytes(body) })
		}
	}
}
