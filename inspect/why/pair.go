package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// partnerOf finds out whether a value is refused only beside another one of its list: with it and with what the endpoint chooses, and nothing
// else, a hello is accepted then. single: the value is enough by itself; found: there is such another one.
func partnerOf[T point](r *run, one T, theirs, own []T, used T, what string, set func(*probe.Hello, []T)) (partner T, single, found bool) {
	fails := func(change string, list []T) (failed, alive bool) {
		if r.spare() < 2 {
			return false, false
		}
		a := r.send(change, r.with(func(h *probe.Hello) { set(h, list) }))
		return a.x != nil && !a.works && kind(a.x) == r.minded, a.x != nil
	}
	if used == 0 || used == one {
		return 0, true, false
	}
	base := []T{one, used}
	failed, alive := fails(fmt.Sprintf("with the %ss %s alone", what, listed(base)), base)
	if !alive || failed {
		return 0, true, false
	}
	rest := lessOf(union(own, theirs), base)
	partner, many, ok := culprit(rest, func(part []T) (bool, bool) {
		return fails(fmt.Sprintf("with the %ss %s and %s", what, one, listed(part)), append([]T{one, used}, part...))
	})
	if !ok || many {
		return 0, false, false
	}
	if failed, alive = fails(fmt.Sprintf("with the %ss %s and %s", what, one, partner), []T{one, used, partner}); !alive || !failed {
		return 0, false, false
	}
	// Without either of them the client's list has to be accepted, or there is more to it than these two.
	for _, v := range []T{one, partner} {
		if r.spare() < 2 {
			return 0, false, false
		}
		t := r.with(func(h *probe.Hello) { set(h, lessOf(union(theirs, own), []T{v})) })
		if p := r.send(fmt.Sprintf("with its %ss but %s", what, v), t); !p.works {
			return 0, false, false
		}
	}
	return partner, false, true
}

// addPair adds a cause that two parts of a hello are only together.
func (r *run) addPair(f found, parts ...string) bool {
	f.id, f.together, f.denies = CombinationIntolerance, parts, nil
	f.sentence = fmt.Sprintf("The endpoint fails on a hello in which these come together: %s; %s. Without any one of them it answers.", parts[0], parts[1])
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

// twoSuites looks for two of the extra suites that are refused together and not alone: the last one of the shortest beginning of the list that
// is refused, and the last one of the shortest that is refused with it.
func (r *run) twoSuites(f found, a answer, extra, own []wire.CipherSuite) bool {
	fails := func(part ...wire.CipherSuite) (failed, alive bool) {
		if r.spare() < 4 {
			r.cut = true
			return false, false
		}
		p := r.send("with "+listed(part)+" besides", r.with(func(h *probe.Hello) { h.CipherSuites = append(slices.Clone(part), own...) }))
		return p.x != nil && !p.works && kind(p.x) == kind(a.x), p.x != nil
	}
	last := func(list []wire.CipherSuite, besides ...wire.CipherSuite) (int, bool) {
		low, high := 0, len(list)
		for high-low > 1 {
			middle := (low + high) / 2
			failed, alive := fails(append(slices.Clone(list[:middle]), besides...)...)
			if !alive {
				return 0, false
			}
			if failed {
				high = middle
			} else {
				low = middle
			}
		}
		return high - 1, true
	}
	if len(extra) < 2 {
		return r.undecided(f)
	}
	i, ok := last(extra)
	if !ok || i == 0 {
		return !r.cut && r.undecided(f)
	}
	one := extra[i]
	j, ok := last(extra[:i], one)
	if !ok {
		return false
	}
	other := extra[j]
	if failed, _ := fails(one, other); !failed {
		return !r.cut && r.undecided(f)
	}
	for _, v := range []wire.CipherSuite{one, other} {
		t := r.with(func(h *probe.Hello) { h.CipherSuites = lessOf(union(extra, own), []wire.CipherSuite{v}) })
		p := r.send(fmt.Sprintf("with its suites but %s", v), t)
		if !p.works {
			return r.undecided(f) // there is more to it than these two
		}
		if v == other {
			r.keep(t, p)
		}
	}
	return r.addPair(f, "the cipher suite "+one.String(), "the cipher suite "+other.String())
}
