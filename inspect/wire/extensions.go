package wire

import "iter"

// Extensions is a block of extensions, seen in the bytes of the message that it stands in: type, length, body, one after
// another. The zero value is an empty block.
type Extensions []byte

// All yields type and body in wire order, GREASE and duplicates included. It stops where the block is malformed.
func (e Extensions) All() iter.Seq2[ExtensionType, []byte] {
	return func(yield func(ExtensionType, []byte) bool) {
		for rest := []byte(e); ; {
			t, body, after, ok := nextExtension(rest)
			if !ok || !yield(t, body) {
				return
			}
			rest = after
		}
	}
}

// nextExtension takes the first extension off b.
func nextExtension(b []byte) (t ExtensionType, body, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, nil, false
	}
	n := int(b[2])<<8 | int(b[3])
	if n > len(b)-4 {
		return 0, nil, nil, false
	}
	return ExtensionType(b[0])<<8 | ExtensionType(b[1]), b[4 : 4+n : 4+n], b[4+n:], true
}

// Len is the number of extensions.
func (e Extensions) Len() int {
	n := 0
	for range e.All() {
		n++
	}
	return n
}

// Find gives the body of the first extension of type t.
func (e Extensions) Find(t ExtensionType) (body []byte, ok bool) {
	for have, body := range e.All() {
		if have == t {
			return body, true
		}
	}
	return nil, false
}

// Has reports whether an extension of type t is in the block.
func (e Extensions) Has(t ExtensionType) bool {
	_, ok := e.Find(t)
	return ok
}

// Duplicate gives the first type that comes twice, which RFC 8446, Section 4.2 forbids: "There MUST NOT be more than one
// extension of the same type in a given extension block."
func (e Extensions) Duplicate() (ExtensionType, bool) {
	var seen [1024]uint64 // one bit a type
	for t := range e.All() {
		if seen[t>>6]&(1<<(t&63)) != 0 {
			return t, true
		}
		seen[t>>6] |= 1 << (t & 63)
	}
	return 0, false
}

// KeyShares are the entries of a ClientHello's key_share (RFC 8446, Section 4.2.8), as they stand in the message.
type KeyShares []byte

// All yields group and key_exchange in wire order, GREASE included.
func (k KeyShares) All() iter.Seq2[NamedGroup, []byte] {
	return func(yield func(NamedGroup, []byte) bool) {
		// An entry has the form of an extension: two bytes, two bytes of length, body.
		for g, key := range Extensions(k).All() {
			if !yield(NamedGroup(g), key) {
				return
			}
		}
	}
}

// Len is the number of entries.
func (k KeyShares) Len() int { return Extensions(k).Len() }

// Find gives the key_exchange bytes for group g.
func (k KeyShares) Find(g NamedGroup) ([]byte, bool) { return Extensions(k).Find(ExtensionType(g)) }

// ProtocolNames is a ProtocolNameList of ALPN (RFC 7301, Section 3.1), as it stands in the message.
type ProtocolNames []byte

// ProtocolNamesOf makes a list of its own bytes. Names that are empty or longer than 255 bytes are left out: the wire has
// no form for them.
func ProtocolNamesOf(names ...string) ProtocolNames {
	var p ProtocolNames
	for _, n := range names {
		if len(n) > 0 && len(n) < 256 {
			p = append(append(p, byte(len(n))), n...)
		}
	}
	return p
}

// All yields the names in wire order. They are bytes, not text: GREASE values are among them.
func (p ProtocolNames) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := []byte(p); len(rest) > 0; {
			n := int(rest[0])
			if n > len(rest)-1 || !yield(rest[1:1+n:1+n]) {
				return
			}
			rest = rest[1+n:]
		}
	}
}

// Len is the number of names.
func (p ProtocolNames) Len() int {
	n := 0
	for range p.All() {
		n++
	}
	return n
}

// First is the first name; nil if there is none.
func (p ProtocolNames) First() []byte {
	for name := range p.All() {
		return name
	}
	return nil
}

// Contains reports whether name is in the list.
func (p ProtocolNames) Contains(name string) bool {
	for have := range p.All() {
		if string(have) == name {
			return true
		}
	}
	return false
}

// Strings copies the names out of the message.
func (p ProtocolNames) Strings() []string {
	var s []string
	for name := range p.All() {
		s = append(s, string(name))
	}
	return s
}

// PSKIdentities are the identities of a ClientHello's pre_shared_key (RFC 8446, Section 4.2.11), as they stand in the message.
type PSKIdentities []byte

// All yields identity and obfuscated_ticket_age in wire order.
func (p PSKIdentities) All() iter.Seq2[[]byte, uint32] {
	return func(yield func([]byte, uint32) bool) {
		for c := (cursor{rest: p}); len(c.rest) > 0; {
			identity := c.vector16("")
			age := c.u32("")
			if c.err != nil || !yield(identity, age) {
				return
			}
		}
	}
}

// Len is the number of identities.
func (p PSKIdentities) Len() int {
	n := 0
	for range p.All() {
		n++
	}
	return n
}
