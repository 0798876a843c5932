package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// orderMatters finds out whether it is the order of a list that the endpoint fails on: with the values first that work, and the client's
// others behind them, it goes along. done is false where it is not the order. It is a function because methods take no type parameters.
func orderMatters[T interface {
	comparable
	fmt.Stringer
}](r *run, a answer, theirs, own []T, f found, what string, set func(*probe.Hello, []T)) (done, ok bool) {
	common := meet(own, theirs)
	ordered := union(common, theirs)
	if len(common) == 0 || slices.Equal(ordered, theirs) {
		return false, true
	}
	t := r.with(func(h *probe.Hello) { set(h, ordered) })
	p, ok := r.believe("with its "+what+", in another order", t)
	if !ok || !p.works {
		return !ok, ok
	}
	r.keep(t, p)
	f.offered, f.accepted = names(theirs), names(ordered)
	f.evidence = fmt.Sprintf("the client's %s, %s first: %s; the same, %s first: accepted", what, theirs[0], a.x.Describe(), ordered[0])
	f.sentence = fmt.Sprintf("The endpoint fails on the order of the client's %s: it takes the same ones when %s comes first, and not %s.", what, ordered[0], theirs[0])
	f.fix = "Update the endpoint, or what stands before it: the order is a preference and no reason to fail (RFC 8446, Sections 4.1.2 and 4.2)."
	r.add(f)
	return true, true
}
