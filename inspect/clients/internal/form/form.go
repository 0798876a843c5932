// Package form reduces a ClientHello to what hellos of one client have in common.
package form

import (
	"cmp"

	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Form is what a client's hellos have in common: the digits of their shape, and a digest of the order of their extensions, which a
// shape leaves out but a library keeps. Order is 0 for clients that shuffle them.
type Form struct {
	Shape, Order uint64
}

// Compare orders forms.
func Compare(a, b Form) int {
	return cmp.Or(cmp.Compare(a.Shape, b.Shape), cmp.Compare(a.Order, b.Order))
}

// Of is the form of a hello. It does not allocate for hellos of usual size.
func Of(h *wire.ClientHello) Form {
	var text [32]byte
	name := fingerprint.AppendShape(text[:0], h)
	f := Form{Order: orderOf(h)}
	for _, c := range name[len(name)-16:] {
		f.Shape = f.Shape<<4 | uint64(digit(c))
	}
	return f
}

// Named is the form of a hello that lacks bytes, whose shape is known by its name (fingerprint.Shape) from when it had them; false:
// that is no name of a shape, or one of another release's.
func Named(shape string, h *wire.ClientHello) (Form, bool) {
	var text [32]byte
	own := fingerprint.AppendShape(text[:0], h)
	at := len(own) - 16
	if len(shape) != len(own) || shape[:at] != string(own[:at]) {
		return Form{}, false
	}
	f := Form{Order: orderOf(h)}
	for i := at; i < len(shape); i++ {
		c := shape[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Form{}, false
		}
		f.Shape = f.Shape<<4 | uint64(digit(c))
	}
	return f, true
}

func digit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// orderOf is a digest (FNV-1a) of the extensions in wire order. GREASE is left out, and so is what depends on an earlier
// connection or on the length of the others, as in the shape. It is never 0.
func orderOf(h *wire.ClientHello) uint64 {
	const basis, prime = 14695981039346656037, 1099511628211
	sum := uint64(basis)
	for t := range h.Extensions.All() {
		switch t {
		case wire.ExtensionPreSharedKey, wire.ExtensionEarlyData, wire.ExtensionCookie, wire.ExtensionPadding:
			continue
		}
		if !wire.IsGREASE(t) {
			sum = (sum ^ uint64(t>>8)) * prime
			sum = (sum ^ uint64(t&0xff)) * prime
		}
	}
	return max(sum, 1)
}
