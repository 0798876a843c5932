package scan

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// exhausted is what a chain of hellos found.
type exhausted[T comparable] struct {
	found    []T             // in the order in which the endpoint chose them
	last     *probe.Exchange // that nothing was chosen in any more; nil: everything was chosen
	attempts int
	refused  int  // how often the end was asked about: what was left, whole or by class
	open     bool // the end is no refusal that can be believed: there may be more
	odd      bool // the endpoint chose what was not offered
}

// asking asks about all of what remains in one hello, and gives what was chosen.
type asking[T comparable] func(remaining []T) (choice T, ok bool, x *probe.Exchange)

// exhaust asks about all that is not known yet, takes out what was chosen, and asks again until nothing is chosen any more. No refusal
// is believed that came once. What is left then is asked about again by class, where there are classes (a server may choose its
// certificate first, by what one class has in the hello, and then find nothing to go with it), and otherwise the very same hello is sent
// again; in parts of a size, unless the refusal is one that speaks for each of them.
func exhaust[T comparable](s *session, all []T, part int, classes func(left []T) [][]T, ask asking[T]) exhausted[T] {
	e := chain(s, all, func(nature nature) bool { return nature == said && classes != nil }, ask)
	if e.last == nil || e.odd || e.open || s.paper != nil && classes == nil {
		return e
	}
	left := slices.DeleteFunc(slices.Clone(all), func(x T) bool { return slices.Contains(e.found, x) })
	var parts [][]T
	switch {
	case s.paper == nil && !decisive(e.last) && len(left) > part:
		parts = slices.Collect(slices.Chunk(left, part))
	case classes != nil && natureOf(e.last) == said:
		parts = classes(left)
	}
	fewest := e.refused
	for i, few := range parts {
		more := chain(s, few, func(nature) bool { return true }, ask)
		e.attempts += more.attempts
		e.found = append(e.found, more.found...)
		e.open = e.open || more.open
		if more.odd {
			e.last, e.odd = more.last, true
			return e
		}
		if i == 0 || more.refused < fewest {
			fewest = more.refused
		}
	}
	if parts != nil {
		e.refused += fewest
	}
	return e
}

// chain is exhaust without the parts. An end is asked about again, but where once is enough because it is asked about elsewhere.
func chain[T comparable](s *session, all []T, once func(nature nature) bool, ask asking[T]) exhausted[T] {
	var e exhausted[T]
	remaining := slices.Clone(all)
	for len(remaining) > 0 {
		choice, ok, x := ask(remaining)
		e.attempts++
		if ok {
			i := slices.Index(remaining, choice)
			if i < 0 {
				e.last, e.odd = x, true
				return e
			}
			e.found, e.refused = append(e.found, choice), 0
			remaining = slices.Delete(remaining, i, i+1)
			continue
		}
		e.last = x
		nature := natureOf(x)
		e.refused++
		if x.Alert != nil && x.Alert.Description == wire.AlertNoApplicationProtocol { // which names its reason
			e.refused = repeatsOfUnsteady
			return e
		}
		if nature == chosen || s.paper != nil { // chosen: another version, or a flight without what was asked about
			return e
		}
		if e.refused >= s.repeats(nature) || once(nature) && !s.unsteady() {
			e.open = nature != cut && nature != said
			return e
		}
	}
	e.last = nil
	return e
}
