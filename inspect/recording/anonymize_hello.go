package recording

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// hello is what is left of a recorded hello.
func (a *Anonymizer) hello(h *inspect.Hello, transport string) *inspect.Hello {
	version, _ := wire.VersionByName(h.RecordVersion)
	parsed := a.parsed(h)
	var out *inspect.Hello
	switch {
	case parsed != nil:
		out = inspect.DescribeHello(parsed, version, transport)
		out.Message.Records, out.Message.Segments = h.Message.Records, h.Message.Segments
	default:
		out = a.listed(h, version, transport)
	}
	if h.Retry != nil {
		retry := *h.Retry
		retry.Retry = nil
		out.Retry = a.hello(&retry, transport)
	}
	return out
}

// listed is what is left of a hello without bytes: the lists, as far as registries know what is in them.
func (a *Anonymizer) listed(h *inspect.Hello, version wire.Version, transport string) *inspect.Hello {
	clean := inspect.Hello{
		ServerName: string(a.name([]byte(h.ServerName))), LegacyVersion: named(h.LegacyVersion, wire.VersionByName), SupportedVersionsDerived: h.SupportedVersionsDerived,
		SupportedVersions: known(h.SupportedVersions, wire.VersionByName), SupportedGroups: known(h.SupportedGroups, wire.NamedGroupByName),
		KeyShareGroups: known(h.KeyShareGroups, wire.NamedGroupByName), SignatureAlgorithms: known(h.SignatureAlgorithms, wire.SignatureSchemeByName),
		SignatureAlgorithmsCert: known(h.SignatureAlgorithmsCert, wire.SignatureSchemeByName), Extensions: known(h.Extensions, wire.ExtensionTypeByName),
		CompressionMethods: values(h.CompressionMethods, wire.CompressionMethodName), ECPointFormats: values(h.ECPointFormats, wire.PointFormatName),
		PSKKeyExchangeModes: values(h.PSKKeyExchangeModes, wire.PSKModeName), EarlyData: h.EarlyData,
	}
	if h.Message != nil && h.Message.SSLv2 {
		clean.SupportedCiphers = knownKinds(h.SupportedCiphers)
	} else {
		clean.SupportedCiphers = known(h.SupportedCiphers, wire.CipherSuiteByName)
	}
	for _, p := range h.ALPNProtocols {
		clean.ALPNProtocols = append(clean.ALPNProtocols, maskProtocol(p))
	}
	if version != 0 {
		clean.RecordVersion = version.String()
	}
	clean.ECH = oneOf(h.ECH, inspect.ECHNone, inspect.ECHGREASEOrOuter)
	const lower, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	if len(h.Shape) == len("s1_0123456789abcdef") && onlyOf(h.Shape, lower[:6]+digits+"s_") {
		clean.Shape = h.Shape
	}
	if len(h.JA3) == 32 && onlyOf(h.JA3, lower[:6]+digits) && onlyOf(h.JA3String, digits+",-") {
		clean.JA3, clean.JA3String = h.JA3, h.JA3String
	}
	if len(h.JA4) == len("t13d1516h2_8daaf6152771_e5627efa2ab1") && onlyOf(h.JA4[10:], lower[:6]+digits+"_") && onlyOf(h.JA4[:10], letters+digits) {
		clean.JA4 = h.JA4
	}
	if m := h.Message; m != nil {
		clean.Message = &inspect.HelloBytes{Size: m.Size, Records: m.Records, Segments: m.Segments, GREASE: m.GREASE, SSLv2: m.SSLv2, Complete: m.Complete}
	}
	return &clean
}

// known are the names that are code points'.
func known[T interface {
	~uint16
	String() string
}](names []string, find func(string) (T, bool)) (list []string) {
	for _, name := range names {
		if code, ok := find(name); ok {
			list = append(list, code.String())
		}
	}
	return list
}

// knownKinds are the names that are cipher kinds' of an SSLv2-format hello.
func knownKinds(names []string) (list []string) {
	for _, name := range names {
		alone := inspect.Hello{LegacyVersion: wire.VersionTLS10.String(), SupportedCiphers: []string{name}, Message: &inspect.HelloBytes{SSLv2: true, Complete: true}}
		if _, err := alone.ClientHello(); err == nil {
			list = append(list, name)
		}
	}
	return list
}

