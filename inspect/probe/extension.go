package probe

import (
	"bytes"
	"errors"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

var errSSLv2TooLong = errors.New("SSLv2 format: the message is longer than 32767 bytes")

// Extension gives the body of the first extension of a type.
func (h *Hello) Extension(t wire.ExtensionType) (body []byte, ok bool) {
	if i := h.index(t); i >= 0 {
		return h.Extensions[i].Body, true
	}
	return nil, false
}

// Has reports whether an extension of a type is there.
func (h *Hello) Has(t wire.ExtensionType) bool { return h.index(t) >= 0 }

func (h *Hello) index(t wire.ExtensionType) int {
	return slices.IndexFunc(h.Extensions, func(e Extension) bool { return e.Type == t })
}

// Set gives an extension a body, in its place where it is there; otherwise it comes last, but for pre_shared_key, which "MUST
// be the last extension in the ClientHello" (RFC 8446, Section 4.2.11).
func (h *Hello) Set(t wire.ExtensionType, body []byte) {
	if body == nil {
		body = []byte{}
	}
	if i := h.index(t); i >= 0 {
		h.Extensions[i].Body = body
		return
	}
	at := len(h.Extensions)
	if at > 0 && h.Extensions[at-1].Type == wire.ExtensionPreSharedKey {
		at--
	}
	h.Extensions = slices.Insert(h.Extensions, at, Extension{t, body})
	h.HasExtensions = true
}

// Remove takes all extensions of these types away.
func (h *Hello) Remove(types ...wire.ExtensionType) {
	h.Extensions = slices.DeleteFunc(h.Extensions, func(e Extension) bool { return slices.Contains(types, e.Type) })
	if slices.Contains(types, wire.ExtensionKeyShare) {
		h.keys = nil
	}
	if slices.Contains(types, wire.ExtensionPadding) {
		h.padded = 0
	}
}

// RemoveExtensions takes the whole block away, as clients before TLS 1.0's extensions sent it.
func (h *Hello) RemoveExtensions() {
	h.Extensions, h.HasExtensions, h.keys, h.padded = nil, false, nil, 0
}

// Reorder puts the extensions of these types first, in this order; the others follow in theirs.
func (h *Hello) Reorder(types ...wire.ExtensionType) {
	rank := func(e Extension) int {
		if i := slices.Index(types, e.Type); i >= 0 {
			return i
		}
		return len(types)
	}
	slices.SortStableFunc(h.Extensions, func(a, b Extension) int { return rank(a) - rank(b) })
}

// ServerName is the host_name of server_name; empty: none is sent.
func (h *Hello) ServerName() string {
	body, _ := h.Extension(wire.ExtensionServerName)
	if len(body) < 5 || body[2] != 0 {
		return ""
	}
	n := int(body[3])<<8 | int(body[4])
	if n > len(body)-5 {
		return ""
	}
	return string(body[5 : 5+n])
}

// SetServerName sends a name, in the place of the one that was sent; without one before, it comes first, as most clients
// have it. Empty takes the extension away.
func (h *Hello) SetServerName(name string) {
	if name == "" {
		h.Remove(wire.ExtensionServerName)
		return
	}
	if h.Has(wire.ExtensionServerName) {
		h.Set(wire.ExtensionServerName, serverNameBody(name))
		return
	}
	h.Extensions = slices.Insert(h.Extensions, 0, Extension{wire.ExtensionServerName, serverNameBody(name)})
	h.HasExtensions = true
}

// serverNameBody is a ServerNameList of one host_name (RFC 6066, Section 3).
func serverNameBody(name string) []byte {
	n := len(name)
	return append([]byte{byte((n + 3) >> 8), byte(n + 3), 0, byte(n >> 8), byte(n)}, name...)
}

// ALPN are the protocols offered; nil: none.
func (h *Hello) ALPN() []string {
	body, _ := h.Extension(wire.ExtensionALPN)
	return wire.ProtocolNames(unvector(2, body)).Strings()
}

// SetALPN offers protocols; none takes the extension away.
func (h *Hello) SetALPN(names ...string) {
	setList(h, wire.ExtensionALPN, 2, wire.ProtocolNamesOf(names...))
}

// Versions are those of supported_versions, in order; nil: the extension is not there, and Version says the highest.
func (h *Hello) Versions() []wire.Version {
	body, _ := h.Extension(wire.ExtensionSupportedVersions)
	return wire.List[wire.Version](unvector(1, body)).Slice()
}

// SetVersions offers versions by supported_versions; none takes the extension away. Version is left as it is.
func (h *Hello) SetVersions(versions ...wire.Version) {
	setList(h, wire.ExtensionSupportedVersions, 1, wire.ListOf(versions...))
}

// Groups are those of supported_groups, in order.
func (h *Hello) Groups() []wire.NamedGroup {
	body, _ := h.Extension(wire.ExtensionSupportedGroups)
	return wire.List[wire.NamedGroup](unvector(2, body)).Slice()
}

// SetGroups offers groups; none takes the extension away. Key shares are left as they are.
func (h *Hello) SetGroups(groups ...wire.NamedGroup) {
	setList(h, wire.ExtensionSupportedGroups, 2, wire.ListOf(groups...))
}

// SignatureSchemes are those of signature_algorithms, in order.
func (h *Hello) SignatureSchemes() []wire.SignatureScheme {
	body, _ := h.Extension(wire.ExtensionSignatureAlgorithms)
	return wire.List[wire.SignatureScheme](unvector(2, body)).Slice()
}

// SetSignatureSchemes offers schemes; none takes the extension away.
func (h *Hello) SetSignatureSchemes(schemes ...wire.SignatureScheme) {
	setList(h, wire.ExtensionSignatureAlgorithms, 2, wire.ListOf(schemes...))
}

// KeyShareGroups are the groups of key_share, in order.
func (h *Hello) KeyShareGroups() []wire.NamedGroup {
	body, _ := h.Extension(wire.ExtensionKeyShare)
	var groups []wire.NamedGroup
	for g := range wire.KeyShares(unvector(2, body)).All() {
		groups = append(groups, g)
	}
	return groups
}

// Pad brings the message to a size by the padding extension (RFC 7685), which is put in where it is not there: the size is at
// least that without padding, and then at least four bytes more. It reports whether the size was met.
func (h *Hello) Pad(size int) bool {
	if h.SSLv2 {
		return false
	}
	if !h.Has(wire.ExtensionPadding) {
		if h.Size() == size {
			return true
		}
		h.Set(wire.ExtensionPadding, nil)
	}
	i := h.index(wire.ExtensionPadding)
	h.Extensions[i].Body = nil
	without := h.Size()
	h.Extensions[i].Body = make([]byte, min(max(size-without, 0), 0xFFFF))
	if h.padded = h.Size(); h.padded != size {
		return false
	}
	return true
}

// repad recalculates the padding of a hello that was recorded with some, so that it has again the size that its client made it.
func (h *Hello) repad() {
	if h.padded > 0 && h.Has(wire.ExtensionPadding) {
		h.Pad(h.padded)
	}
}

// setList sets an extension whose body is one vector, with a length of so many bytes. An empty one takes it away.
func setList[S ~[]byte](h *Hello, t wire.ExtensionType, prefix int, list S) {
	if len(list) == 0 {
		h.Remove(t)
		return
	}
	h.Set(t, vector(prefix, list))
}

// vector puts a length of one or two bytes before a list; nil for an empty one. What is too long is cut: no list that is
// offered comes near.
func vector[S ~[]byte](prefix int, list S) []byte {
	if len(list) == 0 {
		return nil
	}
	if prefix == 1 {
		n := min(len(list), 0xFE)
		return append([]byte{byte(n)}, list[:n]...)
	}
	n := min(len(list), 0xFFF0)
	return append([]byte{byte(n >> 8), byte(n)}, list[:n]...)
}

// unvector takes the length off a body that is one vector; nil if it is none.
func unvector(prefix int, body []byte) []byte {
	if len(body) < prefix {
		return nil
	}
	n := int(body[0])
	if prefix == 2 {
		n = n<<8 | int(body[1])
	}
	if n != len(body)-prefix {
		return nil
	}
	return bytes.Clone(body[prefix:])
}
