package why

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// countable is a part of a hello of which there can be too many.
type countable struct {
	axis     Axis
	id, what string
	of       func(*probe.Hello) int
	// fill brings a hello to so many, with harmless ones; turn gives others in another order. False: there are not enough.
	fill func(h *probe.Hello, n int, turn bool) bool
}

// fewest is the smallest limit that is called one.
const fewest = 4

func countables() []countable {
	return []countable{
		{AxisCipher, TooManyCiphers, "cipher suites", func(h *probe.Hello) int { return len(h.CipherSuites) }, fillSuites},
		{AxisGroup, TooManyGroups, "groups", func(h *probe.Hello) int { return len(h.Groups()) }, fillGroups},
		{AxisSignature, TooManySchemes, "signature schemes", func(h *probe.Hello) int { return len(h.SignatureSchemes()) }, fillSchemes},
		{AxisExtension, TooManyExtensions, "extensions", func(h *probe.Hello) int { return len(h.Extensions) }, fillExtensions},
	}
}

func fillSuites(h *probe.Hello, n int, turn bool) bool {
	filler := lessOf(registeredSuites(), h.CipherSuites)
	if turn {
		slices.Reverse(filler)
	}
	for _, s := range filler {
		if len(h.CipherSuites) >= n {
			break
		}
		h.CipherSuites = append(h.CipherSuites, s)
	}
	return len(h.CipherSuites) >= n
}

// privateUse are code points that nobody knows, which are ignored (RFC 8446, Section 11).
func privateUse[T ~uint16](own []T, n int, turn bool) []T {
	for i := range 0x100 {
		v := T(0xFE00 + i)
		if turn {
			v = T(0xFEFF - i)
		}
		if len(own) < n && !slices.Contains(own, v) {
			own = append(own, v)
		}
	}
	return own
}

func fillGroups(h *probe.Hello, n int, turn bool) bool {
	h.SetGroups(privateUse(h.Groups(), n, turn)...)
	return len(h.Groups()) >= n
}

func fillSchemes(h *probe.Hello, n int, turn bool) bool {
	h.SetSignatureSchemes(privateUse(h.SignatureSchemes(), n, turn)...)
	return len(h.SignatureSchemes()) >= n
}

// fillExtensions adds extensions that servers know and do not mind, and then ones that nobody knows, which are ignored.
func fillExtensions(h *probe.Hello, n int, turn bool) bool {
	filler := []probe.Extension{
		{Type: wire.ExtensionStatusRequest, Body: []byte{1, 0, 0, 0, 0}}, {Type: wire.ExtensionSCT}, {Type: wire.ExtensionExtendedMasterSecret},
		{Type: wire.ExtensionEncryptThenMAC}, {Type: wire.ExtensionSessionTicket}, {Type: wire.ExtensionRenegotiationInfo, Body: []byte{0}},
	}
	for t := wire.ExtensionType(0xFF10); t < 0xFF30; t++ { // private use (RFC 8447, Section 7)
		filler = append(filler, probe.Extension{Type: t})
	}
	if turn {
		slices.Reverse(filler)
	}
	for _, e := range filler {
		if len(h.Extensions) >= n {
			break
		}
		if !h.Has(e.Type) {
			h.Set(e.Type, bytes.Clone(e.Body))
		}
	}
	return len(h.Extensions) >= n
}

