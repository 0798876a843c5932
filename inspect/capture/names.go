package capture

import (
	"bytes"

	"github.com/tlstriage/tlstriage/inspect"
)

// Bounds on the names that captures bring.
const (
	maxNames      = 1 << 16
	maxNameLength = 253 // RFC 1035, Section 2.3.4, as text
)

// names are those of addresses. The first one of an address stays.
type names map[address]string

// Records of a name resolution block (draft-ietf-opsawg-pcapng, Section 4.5).
const (
	nameEnd  = 0
	nameIPv4 = 1
	nameIPv6 = 2
)

// read takes up the body of a name resolution block; what does not fit ends it.
func (n names) read(order byteOrder, b []byte) {
	for len(b) >= 4 {
		kind, length := order.Uint16(b), int(order.Uint16(b[2:]))
		if b = b[4:]; kind == nameEnd || length > len(b) {
			return
		}
		value := b[:length]
		b = b[min((length+3)&^3, len(b)):]
		var a address
		switch {
		case kind == nameIPv4 && length > 4:
			a.set4(value)
			value = value[4:]
		case kind == nameIPv6 && length > 16:
			a.set6(value)
			value = value[16:]
		default:
			continue
		}
		name, _, ended := bytes.Cut(value, []byte{0})
		if _, have := n[a]; !have && ended && len(name) > 0 && len(name) <= maxNameLength && len(n) < maxNames {
			n[a] = inspect.Bounded(string(name))
		}
	}
}

// endpoint is one end in a record's words, with the name that the capture has for it.
func (t *Tracker) endpoint(e endpoint) inspect.Endpoint {
	x := inspect.EndpointOf(e.addrPort())
	if len(t.names) > 0 {
		x.Name = t.names[e.address]
	}
	return x
}
