package why

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// sizeFound is a limit on the size of hellos.
type sizeFound struct{ limit int }

// maxBisections is how often a limit is looked for that turns out to be none.
const maxBisections = 2

// isSize finds out whether a step fails only because it makes the hello larger: then the hello that works fails as well once it
// is padded to that size. The limit is bisected to the byte.
func (r *run) isSize(next trial, a answer) bool {
	size := next.hello.Size()
	base := r.working.hello.Size()
	if r.working.hello.SSLv2 || size <= base {
		return false
	}
	if r.spare() < 6 {
		r.cut = true
		return false
	}
	pad := func(n int) control {
		t := trial{r.working.hello.Clone(), r.working.proxy}
		t.hello.Pad(n)
		return control{fmt.Sprintf("the hello that works, padded to %d bytes", n), t}
	}
	padded := func(n int) answer { c := pad(n); return r.send(c.change, c.trial) }
	expected := func(n int) answer { c := pad(n); return r.expect(c.change, c.trial) }
	// A padding extension takes four bytes at least; a few more than the size in question make no difference to a limit.
	low, high := base+4, max(size, base+8)
	large := padded(high)
	if large.x == nil || large.works || kind(large.x) != kind(a.x) {
		return false
	}
	if small := expected(low); small.x == nil || !small.works {
		return false // it is the padding that is not liked, or the limit is where it cannot be told
	}
	most, sure := high, false
	for range maxBisections {
		var ok bool
		if low, high, ok = r.bisect(low, most, a.x.Outcome == probe.OutcomeTimeout, pad); !ok {
			r.cut = true
			return false
		}
		// Believed only if both sides of the limit hold once more.
		p, q := expected(low), expected(high)
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
	// A limit is one if what is smaller is accepted and what is larger is not; an endpoint may as well mind single sizes.
	if low > base+5 && r.spare() > 3 {
		below, beyond := expected(low-1), padded(high+1)
		if below.x == nil || beyond.x == nil {
			return false
		}
		if !below.works || beyond.works && high+1 != 512 {
			r.size = &sizeFound{limit: low}
			r.add(found{axis: AxisSize, id: HelloSizeIntolerance, limit: low, offered: []string{fmt.Sprint(r.result.HelloSize)},
				evidence: fmt.Sprintf("the hello that works, padded: %d bytes: %s, %d: accepted, %d: %s, %d: %s", low-1, worked(below), low, high, large.x.Describe(), high+1, worked(beyond)),
				sentence: fmt.Sprintf("The endpoint fails on hellos of some sizes, among them %d bytes, and takes others that are as large or larger; yours has %d.", high, r.result.HelloSize),
				fix:      "Update the endpoint, or what stands before it."})
			return true
		}
	}
	r.size = &sizeFound{limit: low}
	if above := r.above(padded, high); above > 0 {
		r.add(found{axis: AxisSize, id: HelloSizeIntolerance, limit: low, offered: []string{fmt.Sprint(r.result.HelloSize)},
			evidence: fmt.Sprintf("the same hello, padded: %d bytes are accepted, %d are not (%s), %d are again", low, high, large.x.Describe(), above),
			sentence: fmt.Sprintf("The endpoint fails on hellos of %d bytes and some more, and takes smaller and larger ones; yours has %d. Old load balancers mistake hellos of 256 to 511 bytes for SSLv2.", high, r.result.HelloSize),
			fix:      "Update the endpoint; until then let the client pad its hello (RFC 7685) to 512 bytes, or offer less."})
		return true
	}
	r.addAlone(found{axis: AxisSize, id: HelloTooLarge, limit: low, offered: []string{fmt.Sprint(r.result.HelloSize)},
		evidence: fmt.Sprintf("the same hello, padded: %d bytes are accepted, %d are not (%s)", low, high, large.x.Describe()),
		sentence: fmt.Sprintf("%s hello larger than %d bytes (%d with the record's header): something before it, or the endpoint itself, reads a hello into a buffer of fixed size. Yours has %d%s.",
			ends(large.x), low, low+5, r.result.HelloSize, because(r.failing.hello)),
		fix: "Update or reconfigure what stands before the endpoint; until then make the hello smaller: " + smaller(r.failing.hello) + "."},
		fmt.Sprintf("a size of more than %d bytes", low), pad(high).trial, 0, high)
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

// above tries whether larger hellos are accepted again, which is how a known fault of old load balancers looks.
func (r *run) above(padded func(int) answer, high int) int {
	if high < 256 || high > 511 {
		return 0
	}
	if p := padded(512); p.x != nil && p.works {
		return 512
	}
	return 0
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

func worked(a answer) string {
	if a.works {
		return "accepted"
	}
	return a.x.Describe()
}
