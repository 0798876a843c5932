package foreign

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// offer is what a client offers, where its bytes are not known.
type offer struct {
	recordVersion wire.Version
	version       wire.Version // legacy_version
	sessionID     int          // bytes of it
	suites        []wire.CipherSuite
	compression   []byte
	extensions    []extension
	guessed       []string // what the source does not say
	err           error    // of building
}

type extension struct {
	code wire.ExtensionType
	body []byte
}

// madeUp are what no list has: they belong to one connection.
const madeUp = "random, session id and keys are zeros"

func (o *offer) made() string { return strings.Join(append([]string{madeUp}, o.guessed...), "; ") }

func (o *offer) add(t wire.ExtensionType, build func(b *cryptobyte.Builder)) {
	var b cryptobyte.Builder
	if build != nil {
		build(&b)
	}
	body, err := b.Bytes()
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("%s: %w", t, err)
	}
	o.extensions = append(o.extensions, extension{t, body})
}

// codes adds a list of two-byte codes behind a length of two bytes.
func codes[T ~uint16](b *cryptobyte.Builder, list []T) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, v := range list {
			b.AddUint16(uint16(v))
		}
	})
}

// protocols adds names as ALPN has them (RFC 7301, Section 3.1).
func protocols(b *cryptobyte.Builder, names []string) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, n := range names {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(n)) })
		}
	})
}

// serverName adds server_name (RFC 6066, Section 3). The lists say that a name is sent, not which.
func (o *offer) serverName() {
	o.add(wire.ExtensionServerName, func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint8(0)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte("client.example")) })
		})
	})
}

// bytes is the hello in one TLS record.
func (o *offer) bytes() ([]byte, error) {
	if o.err != nil {
		return nil, o.err
	}
	var b cryptobyte.Builder
	b.AddUint8(byte(wire.ContentTypeHandshake))
	b.AddUint16(uint16(o.recordVersion))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(byte(wire.HandshakeTypeClientHello))
		b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(uint16(o.version))
			b.AddBytes(make([]byte, 32))
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, o.sessionID)) })
			codes(b, o.suites)
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(o.compression) })
			if len(o.extensions) == 0 {
				return
			}
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, e := range o.extensions {
					b.AddUint16(uint16(e.code))
					b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.body) })
				}
			})
		})
	})
	sent, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	if len(sent) > maxRecord {
		return nil, fmt.Errorf("a hello of %d bytes does not fit one record of %d", len(sent), maxRecord)
	}
	return sent, nil
}

// maxRecord is the most that a TLS record holds, with its header (RFC 8446, Section 5.1).
const maxRecord = 5 + 1<<14

// shareLength is the length of a key share; false: the group's is not known.
func shareLength(g wire.NamedGroup) (int, bool) {
	switch g {
	case wire.GroupX25519:
		return 32, true
	case wire.GroupX448:
		return 56, true
	case wire.GroupSecp256r1:
		return 65, true
	case wire.GroupSecp384r1:
		return 97, true
	case wire.GroupSecp521r1:
		return 133, true
	case wire.GroupX25519MLKEM768:
		return 1216, true
	}
	return 0, false
}
