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

func (p pads) send(n int) answer { c := p.to(n); return p.r.send(c.change, c.trial) }

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
	f.denies = func(x *probe.Exchange) bool { return x.Hello.Size() > low }
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
