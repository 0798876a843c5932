package foreign

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// grease is the value that stands for all of RFC 8701 where a signature says GREASE; the second one of the extensions is another,
// since a type must not come twice.
const grease = 0x1a1a

// curlImpersonate reads signatures of browsers: YAML documents with signature.tls_client_hello. They name the codes of a hello and
// the lengths of its extensions.
func curlImpersonate(data []byte, yield func(client) bool) error {
	docs, err := documents(data)
	if err != nil {
		return err
	}
	seen := false
	for _, doc := range docs {
		hello := doc.at("signature", "tls_client_hello")
		if hello == nil {
			continue
		}
		seen = true
		c := client{name: signatureName(doc), line: hello.line}
		c.offer, c.err = signatureOffer(hello)
		if !yield(c) {
			return nil
		}
	}
	if !seen {
		return errors.New("no signature: signature.tls_client_hello is missing")
	}
	return nil
}

func signatureName(doc *node) string {
	name := strings.TrimSpace(doc.at("browser", "name").text() + " " + doc.at("browser", "version").text())
	if name == "" {
		return doc.at("name").text()
	}
	if os := doc.at("browser", "os").text(); os != "" {
		name += " / " + os
	}
	return name
}

func signatureOffer(n *node) (*offer, error) {
	o := &offer{guessed: []string{"server_name"}}
	var err error
	if o.recordVersion, err = signatureVersion(n.at("record_version")); err != nil {
		return nil, err
	}
	if o.version, err = signatureVersion(n.at("handshake_version")); err != nil {
		return nil, err
	}
	length, err := number(n.at("session_id_length"), 32)
	if err != nil {
		return nil, err
	}
	o.sessionID = int(length)
	if o.suites, err = numbers[wire.CipherSuite](n.at("ciphersuites")); err != nil {
		return nil, err
	}
	methods, err := numbers[uint16](n.at("comp_methods"))
	if err != nil {
		return nil, err
	}
	for _, m := range methods {
		o.compression = append(o.compression, byte(m))
	}
	for _, e := range n.at("extensions").list() {
		if err := o.signatureExtension(e); err != nil {
			return nil, fmt.Errorf("line %d: %w", e.line, err)
		}
	}
	return o, nil
}

// signatureExtension adds an extension as a signature describes it.
func (o *offer) signatureExtension(e *node) error {
	name := e.at("type").text()
	if name == "keyshare" {
		name = "key_share"
	}
	switch name {
	case "GREASE":
		t := wire.ExtensionType(grease)
		for _, have := range o.extensions {
			if have.code == t {
				t = 0x2a2a
			}
		}
		length, err := number(e.at("length"), 1<<10)
		o.add(t, zeros(int(length)))
		return err
	case "application_settings":
		name = wire.ExtensionApplicationSetting.String()
	case "padding":
		// Its length depends on everything else: whoever sends the hello makes it anew.
		o.add(wire.ExtensionPadding, nil)
		return nil
	case "pre_shared_key":
		return nil // of a session that is gone
	}
	t, ok := wire.ExtensionTypeByName(name)
	if !ok {
		code, err := strconv.ParseUint(name, 0, 16)
		if err != nil {
			return fmt.Errorf("unknown extension %q", name)
		}
		t = wire.ExtensionType(code)
	}
	return o.signatureBody(t, e)
}

func zeros(n int) func(b *cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddBytes(make([]byte, n)) }
}

