package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// itsGREASE is the step that adds the reserved values of the hello in question (RFC 8701), of all kinds. Until then the walk goes without
// them: an endpoint that minds them mostly minds them all.
const itsGREASE = "its GREASE values"

// greaseKind is a place where a hello may have reserved values.
type greaseKind struct {
	axis Axis
	name string
	of   func(h *probe.Hello) []string
	add  func(h, f *probe.Hello)
}

func reserved[T ~uint16](values []T) []T {
	return slices.DeleteFunc(slices.Clone(values), func(v T) bool { return !wire.IsGREASE(v) })
}

func unreserved[T ~uint16](values []T) []T {
	return slices.DeleteFunc(slices.Clone(values), wire.IsGREASE[T])
}

// mixed puts the reserved values of theirs into own, where they stand in theirs.
func mixed[T ~uint16](own, theirs []T) []T {
	for i, v := range theirs {
		if wire.IsGREASE(v) && !slices.Contains(own, v) {
			own = slices.Insert(slices.Clone(own), min(i, len(own)), v)
		}
	}
	return own
}

func hexadecimal[T ~uint16](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprintf("0x%04X", uint16(v)))
	}
	return out
}

func greaseKinds() []greaseKind {
	return []greaseKind{
		{AxisCipher, "cipher suites", func(h *probe.Hello) []string { return hexadecimal(reserved(h.CipherSuites)) },
			func(h, f *probe.Hello) { h.CipherSuites = mixed(h.CipherSuites, f.CipherSuites) }},
		{AxisGroup, "groups", func(h *probe.Hello) []string { return hexadecimal(reserved(h.Groups())) },
			func(h, f *probe.Hello) { h.SetGroups(mixed(h.Groups(), f.Groups())...) }},
		{AxisKeyShare, "key shares", func(h *probe.Hello) []string { return hexadecimal(reserved(h.KeyShareGroups())) },
			func(h, f *probe.Hello) {
				if h.Has(wire.ExtensionKeyShare) {
					h.SetGroups(mixed(h.Groups(), f.Groups())...)
					h.SetKeyShares(mixed(h.KeyShareGroups(), f.KeyShareGroups())...)
				}
			}},
		{AxisVersion, "versions", func(h *probe.Hello) []string { return hexadecimal(reserved(h.Versions())) },
			func(h, f *probe.Hello) {
				if len(h.Versions()) > 0 {
					h.SetVersions(mixed(h.Versions(), f.Versions())...)
				}
			}},
		{AxisSignature, "signature schemes", func(h *probe.Hello) []string { return hexadecimal(reserved(h.SignatureSchemes())) },
			func(h, f *probe.Hello) { h.SetSignatureSchemes(mixed(h.SignatureSchemes(), f.SignatureSchemes())...) }},
		{AxisExtension, "extensions", func(h *probe.Hello) []string { return hexadecimal(reserved(typesOf(h))) },
			func(h, f *probe.Hello) {
				for _, e := range f.Extensions {
					if wire.IsGREASE(e.Type) {
						h.Set(e.Type, slices.Clone(e.Body))
					}
				}
				h.Reorder(typesOf(f)...)
			}},
	}
}

// withoutGREASE is a hello without reserved values.
func withoutGREASE(h *probe.Hello) *probe.Hello {
	c := h.Clone()
	if h.SSLv2 {
		return c
	}
	c.CipherSuites = unreserved(c.CipherSuites)
	if groups := unreserved(c.Groups()); len(groups) < len(c.Groups()) {
		c.SetGroups(groups...)
	}
	if shares := unreserved(c.KeyShareGroups()); len(shares) < len(c.KeyShareGroups()) {
		c.KeepKeyShares(shares...)
	}
	if versions := unreserved(c.Versions()); len(versions) < len(c.Versions()) {
		c.SetVersions(versions...)
	}
	if schemes := unreserved(c.SignatureSchemes()); len(schemes) < len(c.SignatureSchemes()) {
		c.SetSignatureSchemes(schemes...)
	}
	for _, t := range typesOf(c) {
		if wire.IsGREASE(t) {
			c.Remove(t)
		}
	}
	return c
}

// takeGREASE adds the reserved values of the hello in question.
func takeGREASE(r *run, h, _ *probe.Hello) {
	f := r.failing.hello
	for _, k := range greaseKinds() {
		if !f.SSLv2 && len(k.of(f)) > 0 {
			k.add(h, f)
		}
	}
}

