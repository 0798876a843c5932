package why

import (
	"fmt"
	"slices"
)

// Sizes that are tried to find out whether larger hellos are taken again: as many times the smallest that fails.
const (
	somewhatLarger = 2
	muchLarger     = 8
	largestTried   = 12 << 10
)

// windowEnd is the last of the sizes that fail, from high on, where larger hellos are taken again, and the first of those; 0: they are
// not. The two are next to each other unless the connections do not suffice.
func (r *run) windowEnd(pad pads, high, most int, a answer) (last, taken int, ok bool) {
	for _, n := range [...]int{somewhatLarger*high + high%2, muchLarger*high + high%2} {
		if n <= most || n > largestTried || r.spare() < 4 {
			continue
		}
		p := pad.send(n)
		if p.x == nil {
			return 0, 0, false
		}
		if !p.works {
			most = n
			continue
		}
		good, bad := n, most
		for good-bad > 1 {
			if r.spare() < 3 {
				return bad, good, true
			}
			middle := (good + bad) / 2
			q := pad.send(middle)
			switch {
			case q.x == nil:
				return 0, 0, false
			case q.works:
				good = middle
			default:
				bad = middle
			}
		}
		// Once more, as with every limit.
		p, q := pad.expect(good), pad.send(bad)
		if p.x == nil || q.x == nil || !p.works || q.works || kind(q.x) != kind(a.x) {
			return 0, 0, p.x != nil && q.x != nil
		}
		return bad, good, true
	}
	return 0, 0, true
}

// window names sizes that fail between others that are taken: from the first to the last, and those from taken on are taken again.
func (r *run) window(f found, first, last, taken int, a answer) {
	r.minds().minds = func(n int) bool { return n >= first && n < taken }
	if own := r.ownSize(); own < first || own >= taken {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("The endpoint fails on hellos of %d to %d bytes, too (%s); the one in question is no such.", first, last, a.x.Describe()))
		return
	}
	f.limit = first - 1
	f.evidence = fmt.Sprintf("the same hello, padded: %d bytes are accepted, %d are not, nor are %d (%s), %d are again", first-1, first, last, a.x.Describe(), taken)
	which := fmt.Sprintf("%d to %d bytes", first, last)
	switch {
	case taken > last+1:
		which += fmt.Sprintf(" (or a few more, %d at most)", taken-1)
	case first == last:
		which = fmt.Sprintf("%d bytes", first)
		f.evidence = fmt.Sprintf("the same hello, padded: %d bytes are accepted, %d are not (%s), %d are again", first-1, first, a.x.Describe(), taken)
	}
	old := ""
	if first >= 256 && last <= 511 {
		old = " Old load balancers mistake hellos of 256 to 511 bytes for SSLv2."
	}
	f.sentence = fmt.Sprintf("The endpoint fails on hellos of %s, and takes smaller and larger ones; yours has %d.%s", which, r.result.HelloSize, old)
	f.fix = fmt.Sprintf("Update the endpoint, or what stands before it; until then let the client pad its hello (RFC 7685) to %d bytes, or offer less.", taken)
	r.add(f)
}

// someSizes names sizes that fail here and there: the odd ones, or the even ones, or some that have no order.
func (r *run) someSizes(f found, pad pads, low, high int, a answer, everySecond bool) {
	good := slices.Clone(r.sizes)
	minds := func(n int) bool { return !slices.Contains(good, n) }
	which := fmt.Sprintf("some sizes, among them %d bytes", high)
	if everySecond {
		minds = func(n int) bool { return n%2 == high%2 }
		which = "sizes that are even"
		if high%2 == 1 {
			which = "sizes that are odd"
		}
	}
	r.minds().minds = minds
	f.evidence = fmt.Sprintf("%s, padded: %d bytes: accepted, %d: %s", pad.what, low, high, a.x.Describe())
	if everySecond {
		f.evidence = fmt.Sprintf("%s, padded: %d bytes: %s, %d: accepted, %d: %s, %d: accepted", pad.what, low-1, a.x.Describe(), low, high, a.x.Describe(), high+1)
	}
	f.sentence = fmt.Sprintf("The endpoint fails on hellos of %s, and takes others that are as large or larger; yours has %d.", which, r.result.HelloSize)
	f.fix = "Update the endpoint, or what stands before it."
	r.add(f)
}

// windowBelow names sizes that fail, of which the end is known, and a smaller one that does not.
func (r *run) windowBelow(f found, smallest, fails, good int, a answer) bool {
	small := small12(r.failing.hello.ServerName())
	pad := pads{r, "a small hello of TLS 1.2", trial{small, r.failing.proxy}}
	first := fails
	if low := small.Size() + least; low < fails {
		p, q := pad.expect(low), pad.send(fails)
		if p.x == nil || q.x == nil {
			return false
		}
		if p.works && !q.works {
			bad := fails
			for bad-low > 1 {
				if r.spare() < 4 {
					r.cut = true
					return false
				}
				middle := (bad + low) / 2
				m := pad.send(middle)
				switch {
				case m.x == nil:
					return false
				case m.works:
					low = middle
				default:
					bad = middle
				}
			}
			first = bad
			r.window(f, first, good-1, good, a)
			return true
		}
	}
	r.window(f, first, good-1, good, a)
	r.result.Notes = append(r.result.Notes, fmt.Sprintf("How far down the sizes go that fail is not known: %d bytes are taken.", smallest))
	return true
}
