package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// userAgent is one client of SSL Labs' getClients.
type userAgent struct {
	Name       string   `json:"name"`
	Platform   string   `json:"platform"`
	Version    string   `json:"version"`
	Bytes      string   `json:"hexHandshakeBytes"`
	Lowest     uint16   `json:"lowestProtocol"`
	Highest    uint16   `json:"highestProtocol"`
	Suites     []int    `json:"suiteIds"`
	Curves     []uint16 `json:"ellipticCurves"`
	Signatures []uint16 `json:"signatureAlgorithms"`
	ALPN       []string `json:"alpnProtocols"`
	NPN        []string `json:"npnProtocols"`
	SNI        bool     `json:"supportsSni"`
	Tickets    bool     `json:"supportsTickets"`
	Stapling   bool     `json:"supportsStapling"`
	RI         bool     `json:"supportsRi"`
	Compresses bool     `json:"supportsCompression"`
}

// sslLabs reads the answer of getClients, or one client of it. A client whose bytes are there is taken from them; of others the hello is
// built from the lists.
func sslLabs(data []byte, yield func(client) bool) error {
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		var one map[string]json.RawMessage
		if json.Unmarshal(data, &one) != nil {
			return err
		}
		entries = []json.RawMessage{data}
	}
	if len(entries) == 0 {
		return errors.New("an empty list")
	}
	for i, entry := range entries {
		var a userAgent
		c := client{}
		if err := json.Unmarshal(entry, &a); err != nil {
			c.name, c.err = fmt.Sprintf("entry %d", i), err
		} else {
			c = a.client()
		}
		if c.name == "" {
			c.name = fmt.Sprintf("entry %d", i)
		}
		if !yield(c) {
			return nil
		}
	}
	return nil
}

func (a *userAgent) client() client {
	c := client{name: strings.Join(strings.Fields(a.Name+" "+a.Version), " ")}
	if a.Platform != "" {
		c.name += " / " + a.Platform
	}
	if a.Bytes != "" {
		c.bytes, c.err = digits(a.Bytes)
		return c
	}
	c.offer, c.err = a.offer()
	return c
}

// offer is the hello that the lists describe. They say what is offered, and not in which order extensions come.
func (a *userAgent) offer() (*offer, error) {
	if len(a.Suites) == 0 || a.Highest == 0 {
		return nil, errors.New("neither hexHandshakeBytes nor suiteIds and highestProtocol")
	}
	highest := wire.Version(a.Highest)
	if highest < wire.VersionSSLv3 || highest > wire.VersionTLS13 {
		return nil, fmt.Errorf("highestProtocol %d is no version from SSL 3.0 to TLS 1.3", a.Highest)
	}
	o := &offer{recordVersion: wire.VersionTLS10, version: min(highest, wire.VersionTLS12), compression: []byte{0}}
	o.recordVersion = min(o.recordVersion, o.version)
	if a.Compresses {
		o.compression = []byte{1, 0}
	}
	for _, id := range a.Suites {
		if id < 0 || id > 0xffff {
			continue // a kind of SSLv2
		}
		o.suites = append(o.suites, wire.CipherSuite(id))
	}
	if slices.ContainsFunc(a.ALPN, func(p string) bool { return len(p) == 0 || len(p) > 255 }) {
		return nil, errors.New("alpnProtocols: a name that is not of 1 to 255 bytes")
	}
	o.guessed = append(o.guessed, "order of extensions")
	if highest >= wire.VersionTLS10 {
		a.extensions(o, highest)
	}
	return o, nil
}

func (a *userAgent) extensions(o *offer, highest wire.Version) {
	if a.RI {
		o.add(wire.ExtensionRenegotiationInfo, func(b *cryptobyte.Builder) { b.AddUint8(0) })
	}
	if a.SNI {
		o.serverName()
	}
	if a.Stapling {
		o.add(wire.ExtensionStatusRequest, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0, 0, 0, 0}) })
	}
	if len(a.Curves) > 0 {
		o.add(wire.ExtensionSupportedGroups, func(b *cryptobyte.Builder) { codes(b, a.Curves) })
		o.add(wire.ExtensionECPointFormats, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0}) })
	}
	if a.Tickets {
		o.add(wire.ExtensionSessionTicket, nil)
	}
	if len(a.Signatures) > 0 {
		o.add(wire.ExtensionSignatureAlgorithms, func(b *cryptobyte.Builder) { codes(b, a.Signatures) })
	}
	if len(a.ALPN) > 0 {
		o.add(wire.ExtensionALPN, func(b *cryptobyte.Builder) { protocols(b, a.ALPN) })
	}
	if len(a.NPN) > 0 {
		o.add(wire.ExtensionNextProtocolNegotiation, nil)
	}
	if highest == wire.VersionTLS13 {
		var versions []wire.Version
		for v := highest; v >= max(wire.Version(a.Lowest), wire.VersionTLS10); v-- {
			versions = append(versions, v)
		}
		o.add(wire.ExtensionSupportedVersions, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, v := range versions {
					b.AddUint16(uint16(v))
				}
			})
		})
		o.add(wire.ExtensionPSKKeyExchangeModes, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 1}) })
		o.sessionID = 32
		o.guessed = append(o.guessed, "the group of the key share", "psk_key_exchange_modes")
		o.keyShares(a.firstShare())
	}
}

// firstShare is the group that most clients send a share of: the first one offered that is in use.
func (a *userAgent) firstShare() []share {
	for _, g := range a.Curves {
		if n, ok := shareLength(wire.NamedGroup(g)); ok {
			return []share{{wire.NamedGroup(g), n}}
		}
	}
	return nil
}

// share is a key share without its key.
type share struct {
	group  wire.NamedGroup
	length int
}

func (o *offer) keyShares(shares []share) {
	o.add(wire.ExtensionKeyShare, func(b *cryptobyte.Builder) {
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, s := range shares {
				b.AddUint16(uint16(s.group))
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, s.length)) })
			}
		})
	})
}
