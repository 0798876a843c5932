package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// list is a list of the hello in question that the endpoint refuses, and the one that works.
type list[T point] struct {
	axis        Axis
	what        string // one of it, in words
	theirs, own []T
	used        T // what the endpoint chose of own; 0: nothing
	set         func(*probe.Hello, []T)
}

// maxTogether is how many values of a list are looked for at most that are refused together only.
const maxTogether = 4

// smallest looks for as few of some values as are refused together with base, which without them is accepted: the last one of the shortest
// beginning that is refused, then the last one of the shortest that is refused with that, and so on.
func smallest[T point](some []T, fails func(part []T) (failed, alive bool)) (few []T, ok bool) {
	for len(few) < maxTogether {
		low, high := 0, len(some)
		for high-low > 1 {
			middle := (low + high) / 2
			failed, alive := fails(append(slices.Clone(few), some[:middle]...))
			if !alive {
				return nil, false
			}
			if failed {
				high = middle
			} else {
				low = middle
			}
		}
		if high == 0 {
			return nil, false
		}
		few, some = append(few, some[high-1]), some[:high-1]
		failed, alive := fails(few)
		if !alive || failed {
			return few, alive
		}
	}
	return nil, false
}

// together finds out which values of the list are refused together, and not without any one of them. some are known to be among them, or nil;
// then it is extra, beside the list that works, that is refused. One value: it is enough by itself, as far as can be told.
func (l list[T]) together(r *run, some, extra []T) (all []T, ok bool) {
	send := func(part []T) answer {
		if r.spare() < 2 {
			r.cut = true
			return answer{}
		}
		return r.send(fmt.Sprintf("with the %ss %s alone", l.what, listed(part)), r.with(func(h *probe.Hello) { l.set(h, part) }))
	}
	refused := func(part []T) (failed, alive bool) {
		a := send(part)
		return a.x != nil && !a.works && kind(a.x) == r.minded, a.x != nil
	}
	known := some != nil
	if !known {
		if some, ok = smallest(extra, func(part []T) (bool, bool) { return refused(append(slices.Clone(part), l.own...)) }); !ok {
			return nil, false
		}
	}
	if l.used == 0 || slices.Contains(some, l.used) {
		return some, known || l.without(r, some)
	}
	core := append(slices.Clone(some), l.used)
	failed, alive := refused(core)
	if !alive {
		return nil, false
	}
	var more []T
	if !failed {
		rest := lessOf(lessGREASE(union(l.own, l.theirs)), core)
		more, ok = smallest(rest, func(part []T) (bool, bool) { return refused(append(slices.Clone(core), part...)) })
		if !ok {
			return nil, false
		}
	}
	all = append(slices.Clone(some), more...)
	// What the endpoint chooses had to be there; it may as well be one of them.
	a := send(lessOf(union(l.theirs, l.own), []T{l.used}))
	if a.x == nil {
		return nil, false
	}
	if a.works {
		return append(all, l.used), l.without(r, all)
	}
	if len(all) == 1 {
		return all, true
	}
	return all, l.without(r, all)
}

// without reports whether the endpoint takes the client's list without any one of some values: otherwise there is more to it than these. What is
// accepted last is kept.
func (l list[T]) without(r *run, some []T) bool {
	var last trial
	var answered answer
	for _, v := range some {
		if r.spare() < 2 {
			r.cut = true
			return false
		}
		t := r.with(func(h *probe.Hello) { l.set(h, lessOf(union(l.theirs, l.own), []T{v})) })
		p := r.send(fmt.Sprintf("with its %ss but %s", l.what, v), t)
		if !p.works {
			return false
		}
		last, answered = t, p
	}
	if answered.works {
		r.keep(last, answered)
	}
	return true
}

// addTogether adds what was found to be refused together.
func (l list[T]) addTogether(r *run, f found, all []T, refused answer) bool {
	var parts []string
	f.evidence = fmt.Sprintf("with %s together: %s; with the client's %ss but any one of them: accepted", listed(all), refused.x.Describe(), l.what)
	for _, v := range all {
		parts = append(parts, "the "+l.what+" "+v.String())
	}
	f.denies = func(x *probe.Exchange) bool { return len(meet(pointsOf[T](l.axis, x.Hello), all)) == len(all) }
	bad := r.with(func(h *probe.Hello) { l.set(h, union(all, meet([]T{l.used}, l.own))) })
	others, limit := r.together(bad, l.axis, 0, 0)
	f.limit = limit
	return r.addPair(f, append(parts, others...)...)
}

// addPair adds a cause that some parts of a hello are only together.
func (r *run) addPair(f found, parts ...string) bool {
	f.id, f.together = CombinationIntolerance, parts
	f.sentence = fmt.Sprintf("The endpoint fails on a hello in which these come together: %s. Without any one of them it answers.", strings.Join(parts, "; "))
	f.fix = "Look for a rule before the endpoint that matches just this hello (a firewall, a filter of fingerprints), and correct it; until then leave one of them out."
	r.add(f)
	return !r.cut
}

// otherSuitesWork reports whether the endpoint takes as many suites when they are others: then it is not their number.
func (r *run) otherSuitesWork(n int) bool {
	t := r.with(func(h *probe.Hello) { fillSuites(h, n, false) })
	if len(t.hello.CipherSuites) < n {
		return false
	}
	a := r.send(fmt.Sprintf("the hello that works, with %d cipher suites", n), t)
	return a.works
}
