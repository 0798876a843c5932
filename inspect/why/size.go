package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// sizeFound are the sizes of hellos that an endpoint minds.
type sizeFound struct {
	limit int            // the most that it takes; 0: none is known
	floor int            // the least
	minds func(int) bool // others; nil: none
}

func (s *sizeFound) fits(n int) bool {
	return s == nil || (s.limit == 0 || n <= s.limit) && n >= s.floor && (s.minds == nil || !s.minds(n))
}

// tooLarge reports whether a hello is larger than the endpoint takes, whatever is done to it.
func (r *run) tooLarge(h *probe.Hello) bool {
	return r.size != nil && r.size.limit > 0 && h.Size() > r.size.limit
}

// least is how many bytes a padding extension adds at least.
const least = 4

// fitted is the hello of a trial, padded to a size that the endpoint takes, and with as many suites, where that is known to matter. The
// hello in question goes as it is.
func (r *run) fitted(t trial) *probe.Hello {
	if t.hello == r.failing.hello || t.hello.SSLv2 {
		return t.hello
	}
	h := t.hello
	if r.evenness != nil && len(h.CipherSuites)%2 != *r.evenness && len(h.CipherSuites) > 0 {
		h = h.Clone()
		h.CipherSuites = append(h.CipherSuites, h.CipherSuites[len(h.CipherSuites)-1])
	}
	size := h.Size()
	if r.size.fits(size) {
		return h
	}
	const most = 1 << 14
	for n := size + least; n <= most; n++ {
		if r.size.fits(n) {
			h = h.Clone()
			h.Pad(n)
			break
		}
	}
	return h
}

// maxBisections is how often a limit is looked for that turns out to be none.
const maxBisections = 2

// pads says how hellos of a form are padded and sent.
type pads struct {
	r    *run
	what string
	base trial
}

func (p pads) to(n int) control {
	t := trial{p.base.hello.Clone(), p.base.proxy}
	t.hello.Pad(n)
	return control{fmt.Sprintf("%s, padded to %d bytes", p.what, n), t}
}

func (p pads) send(n int) answer   { c := p.to(n); return p.r.send(c.change, c.trial) }
func (p pads) expect(n int) answer { c := p.to(n); return p.r.expect(c.change, c.trial) }

// isSize finds out whether a step fails only because it makes the hello larger: then the hello that works fails as well once it
// is padded to that size. The limit is bisected to the byte, and so is the end of the sizes that fail, where larger ones are taken.
func (r *run) isSize(next trial, a answer) bool {
	size, base := a.x.Hello.Size(), r.accepted.x.Hello.Size() // as they were sent
	if r.working.hello.SSLv2 || size <= base || r.size != nil && (r.size.limit > 0 || r.size.minds != nil) {
		return false
	}
	if r.spare() < 6 {
		r.cut = true
		return false
	}
	pad := pads{r, "the hello that works", r.working}
	low, most := base+least, max(size, base+2*least)
	if r.size != nil {
		low = max(low, r.size.floor)
	}
	if padded(r.working.hello) {
		low = base // its padding grows
	}
	if low >= most {
		return false
	}
	// A few more bytes than the size in question make no difference to a limit.
	large := pad.send(most)
	if large.x == nil || large.works || kind(large.x) != kind(a.x) {
		return false
	}
	if small := pad.expect(low); small.x == nil || !small.works {
		return false // it is the padding that is not liked, or the limit is where it cannot be told
	}
	bottom, high, sure := low, most, false
	for range maxBisections {
		var ok bool
		if low, high, ok = r.bisect(low, most, a.x.Outcome == probe.OutcomeTimeout, pad.to); !ok {
			r.cut = true
			return false
		}
		// Believed only if both sides of the limit hold once more.
		p, q := pad.expect(low), pad.expect(high)
		if p.x == nil || q.x == nil || !p.works {
			return false
		}
		if sure = !q.works; sure {
			break
		}
		low = high
	}
	if !sure {
		return false
	}
	f := found{axis: AxisSize, id: HelloSizeIntolerance, limit: low, offered: []string{fmt.Sprint(r.result.HelloSize)}}
	// A limit is one if what is smaller is accepted and what is larger is not; an endpoint may as well mind single sizes.
	below, beyond, beyond2 := answer{works: true}, answer{}, answer{}
	if low > bottom+1 && r.spare() > 3 {
		if beyond = pad.send(high + 1); !slices.Contains(r.sizes, low-1) {
			below = pad.expect(low - 1)
		}
		if !below.works && below.x == nil || beyond.x == nil {
			return false
		}
	}
	if below.works && beyond.works && r.spare() > 3 {
		if beyond2 = pad.send(high + 2); beyond2.x == nil {
			return false
		}
	}
	switch {
	case !below.works || beyond.works && !beyond2.works:
		r.someSizes(f, pad, low, high, large, !below.works && beyond.works)
		return true
	case beyond.works:
		r.window(f, high, high, high+1, large)
		return true
	}
	last, taken, ok := r.windowEnd(pad, high, most, a)
	switch {
	case !ok:
		return false
	case last > 0:
		r.window(f, high, last, taken, large)
		return true
	}
	r.minds().limit = low
	f.id = HelloTooLarge
	f.evidence = fmt.Sprintf("the same hello, padded: %d bytes are accepted, %d are not (%s)", low, high, large.x.Describe())
	f.sentence = fmt.Sprintf("%s hello larger than %d bytes (%d with the record's header): something before it, or the endpoint itself, reads a hello into a buffer of fixed size. Yours has %d%s.",
		ends(large.x), low, low+5, r.result.HelloSize, because(r.failing.hello))
	f.fix = "Update or reconfigure what stands before the endpoint; until then make the hello smaller: " + smaller(r.failing.hello) + "."
	r.addAlone(f, fmt.Sprintf("a size of more than %d bytes", low), pad.to(high).trial, 0, high)
	return true
}