// values are the names that are values' of one byte.
func values(names []string, nameOf func(byte) string) (list []string) {
	for _, name := range names {
		for v := range 256 {
			if nameOf(byte(v)) == name {
				list = append(list, name)
				break
			}
		}
	}
	return list
}

// parsed is the hello without what is secret; nil: there are no bytes to read it from.
func (a *Anonymizer) parsed(h *inspect.Hello) *wire.ClientHello {
	if h.Message == nil || len(h.Message.Raw) == 0 || !h.Message.Complete {
		return nil
	}
	parse := wire.ParseClientHello
	if h.Message.SSLv2 {
		parse = wire.ParseSSLv2ClientHello
	}
	raw, hello := slices.Clone(h.Message.Raw), new(wire.ClientHello)
	if parse(raw, hello) != nil {
		return nil
	}
	a.clear(hello)
	if hello = new(wire.ClientHello); parse(raw, hello) != nil { // once more: it describes what it is now
		return nil
	}
	return hello
}

// clear overwrites, in the bytes of a hello, whatever belongs to one connection, one session or one person. Of an extension that is not
// known to hold nothing but code points, the content goes.
func (a *Anonymizer) clear(h *wire.ClientHello) {
	clear(h.Random)
	clear(h.SessionID)
	for t, body := range h.Extensions.All() {
		a.clearExtension(t, body)
	}
}

func (a *Anonymizer) clearExtension(t wire.ExtensionType, body []byte) {
	switch t {
	case wire.ExtensionSupportedGroups, wire.ExtensionECPointFormats, wire.ExtensionSignatureAlgorithms, wire.ExtensionSignatureAlgorithmsCert,
		wire.ExtensionDelegatedCredential, wire.ExtensionCompressCertificate, wire.ExtensionRecordSizeLimit, wire.ExtensionPSKKeyExchangeModes,
		wire.ExtensionSupportedVersions, wire.ExtensionEarlyData:
	case wire.ExtensionMaxFragmentLength, wire.ExtensionHeartbeat, wire.ExtensionCertType, wire.ExtensionClientCertificateType,
		wire.ExtensionServerCertificateType, wire.ExtensionTokenBinding, wire.ExtensionTicketRequest, wire.ExtensionTLSFlags:
		const most = 8 // bytes that such a list takes, and that nobody is told apart by
		if len(body) > most {
			clear(body)
		}
	case wire.ExtensionServerName:
		a.clearServerNames(body)
	case wire.ExtensionALPN, wire.ExtensionApplicationSetting, wire.ExtensionApplicationSettingsNew:
		clearProtocols(body)
	case wire.ExtensionStatusRequest:
		clearStatusRequest(body)
	case wire.ExtensionUseSRTP:
		if profiles, mki, ok := cutVector(body, 2); ok && len(profiles)%2 == 0 && len(profiles) <= 64 {
			clearBehind(mki, 1)
		} else {
			clear(body)
		}
	case wire.ExtensionKeyShare, wire.ExtensionKeyShareOld:
		clearKeyShares(body)
	case wire.ExtensionPreSharedKey:
		clearPSK(body)
	case wire.ExtensionCookie, wire.ExtensionCertificateAuthorities:
		clearBehind(body, 2)
	case wire.ExtensionRenegotiationInfo, wire.ExtensionSRP, wire.ExtensionConnectionID, wire.ExtensionPwdProtect, wire.ExtensionPwdClear,
		wire.ExtensionExternalIDHash, wire.ExtensionExternalSessionID:
		clearBehind(body, 1)
	case wire.ExtensionEncryptedClientHello:
		clearECH(body)
	case wire.ExtensionQUICTransportParameters:
		clearTransportParameters(body)
	default:
		clear(body)
	}
}

func clearBehind(body []byte, n int) { clear(body[min(n, len(body)):]) }