// isCount finds out whether a step fails only because the hello then has more suites or extensions: then the hello that works fails as
// well once it has as many of any. The number is bisected.
func (r *run) isCount(next trial, a answer) bool {
	if r.working.hello.SSLv2 || next.hello.SSLv2 {
		return false
	}
	for _, c := range countables() {
		low, high := c.of(r.working.hello), c.of(next.hello)
		if high <= low || high <= r.most[c.id] || r.limits[c.id] > 0 || low == 0 && (c.axis == AxisGroup || c.axis == AxisSignature) {
			continue // a list of what nobody knows where there was none is refused for that
		}
		if r.spare() < 6 {
			r.cut = true
			return false
		}
		try := func(n int, turn bool) (answer, bool) {
			t := r.with(func(h *probe.Hello) { c.fill(h, n, turn) })
			if c.of(t.hello) != n {
				return answer{}, false
			}
			p := r.send(fmt.Sprintf("the hello that works, with %d %s", n, c.what), t)
			return p, p.x != nil
		}
		p, ok := try(high, false)
		if !ok || p.works || kind(p.x) != kind(a.x) {
			continue
		}
		for ok && high-low > 1 && r.spare() > 2 {
			var q answer
			middle := (low + high) / 2
			if q, ok = try(middle, false); !ok {
				break
			}
			if q.works {
				low = middle
			} else {
				high = middle
			}
		}
		if high-low > 1 {
			r.cut = true
			return false
		}
		// With others of them the number has to be the same.
		if low > c.of(r.working.hello) {
			if q, ok := try(low, true); !ok || !q.works {
				continue
			}
		}
		if q, ok := try(high, true); !ok || q.works {
			continue
		}
		if r.spare() > 2 {
			if q, ok := try(high+1, false); ok && q.works { // more are accepted: it is no limit
				r.limits[c.id] = low
				return r.undecided(found{axis: c.axis, id: c.id, evidence: fmt.Sprintf("with %d %s: accepted; with %d: %s; with %d: accepted", low, c.what, high, p.x.Describe(), high+1)})
			}
		}
		if low < fewest {
			continue // it is not that there are too many, but that there are any
		}
		r.limits[c.id] = low
		if others, alone := r.countAlone(c, high); !alone {
			what := fmt.Sprintf("more than %d %s", low, c.what)
			s := found{axis: c.axis, id: c.id, limit: low, evidence: fmt.Sprintf("the hello that works, with %d %s: accepted; with %d: %s; with %d, and less of the rest: accepted", low, c.what, high, p.x.Describe(), high)}
			if others == "" {
				return r.undecided(s)
			}
			r.addPair(s, what, others)
			return true
		}
		sent := c.of(r.failing.hello.InTLSFormat())
		r.add(found{axis: c.axis, id: c.id, limit: low, offered: []string{fmt.Sprint(sent)},
			evidence: fmt.Sprintf("the hello that works, with any %d %s: accepted; with any %d: %s", low, c.what, high, p.x.Describe()),
			sentence: fmt.Sprintf("The endpoint fails on the number of %s: it takes %d and not %d, whichever they are; the client sends %d.", c.what, low, high, sent),
			fix:      fmt.Sprintf("Update the endpoint, or what stands before it; until then let the client offer %d %s at most.", low, c.what),
			denies:   func(x *probe.Exchange) bool { return c.of(x.Hello) > low }})
		return true
	}
	return false
}

// overCount reports whether a hello has more than was found to be accepted.
func (r *run) overCount(h *probe.Hello) bool {
	for _, c := range countables() {
		if limit := r.limits[c.id]; limit > 0 && c.of(h) > limit {
			return true
		}
	}
	return false
}

// takeCounted takes of a step what is few enough, once it is known that the number matters.
func (r *run) takeCounted(s step, next trial, a answer) bool {
	switch s.axis {
	case AxisExtension:
		if s.change == itsExtensions || s.change == itsGREASE {
			return r.refine(s, next, a)
		}
		return true
	case AxisGroup:
		return r.takeFew(TooManyGroups, next, func(h *probe.Hello, limit int) {
			groups := union(meet(next.hello.Groups(), next.hello.KeyShareGroups()), next.hello.Groups())
			h.SetGroups(groups[:min(limit, len(groups))]...)
		})
	case AxisSignature:
		return r.takeFew(TooManySchemes, next, func(h *probe.Hello, limit int) {
			schemes := union(meet(next.hello.SignatureSchemes(), []wire.SignatureScheme{r.accepted.x.Scheme}), next.hello.SignatureSchemes())
			h.SetSignatureSchemes(schemes[:min(limit, len(schemes))]...)
		})
	case AxisCipher:
	default:
		return true
	}
	limit := r.limits[TooManyCiphers]
	if limit == 0 {
		return true
	}
	suites := union(meet(next.hello.CipherSuites, []wire.CipherSuite{r.accepted.x.CipherSuite}), next.hello.CipherSuites)
	t := trial{next.hello.Clone(), next.proxy}
	t.hello.CipherSuites = suites[:min(limit, len(suites))]
	b, ok := r.believe(fmt.Sprintf("with %d of its cipher suites", len(t.hello.CipherSuites)), t)
	if ok && b.works {
		r.keep(t, b)
	}
	return ok
}