// ownSize is the size of the hello in question as it was sent.
func (r *run) ownSize() int { return r.failure.x.Hello.Size() }

// padded reports whether a hello has a padding extension, so that one byte more is one byte of padding more.
func padded(h *probe.Hello) bool { return h.Has(wire.ExtensionPadding) }

// minds is where it is noted which sizes the endpoint minds.
func (r *run) minds() *sizeFound {
	if r.size == nil {
		r.size = &sizeFound{}
	}
	return r.size
}

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

// isSmall finds out whether a step fails only because of the size that the hello has then, where it is no larger than others that were
// taken: then it works when it is padded to one of those.
func (r *run) isSmall(next trial, a answer) bool {
	size := a.x.Hello.Size()
	if next.hello.SSLv2 || r.working.hello.SSLv2 || r.size != nil && (r.size.floor > 0 || r.size.minds != nil) || len(next.hello.Extensions) == 0 || r.spare() < 3 {
		return false
	}
	lowest := size + least
	if padded(next.hello) {
		lowest = size + 1
	}
	known := 0 // the nearest size that works
	for _, n := range r.sizes {
		if n >= lowest && !r.tooLargeSize(n) && (known == 0 || n < known) {
			known = n
		}
	}
	if known == 0 {
		return false
	}
	pad := pads{r, "the hello that fails", next}
	if p := pad.send(known); p.x == nil || !p.works {
		return false
	}
	bad, good := size, known
	if good > lowest {
		p := pad.send(lowest)
		switch {
		case p.x == nil:
			return false
		case p.works:
			good = lowest
		default:
			bad = lowest
		}
	}
	for bad >= lowest && good-bad > 1 {
		if r.spare() < 4 {
			r.cut = true
			return false
		}
		middle := (bad + good) / 2
		p := pad.send(middle)
		switch {
		case p.x == nil:
			return false
		case p.works:
			good = middle
		default:
			bad = middle
		}
	}
	if bad <= lowest { // what does it may as well be that the padding is the last extension
		first := pad.to(good)
		first.trial.hello.Reorder(wire.ExtensionPadding)
		if p := r.send(first.change+" by its first extension", first.trial); p.x == nil || !p.works {
			return false
		}
	}
	f := found{axis: AxisSize, id: HelloSizeIntolerance, limit: good, offered: []string{fmt.Sprint(r.result.HelloSize)}}
	p, q := pad.expect(good), pad.expect(good+1)
	if p.x == nil || q.x == nil || !p.works {
		return false
	}
	if !q.works {
		b := pad.send(good + 2)
		r.someSizes(f, pad, good, good+1, a, b.x != nil && b.works && (good-size)%2 == 1)
		return true
	}
	// Smaller ones may be taken again.
	if smallest := slices.Min(r.sizes); smallest < size {
		return r.windowBelow(f, smallest, size, good, a)
	}
	small := small12(next.hello.ServerName())
	if small.Size()+least < size && r.spare() > 4 {
		if p := r.send("a small hello of TLS 1.2", trial{small, next.proxy}); p.x != nil && p.works {
			return r.windowBelow(f, small.Size(), size, good, a)
		}
	}
	r.minds().floor = good
	if r.ownSize() >= good {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("The endpoint fails on hellos of less than %d bytes, too (%s); the one in question is no such.", good, a.x.Describe()))
		return true
	}
	f.id = HelloTooSmall
	f.evidence = fmt.Sprintf("the same hello, padded: %d bytes are not accepted (%s), %d are", bad, a.x.Describe(), good)
	f.sentence = fmt.Sprintf("The endpoint fails on hellos of less than %d bytes; yours has %d.", good, r.result.HelloSize)
	f.fix = fmt.Sprintf("Update the endpoint, or what stands before it; until then let the client pad its hello (RFC 7685) to %d bytes.", good)
	r.add(f)
	return true
}

