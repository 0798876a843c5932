package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

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
