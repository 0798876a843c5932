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
	open     bool // the end is no refusal that can be believed: there may be more
	odd      bool // the endpoint chose what was not offered
}

// asking asks about all of what remains in one hello, and gives what was chosen.
type asking[T comparable] func(remaining []T) (choice T, ok bool, x *probe.Exchange)

// exhaust asks about all that is not known yet, takes out what was chosen, and asks again until nothing is chosen any more. What is
// left then is asked about again, in parts of a size, unless the refusal is one that speaks for each of them.
func exhaust[T comparable](s *session, all []T, part int, ask asking[T]) exhausted[T] {
	e := chain(s, all, true, ask)
	if e.last == nil || e.odd || e.open || decisive(e.last) || s.paper != nil {
		return e
	}
	left := slices.DeleteFunc(slices.Clone(all), func(x T) bool { return slices.Contains(e.found, x) })
	if len(left) <= part {
		return e
	}
	for few := range slices.Chunk(left, part) {
		more := chain(s, few, false, ask)
		e.attempts += more.attempts
		e.found = append(e.found, more.found...)
		e.open = e.open || more.open
		if more.odd {
			e.last, e.odd = more.last, true
			return e
		}
	}
	return e
}

// chain is exhaust without the parts. An end without a word is asked about again, where that is wanted.
func chain[T comparable](s *session, all []T, twice bool, ask asking[T]) exhausted[T] {
	var e exhausted[T]
	remaining := slices.Clone(all)
	failed := 0
	for len(remaining) > 0 {
		choice, ok, x := ask(remaining)
		e.attempts++
		if ok {
			if failed > 0 && natureOf(e.last) == cut {
				s.closedAtRandom(failed)
			}
			i := slices.Index(remaining, choice)
			if i < 0 {
				e.last, e.odd = x, true
				return e
			}
			e.found, failed = append(e.found, choice), 0
			remaining = slices.Delete(remaining, i, i+1)
			continue
		}
		e.last = x
		nature := natureOf(x)
		if nature == said || nature == chosen { // chosen: another version, or a flight without what was asked about
			return e
		}
		if failed++; !twice && !s.unsteady() || failed >= s.repeats(nature) {
			e.open = nature != cut
			return e
		}
	}
	e.last = nil
	return e
}
