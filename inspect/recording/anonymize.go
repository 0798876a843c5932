package recording

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Anonymizer takes out of records what could tell who a client was or let somebody take up its sessions: randoms, session ids,
// tickets, pre-shared keys, key shares, cookies, ECH, connection ids and what is in extensions that no registry names become zeros;
// client addresses lose their last 8 bits (IPv6: 80); ports, certificates, messages and findings go. Sizes, orders and code
// points stay, and with them the shape and the fingerprints of a hello. The zero value keeps server names.
type Anonymizer struct {
	MaskNames bool // server names become others of the same length; the same name always the same one, from one Anonymizer

	names map[string]string
}

// maxMasked bounds the names that are remembered; those beyond it all become one of their length.
const maxMasked = 1 << 20

// Record is what is left of a record. A hello that has no bytes, or that does not parse, keeps what its lists say.
func (a *Anonymizer) Record(r *Record) *Record {
	out := &Record{Origin: r.Origin}
	out.Schema, out.Timestamp, out.Transport = r.Schema, r.Timestamp, r.Transport
	out.Event, out.Verdict, out.Cause, out.Fault = r.Event, r.Verdict, r.Cause, r.Fault
	out.Client.Address = maskAddress(r.Client.Address)
	out.Server.Port = r.Server.Port
	if r.ClientLeg != nil {
		out.ClientLeg = a.leg(r.ClientLeg, r.Transport)
	}
	if k := r.Compacted; k != nil {
		masked := *k
		masked.Names = nil
		for _, n := range k.Names {
			masked.Names = append(masked.Names, Named{Name: string(a.name([]byte(n.Name))), Connections: n.Connections})
		}
		masked.Addresses = nil
		for _, address := range k.Addresses {
			if m := maskAddress(address); m != "" && !slices.Contains(masked.Addresses, m) {
				masked.Addresses = append(masked.Addresses, m)
			}
		}
		out.Compacted = &masked
	}
	return out
}

func (a *Anonymizer) leg(l *inspect.Leg, transport string) *inspect.Leg {
	out := &inspect.Leg{}
	if l.Error != nil {
		out.Error = &inspect.Error{Type: l.Error.Type, Phase: l.Error.Phase}
	}
	if t := l.TLS; t != nil {
		out.TLS = &inspect.TLS{
			Established: t.Established, Version: t.Version, Cipher: t.Cipher, Curve: t.Curve, NextProtocol: t.NextProtocol, Resumed: t.Resumed,
			HelloRetryRequest: t.HelloRetryRequest, SignatureScheme: t.SignatureScheme, Alerts: t.Alerts, Handshake: t.Handshake,
		}
		if t.Client != nil {
			out.TLS.Client = a.hello(t.Client, transport)
		}
	}
	return out
}

// hello is what is left of a recorded hello.
func (a *Anonymizer) hello(h *inspect.Hello, transport string) *inspect.Hello {
	var out *inspect.Hello
	if parsed := a.parsed(h); parsed != nil {
		version, _ := wire.VersionByName(h.RecordVersion)
		out = inspect.DescribeHello(parsed, version, transport)
		out.Message.Records, out.Message.Segments = h.Message.Records, h.Message.Segments
	} else {
		own := *h
		out = &own
		out.ServerName = string(a.name([]byte(h.ServerName)))
		if h.Message != nil {
			message := *h.Message
			message.Raw = nil
			out.Message = &message
		}
	}
	out.Certificate, out.Revocation, out.Retry = nil, nil, nil
	if h.Retry != nil {
		retry := *h.Retry
		retry.Retry = nil
		out.Retry = a.hello(&retry, transport)
	}
	return out
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
	hello := new(wire.ClientHello)
	if parse(slices.Clone(h.Message.Raw), hello) != nil {
		return nil
	}
	a.clear(hello)
	return hello
}