// refineGREASE: with all reserved values of the hello in question the endpoint fails. Which kinds of them it is?
func (r *run) refineGREASE(a answer) bool {
	f := r.failing.hello
	var bad []greaseKind
	var values []string
	for _, k := range greaseKinds() {
		if len(k.of(f)) == 0 || k.axis == AxisKeyShare && len(bad) > 0 && bad[len(bad)-1].axis == AxisGroup || k.axis == AxisExtension && r.unknown {
			continue
		}
		if r.spare() < 2 {
			r.cut = true
			return false
		}
		t := r.with(func(h *probe.Hello) { k.add(h, f) })
		if same(t.hello, r.working.hello) || r.overCount(t.hello) {
			continue // with more of them nothing follows
		}
		p := r.send("with its GREASE "+k.name, t)
		switch {
		case p.x == nil:
			return false
		case p.works:
			r.keep(t, p)
		case r.notReserved(k, f):
			// It is not that the values are reserved, but where they stand, or that there is one more.
		default:
			bad, values = append(bad, k), append(values, k.of(f)...)
		}
	}
	switch {
	case len(bad) == 0 && (r.unknown || len(r.limits) > 0 || len(r.causes) > 0):
		return true // they are extensions that it does not know, or too many, as others
	case len(bad) == 0:
		r.result.Tried = append(r.result.Tried, "with its GREASE values: "+a.x.Describe()+", and accepted with each kind of them alone")
		return true
	case len(bad) == 1 && bad[0].axis == AxisVersion:
		if done, ok := r.manyVersions(a); done {
			return ok
		}
	}
	axis := AxisExtension // of several kinds none is more to blame than the others
	var kinds []string
	for _, k := range bad {
		kinds = append(kinds, k.name)
	}
	if len(bad) == 1 {
		axis = bad[0].axis
	}
	c := found{axis: axis, id: GREASEIntolerance, offered: values,
		evidence: fmt.Sprintf("with reserved values among the %s (%s): %s; without them: accepted", strings.Join(kinds, ", "), strings.Join(values, ", "), a.x.Describe()),
		sentence: fmt.Sprintf("The endpoint fails on reserved values (GREASE, RFC 8701) among the client's %s, instead of ignoring what it does not know: clients of today send them to find endpoints like this one.", strings.Join(kinds, ", ")),
		fix:      "Update the endpoint, or what stands before it: it will fail on everything new as well."}
	c.denies = func(x *probe.Exchange) bool {
		return slices.ContainsFunc(bad, func(k greaseKind) bool { return len(k.of(x.Hello)) > 0 })
	}
	if len(bad) > 1 {
		r.add(c)
		return true
	}
	var extension wire.ExtensionType
	if axis == AxisExtension {
		extension = reserved(typesOf(f))[0]
	}
	t := r.with(func(h *probe.Hello) { bad[0].add(h, f) })
	r.addAlone(c, "GREASE "+bad[0].name, t, extension, 0)
	return !r.cut
}