// takeFew takes as many of a list as the endpoint takes.
func (r *run) takeFew(id string, next trial, edit func(h *probe.Hello, limit int)) bool {
	limit := r.limits[id]
	if limit == 0 {
		return true
	}
	t := trial{next.hello.Clone(), next.proxy}
	edit(t.hello, limit)
	makeSound(t.hello, r.failing.hello)
	b, ok := r.believe(fmt.Sprintf("with %d of them", limit), t)
	if ok && b.works {
		r.keep(t, b)
	}
	return ok
}

// isEvenness finds out whether a step fails only because the number of suites is odd then, or even: with one of them said twice it
// works, and with two it does not.
func (r *run) isEvenness(next trial, a answer) bool {
	n := len(next.hello.CipherSuites)
	if r.evenness != nil || next.hello.SSLv2 || n == 0 || n%2 == len(r.working.hello.CipherSuites)%2 || r.spare() < 3 {
		return false
	}
	twice := func(times int) answer {
		t := trial{next.hello.Clone(), next.proxy}
		for range times {
			t.hello.CipherSuites = append(t.hello.CipherSuites, t.hello.CipherSuites[n-1])
		}
		return r.send(fmt.Sprintf("with the last cipher suite said %d times more, %d in all", times, n+times), t)
	}
	p := twice(1)
	if p.x == nil || !p.works {
		return false
	}
	if q := twice(2); q.x == nil || q.works || kind(q.x) != kind(a.x) {
		return false
	}
	rest, word := (n+1)%2, "odd"
	if n%2 == 0 {
		word = "even"
	}
	r.evenness = &rest
	r.add(found{axis: AxisCipher, id: CipherCountIntolerance, offered: []string{fmt.Sprint(len(r.failing.hello.InTLSFormat().CipherSuites))},
		evidence: fmt.Sprintf("%d cipher suites: %s; the same with the last one said twice: accepted; said three times: %s", n, a.x.Describe(), a.x.Describe()),
		sentence: fmt.Sprintf("The endpoint fails when the number of cipher suites is %s, whichever they are; the client sends %d.", word, len(r.failing.hello.InTLSFormat().CipherSuites)),
		fix:      "Update the endpoint, or what stands before it; until then let the client offer one suite more or less."})
	return true
}

// countAlone reports whether so many of a kind are refused in a hello that has little of the rest, too; otherwise what of the rest they have
// to come together with, where that is one part.
func (r *run) countAlone(c countable, high int) (others string, alone bool) {
	used := r.accepted.x
	parts := []trait{
		{AxisCipher, "the other cipher suites", func(h *probe.Hello) {
			if slices.Contains(h.CipherSuites, used.CipherSuite) {
				setSuites(h, []wire.CipherSuite{used.CipherSuite})
			}
		}},
		{AxisGroup, "the other groups", func(h *probe.Hello) {
			if used.Group != 0 {
				h.SetGroups(meet(h.Groups(), []wire.NamedGroup{used.Group, wire.GroupSecp256r1})...)
				makeSound(h, r.failing.hello)
			}
		}},
		{AxisSignature, "the other signature schemes", func(h *probe.Hello) {
			if used.Scheme != 0 {
				h.SetSignatureSchemes(meet(h.SignatureSchemes(), []wire.SignatureScheme{used.Scheme, wire.SchemeRSAPKCS1SHA256, wire.SchemeECDSASecp256r1SHA256})...)
			}
		}},
		{AxisALPN, "ALPN", func(h *probe.Hello) { h.SetALPN() }},
	}
	parts = slices.DeleteFunc(parts, func(t trait) bool { return t.axis == c.axis })
	try := func(change string, parts ...trait) bool {
		if r.spare() < 2 {
			return false
		}
		p := r.send(change, r.with(func(h *probe.Hello) {
			for _, t := range parts {
				t.drop(h)
			}
			c.fill(h, high, false)
		}))
		return p.works
	}
	if !try(fmt.Sprintf("%d %s, and little of the rest", high, c.what), parts...) {
		return "", true
	}
	for _, t := range parts {
		if try(fmt.Sprintf("%d %s, without %s", high, c.what, t.name), t) {
			if others != "" {
				return "", false
			}
			others = t.name
		}
	}
	return others, false
}