// clear overwrites, in the bytes of a hello, whatever belongs to one connection or one session.
func (a *Anonymizer) clear(h *wire.ClientHello) {
	clear(h.Random)
	clear(h.SessionID)
	for t, body := range h.Extensions.All() {
		switch t {
		case wire.ExtensionServerName, wire.ExtensionKeyShare, wire.ExtensionEncryptedClientHello, wire.ExtensionQUICTransportParameters:
		case wire.ExtensionSessionTicket, wire.ExtensionQUICTransportParametersDraft:
			clear(body)
		case wire.ExtensionPreSharedKey:
			clearPSK(body)
		case wire.ExtensionCookie, wire.ExtensionRenegotiationInfo:
			clearBehind(body, lengthOf(t))
		default:
			if unnamed(t) {
				clear(body)
			}
		}
	}
	for _, key := range h.KeyShares.All() {
		if len(key) > 1 { // a single byte is GREASE's
			clear(key)
		}
	}
	clearECH(h.ECH)
	clearConnectionID(h.QUICTransportParameters)
	copy(h.ServerName, a.name(h.ServerName))
}

// lengthOf is how many bytes of length stand before an extension's one secret.
func lengthOf(t wire.ExtensionType) int {
	if t == wire.ExtensionRenegotiationInfo {
		return 1
	}
	return 2
}

func clearBehind(body []byte, n int) { clear(body[min(n, len(body)):]) }

func unnamed(t wire.ExtensionType) bool {
	name := t.String()
	return len(name) > 2 && name[:2] == "0x" && !wire.IsGREASE(t)
}

// clearPSK overwrites identities, ages and binders (RFC 8446, Section 4.2.11), and nothing in a body of another form.
func clearPSK(body []byte) {
	identities, binders, ok := cutVector(body, 2)
	if !ok {
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
		return
	}
	body[head] = 0
	enc, rest, ok := cutVector(body[head+1:], 2)
	if !ok {
		return
	}
	clear(enc)
	if payload, _, ok := cutVector(rest, 2); ok {
		clear(payload)
	}
}

// clearConnectionID overwrites initial_source_connection_id (RFC 9000, Section 18.2) and the reserved parameters, which carry
// random bytes.
func clearConnectionID(parameters []byte) {
	const initialSourceConnectionID = 0x0f
	for len(parameters) > 0 {
		id, rest, ok := varint(parameters)
		if !ok {
			return
		}
		size, rest, ok := varint(rest)
		if !ok || size > uint64(len(rest)) {
			return
		}
		if id == initialSourceConnectionID || id%31 == 27 {
			clear(rest[:size])
		}
		parameters = rest[size:]
	}
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

// name is a server name as it may be shown: with MaskNames another one of the same length, with dots in the same places.
func (a *Anonymizer) name(name []byte) []byte {
	if !a.MaskNames || len(name) == 0 {
		return name
	}
	name = bytes.ToLower(name)
	if known, ok := a.names[string(name)]; ok {
		return []byte(known)
	}
	number := "x"
	if len(a.names) < maxMasked {
		number = strconv.FormatInt(int64(len(a.names))+1, 36)
	}
	masked := make([]byte, len(name))
	for i, c := range name {
		switch {
		case c == '.':
			masked[i] = '.'
		case len(number) > 0:
			masked[i], number = number[0], number[1:]
		default:
			masked[i] = 'x'
		}
	}
	if a.names == nil {
		a.names = make(map[string]string)
	}
	if len(a.names) < maxMasked {
		a.names[string(name)] = string(masked)
	}
	return masked
}

// maskAddress is the network of an address: 24 bits of IPv4, 48 of IPv6; empty for what is none.
func maskAddress(s string) string {
	address, err := netip.ParseAddr(s)
	if err != nil {
		return ""
	}
	bits := 48
	if address = address.WithZone("").Unmap(); address.Is4() {
		bits = 24
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.Addr().String()
}