func (r *run) tooLargeSize(n int) bool { return r.size != nil && r.size.limit > 0 && n > r.size.limit }

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

// bisect narrows down between which two sizes hellos stop being accepted, to the byte. Where failing takes a timeout, three sizes
// are tried at once, so that it takes half as many of them.
func (r *run) bisect(low, high int, silent bool, pad func(int) control) (int, int, bool) {
	parts := 2
	if silent {
		parts = 4
	}
	for high-low > 1 {
		var all []control
		var sizes []int
		for i := 1; i < parts; i++ {
			n := low + (high-low)*i/parts
			if n > low && n < high && (len(sizes) == 0 || n > sizes[len(sizes)-1]) {
				sizes, all = append(sizes, n), append(all, pad(n))
			}
		}
		if r.spare() < len(all)+1 {
			return low, high, false
		}
		for i, a := range r.sendAll(all) {
			if !a.works {
				high = sizes[i]
				break
			}
			low = sizes[i]
		}
	}
	return low, high, true
}

// ends is what an endpoint does to a hello, up to the word before it.
func ends(x *probe.Exchange) string {
	switch {
	case x.Alert != nil:
		return fmt.Sprintf("The endpoint answers alert %s (%d) to every", x.Alert.Description, uint8(x.Alert.Description))
	case x.Outcome == probe.OutcomeReset:
		return "The endpoint resets every"
	case x.Outcome == probe.OutcomeClosed:
		return "The endpoint closes the connection on every"
	case x.Outcome == probe.OutcomeTimeout:
		return "The endpoint never answers a"
	}
	return "The endpoint fails on every"
}

// largePart names what makes a hello large: a post-quantum key share, or else its longest extension.
func largePart(h *probe.Hello) (name string, bytes int, ok bool) {
	for _, g := range h.KeyShareGroups() {
		if info, known := g.Info(); known && info.PostQuantum && info.ClientShare > bytes {
			name, bytes = g.String(), info.ClientShare
		}
	}
	if bytes > 0 {
		return name, bytes, true
	}
	for _, e := range h.Extensions {
		if len(e.Body) > bytes {
			name, bytes = e.Type.String(), len(e.Body)
		}
	}
	return name, bytes, bytes >= 64
}

func because(h *probe.Hello) string {
	name, bytes, ok := largePart(h)
	if !ok {
		return ""
	}
	return fmt.Sprintf(", of which %d are %s", bytes, name)
}

func smaller(h *probe.Hello) string {
	name, _, ok := largePart(h)
	switch {
	case !ok:
		return "offer fewer suites, groups and extensions"
	case name == wire.ExtensionPadding.String():
		return "leave out the padding"
	}
	return "leave out " + name
}
