package clients

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/clients/internal/form"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// row is a line of the generated table, which is sorted by form.
type row struct {
	form   form.Form
	client uint16 // of known
}

// Name says from whom a hello likely is; false: unknown. It does not allocate.
func Name(h *wire.ClientHello) (Client, bool) { return find(form.Of(h)) }

// NameRebuilt is Name for a hello that was rebuilt from a record without its bytes: what its lists lack is in the shape's name, which
// was made from the bytes.
func NameRebuilt(shape string, h *wire.ClientHello) (Client, bool) {
	f, ok := form.Named(shape, h)
	if !ok {
		return Client{}, false
	}
	return find(f)
}

func find(f form.Form) (Client, bool) {
	for _, order := range [...]uint64{f.Order, 0} {
		wanted := form.Form{Shape: f.Shape, Order: order}
		if i, ok := slices.BinarySearchFunc(table[:], wanted, func(r row, f form.Form) int { return form.Compare(r.form, f) }); ok {
			return known[table[i].client], true
		}
	}
	return Client{}, false
}
