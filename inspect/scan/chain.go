package scan

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// exhausted is what a chain of hellos found.
type exhausted[T comparable] struct {
	found    []T             // in the order in which the endpoint chose them
	last     *probe.Exchange // that nothing was chosen in any more; nil: everything was chosen
	attempts int
	open     bool   // the end is no refusal that can be believed: there may be more
	odd      string // the endpoint chose what was not offered
}

// exhaust asks about all that is not known yet, takes out what was chosen, and asks again until nothing is chosen any more. An
// end without a word is asked about a second time.
func exhaust[T comparable](all []T, ask func(remaining []T) (T, bool, *probe.Exchange)) exhausted[T] {
	var e exhausted[T]
	remaining := slices.Clone(all)
	again := false
	for len(remaining) > 0 {
		choice, ok, x := ask(remaining)
		e.attempts++
		if ok {
			i := slices.Index(remaining, choice)
			if i < 0 {
				e.last, e.odd = x, "chose what was not offered"
				return e
			}
			e.found, again = append(e.found, choice), false
			remaining = slices.Delete(remaining, i, i+1)
			continue
		}
		e.last = x
		switch nature := natureOf(x); {
		case nature == said || nature == chosen: // chosen: another version, or a flight without what was asked about
			return e
		case again:
			e.open = nature != cut
			return e
		}
		again = true
	}
	e.last = nil
	return e
}