func (o *offer) signatureBody(t wire.ExtensionType, e *node) error {
	list16 := func(key string) error {
		list, err := numbers[uint16](e.at(key))
		o.add(t, func(b *cryptobyte.Builder) { codes(b, list) })
		return err
	}
	bytesOf := func(key string) error {
		list, err := numbers[uint16](e.at(key))
		o.add(t, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, v := range list {
					b.AddUint8(byte(v))
				}
			})
		})
		return err
	}
	switch t {
	case wire.ExtensionServerName:
		o.serverName()
	case wire.ExtensionSupportedGroups:
		return list16("supported_groups")
	case wire.ExtensionSignatureAlgorithms, wire.ExtensionDelegatedCredential:
		return list16("sig_hash_algs")
	case wire.ExtensionECPointFormats:
		return bytesOf("ec_point_formats")
	case wire.ExtensionALPN, wire.ExtensionApplicationSetting, wire.ExtensionApplicationSettingsNew:
		key := "alpn_list"
		if t != wire.ExtensionALPN {
			key = "alps_alpn_list"
		}
		var names []string
		for _, item := range e.at(key).list() {
			if len(item.scalar) == 0 || len(item.scalar) > 255 {
				return fmt.Errorf("a protocol name of %d bytes", len(item.scalar))
			}
			names = append(names, item.scalar)
		}
		o.add(t, func(b *cryptobyte.Builder) { protocols(b, names) })
	case wire.ExtensionStatusRequest:
		o.add(t, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, 0, 0, 0, 0}) })
	case wire.ExtensionRenegotiationInfo:
		o.add(t, func(b *cryptobyte.Builder) { b.AddUint8(0) })
	case wire.ExtensionSupportedVersions:
		var versions []wire.Version
		for _, item := range e.at("supported_versions").list() {
			v, err := signatureVersion(item)
			if err != nil {
				return err
			}
			versions = append(versions, v)
		}
		o.add(t, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, v := range versions {
					b.AddUint16(uint16(v))
				}
			})
		})
	case wire.ExtensionPSKKeyExchangeModes:
		mode, err := number(e.at("psk_ke_mode"), 255)
		o.add(t, func(b *cryptobyte.Builder) { b.AddBytes([]byte{1, byte(mode)}) })
		return err
	case wire.ExtensionCompressCertificate:
		list, err := numbers[uint16](e.at("algorithms"))
		o.add(t, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, v := range list {
					b.AddUint16(v)
				}
			})
		})
		return err
	case wire.ExtensionRecordSizeLimit:
		limit, err := number(e.at("record_size_limit"), 1<<16-1)
		o.add(t, func(b *cryptobyte.Builder) { b.AddUint16(uint16(limit)) })
		return err
	case wire.ExtensionKeyShare:
		return o.signatureShares(e)
	case wire.ExtensionEncryptedClientHello:
		o.guessed = append(o.guessed, "encrypted_client_hello")
		o.add(t, greaseECH)
	default:
		length, err := number(e.at("length"), 1<<12)
		if err != nil {
			return err
		}
		if length > 0 {
			o.guessed = append(o.guessed, t.String())
		}
		o.add(t, zeros(int(length)))
	}
	return nil
}

// greaseECH has the form and the sizes of what Chromium sends without a configuration (RFC 9849, Section 6.2).
func greaseECH(b *cryptobyte.Builder) {
	const x25519, payload = 32, 144
	b.AddUint8(0)  // outer
	b.AddUint16(1) // HKDF-SHA256
	b.AddUint16(1) // AES-128-GCM
	b.AddUint8(0)
	b.AddUint16LengthPrefixed(zeros(x25519))
	b.AddUint16LengthPrefixed(zeros(payload))
}

func (o *offer) signatureShares(e *node) error {
	var shares []share
	for _, item := range e.at("key_shares").list() {
		group, err := number(item.at("group"), 1<<16-1)
		if err != nil {
			return err
		}
		length, err := number(item.at("length"), 1<<12)
		if err != nil {
			return err
		}
		shares = append(shares, share{wire.NamedGroup(group), int(length)})
	}
	o.keyShares(shares)
	return nil
}

// signatureVersion reads TLS_VERSION_1_2.
func signatureVersion(n *node) (wire.Version, error) {
	switch text := n.text(); text {
	case "GREASE":
		return grease, nil
	case "TLS_VERSION_1_0":
		return wire.VersionTLS10, nil
	case "TLS_VERSION_1_1":
		return wire.VersionTLS11, nil
	case "TLS_VERSION_1_2":
		return wire.VersionTLS12, nil
	case "TLS_VERSION_1_3":
		return wire.VersionTLS13, nil
	default:
		return 0, fmt.Errorf("unknown version %.40q", text)
	}
}

// number reads a scalar; what is absent is 0.
func number(n *node, most uint64) (uint64, error) {
	text := n.text()
	switch text {
	case "":
		return 0, nil
	case "GREASE":
		return grease, nil
	}
	v, err := strconv.ParseUint(text, 10, 32)
	if err != nil || v > most {
		return 0, fmt.Errorf("%.40q is no number up to %d", text, most)
	}
	return v, nil
}

func numbers[T ~uint16](n *node) ([]T, error) {
	var list []T
	for _, item := range n.list() {
		v, err := number(item, 1<<16-1)
		if err != nil {
			return nil, err
		}
		list = append(list, T(v))
	}
	return list, nil
}