// notReserved reports whether the endpoint takes the reserved values of a kind elsewhere in the list, or refuses ordinary ones in their place.
func (r *run) notReserved(k greaseKind, f *probe.Hello) bool {
	if r.spare() < 3 {
		return false
	}
	if k.axis == AxisKeyShare {
		own := r.working.hello.KeyShareGroups()
		other := firstShare(lessOf(commonShares(), own), &probe.Hello{})
		if len(own) == 0 {
			return false
		}
		last := r.with(func(h *probe.Hello) { // the others first, as many as there are
			h.SetGroups(append(unreserved(h.Groups()), reserved(f.Groups())...)...)
			h.SetKeyShares(union(own, reserved(f.KeyShareGroups()))...)
		})
		if first := r.with(func(h *probe.Hello) { k.add(h, f) }); !slices.Equal(first.hello.KeyShareGroups(), last.hello.KeyShareGroups()) {
			p := r.send("with its GREASE key shares behind the others", last)
			if p.x == nil {
				return false
			}
			if p.works {
				r.keep(last, p)
				if !slices.ContainsFunc(r.causes, func(c found) bool { return c.id == KeyShareOrder }) {
					r.addShareOrder(names(first.hello.KeyShareGroups()), names(last.hello.KeyShareGroups()), r.failure)
				}
				return true
			}
		}
		if len(other) == 0 {
			return false
		}
		p := r.send(fmt.Sprintf("with a key share of %s in the place of the reserved one", other[0]), r.with(func(h *probe.Hello) {
			h.SetGroups(union(h.Groups(), other)...)
			h.SetKeyShares(append(slices.Clone(own), other...)...)
		}))
		return p.x != nil && !p.works && !r.nothingFollows(p)
	}
	behind := r.with(func(h *probe.Hello) {
		switch k.axis {
		case AxisCipher:
			h.CipherSuites = union(h.CipherSuites, reserved(f.CipherSuites))
		case AxisGroup:
			h.SetGroups(union(h.Groups(), reserved(f.Groups()))...)
		case AxisSignature:
			h.SetSignatureSchemes(union(h.SignatureSchemes(), reserved(f.SignatureSchemes()))...)
		case AxisVersion:
			h.SetVersions(union(h.Versions(), reserved(f.Versions()))...)
		case AxisExtension:
			for _, e := range f.Extensions {
				if wire.IsGREASE(e.Type) {
					h.Set(e.Type, slices.Clone(e.Body))
				}
			}
			if n := len(h.Extensions); n > 1 { // neither the first nor the last one, which may matter
				h.Extensions = append(r.working.hello.Clone().Extensions[:1:1], append(h.Extensions[len(r.working.hello.Extensions):], h.Extensions[1:len(r.working.hello.Extensions)]...)...)
			}
		}
	})
	if len(r.working.hello.Extensions) == 0 || same(behind.hello, r.with(func(h *probe.Hello) { k.add(h, f) }).hello) {
		return false
	}
	p := r.send("with its GREASE "+k.name+" elsewhere in the list", behind)
	if p.x == nil || !p.works {
		return false
	}
	r.keep(behind, p)
	id, axis := map[Axis]string{AxisCipher: CipherOrder, AxisGroup: GroupOrder, AxisSignature: SignatureOrder, AxisVersion: VersionIntolerance, AxisExtension: ExtensionOrder}[k.axis], k.axis
	if !slices.ContainsFunc(r.causes, func(c found) bool { return c.id == id }) {
		r.add(found{axis: axis, id: id, offered: k.of(f),
			evidence: fmt.Sprintf("with reserved values (GREASE) among the %s where the client has them: refused; elsewhere in the list: %s", k.name, p.x.Describe()),
			sentence: fmt.Sprintf("The endpoint fails on the order of the client's %s: it takes the reserved values (GREASE) elsewhere in the list.", k.name),
			fix:      "Update the endpoint, or what stands before it: the order is no reason to fail."})
	}
	return true
}

// manyVersions finds out whether it is not the reserved version but the number of versions that the endpoint fails on.
func (r *run) manyVersions(a answer) (done, ok bool) {
	offered, all := versionsOf(r.failing.hello), names(r.failing.hello.Versions())
	if r.spare() < 2 || slices.Contains(offered, wire.VersionTLS11) {
		return false, true
	}
	t := r.with(func(h *probe.Hello) { h.SetVersions(append(slices.Clone(offered), wire.VersionTLS11)...) })
	p := r.send("with TLSv1.1 in the place of the GREASE version", t)
	if p.x == nil {
		return true, false
	}
	if p.works {
		return false, true
	}
	if first := r.accepted.x.Version; len(offered) > 1 && slices.Contains(offered, first) && r.spare() > 2 {
		q := r.send("with TLSv1.1 in the place of another version", r.with(func(h *probe.Hello) { h.SetVersions(first, wire.VersionTLS11) }))
		if q.x == nil {
			return true, false
		}
		if !q.works { // no more than are taken: it is that version
			return false, true
		}
	}
	r.add(found{axis: AxisVersion, id: VersionIntolerance, offered: all, accepted: names(offered),
		evidence: fmt.Sprintf("with %s: %s, also with TLSv1.1 in the place of the reserved one; with %s: accepted", strings.Join(all, ", "), a.x.Describe(), listed(offered)),
		sentence: fmt.Sprintf("The endpoint fails when so many versions are offered (%s), although it accepts %s.", strings.Join(all, ", "), listed(offered)),
		fix:      "Update the endpoint, or what stands before it; until then offer fewer versions."})
	return true, true
}