// clearServerNames masks the host names of a ServerNameList (RFC 6066, Section 3) and overwrites names of other types.
func (a *Anonymizer) clearServerNames(body []byte) {
	list, _, ok := cutVector(body, 2)
	for ok && len(list) > 0 {
		hostName := list[0] == 0
		var name []byte
		if name, list, ok = cutVector(list[1:], 2); !ok {
			break
		}
		if hostName {
			copy(name, a.name(name))
		} else {
			clear(name)
		}
	}
}

// clearStatusRequest overwrites the responders and the extensions that a client asks for (RFC 6066, Section 8): nearly all ask for none.
func clearStatusRequest(body []byte) {
	const head = 1 // status_type
	if len(body) <= head {
		return
	}
	responders, extensions, ok := cutVector(body[head:], 2)
	if !ok {
		clearBehind(body, head)
		return
	}
	clear(responders)
	clearBehind(extensions, 2)
}

// clearKeyShares overwrites keys. A single byte is GREASE's: it is made what most send.
func clearKeyShares(body []byte) {
	list, _, ok := cutVector(body, 2)
	for ok && len(list) >= 2 {
		var key []byte
		if key, list, ok = cutVector(list[2:], 2); ok {
			clear(key)
		}
	}
}

// clearPSK overwrites identities, ages and binders (RFC 8446, Section 4.2.11); a body of another form as a whole.
func clearPSK(body []byte) {
	identities, binders, ok := cutVector(body, 2)
	if !ok {
		clear(body)
		return
	}
	for len(identities) > 0 {
		identity, rest, ok := cutVector(identities, 2)
		if !ok || len(rest) < 4 {
			return
		}
		clear(identity)
		clear(rest[:4])
		identities = rest[4:]
	}
	list, _, ok := cutVector(binders, 2)
	for ok && len(list) > 0 {
		var binder []byte
		if binder, list, ok = cutVector(list, 1); ok {
			clear(binder)
		}
	}
}

// cutVector cuts a vector with n bytes of length from b.
func cutVector(b []byte, n int) (vector, rest []byte, ok bool) {
	if len(b) < n {
		return nil, nil, false
	}
	size := 0
	for _, c := range b[:n] {
		size = size<<8 | int(c)
	}
	if len(b) < n+size {
		return nil, nil, false
	}
	return b[n : n+size], b[n+size:], true
}

// clearECH overwrites what an outer hello carries (RFC 9849, Section 5): config id, encapsulated key and payload.
func clearECH(body []byte) {
	const head = 1 + 2 + 2 // type, KDF, AEAD
	if len(body) <= head || body[0] != 0 {
		clearBehind(body, 1)
		return
	}
	body[head] = 0
	enc, rest, ok := cutVector(body[head+1:], 2)
	if !ok {
		clearBehind(body, head)
		return
	}
	clear(enc)
	clearBehind(rest, 2)
}

// clearTransportParameters overwrites what is no number of the protocol (RFC 9000, Section 18.2): connection ids, reserved
// parameters, which carry random bytes, and those that are not known here.
func clearTransportParameters(parameters []byte) {
	for len(parameters) > 0 {
		id, rest, ok := varint(parameters)
		if !ok {
			break
		}
		size, rest, ok := varint(rest)
		if !ok || size > uint64(len(rest)) {
			break
		}
		value := rest[:size]
		parameters = rest[size:]
		if !keepsParameter(id, value) {
			clear(value)
		}
	}
	clear(parameters) // no parameter: what nobody reads
}

// keepsParameter reports whether a parameter's value says nothing but how the client's QUIC is set up.
func keepsParameter(id uint64, value []byte) bool {
	const versionInformation, maxDatagramFrameSize, greaseQUICBit = 0x11, 0x20, 0x2ab2 // RFC 9368, RFC 9221, RFC 9287
	switch {
	case id == versionInformation:
		return len(value)%4 == 0 && len(value) <= 32
	case id == 0x01, id >= 0x03 && id <= 0x0c, id == 0x0e, id == maxDatagramFrameSize, id == greaseQUICBit:
		_, rest, ok := varint(value)
		return len(value) == 0 || ok && len(rest) == 0
	}
	return false
}

// varint cuts a variable-length integer (RFC 9000, Section 16).
func varint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	n := 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, nil, false
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, b[n:], true
}
