package why

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func (r *run) addRenegotiation(a answer) {
	r.add(found{axis: AxisExtension, id: RenegotiationIndication, accepted: []string{wire.ExtensionRenegotiationInfo.String()},
		evidence: fmt.Sprintf("without renegotiation_info and its signalling suite: %s; with it: %s", a.x.Describe(), r.accepted.x.Describe()),
		sentence: "The endpoint requires that the client knows secure renegotiation (RFC 5746), and the client does not say so.",
		fix:      "Update the client."})
}

// refineExtensions: extensions were taken away or added, or the rest of the message was taken over, and that fails.
func (r *run) refineExtensions(s step, next trial, a answer) bool {
	f := r.failing.hello.InTLSFormat()
	switch s.change {
	case noSessionID:
		r.add(found{axis: AxisExtension, id: SessionIDIntolerance,
			evidence: fmt.Sprintf("without a session id: %s; with one: %s", a.x.Describe(), r.accepted.x.Describe()),
			sentence: "The endpoint fails on hellos without a session id, which it must not need (RFC 8446, Section 4.1.2).",
			fix:      "Update the endpoint, or what stands before it; until then let the client send one (TLS 1.3's middlebox compatibility mode)."})
		r.keepsID = true
		return true
	case "none but its extensions":
		return r.required(f)
	case itsExtensions:
		return r.intolerable(withoutGREASE(f))
	case itsGREASE:
		return r.refineGREASE(a)
	}
	edits := []struct {
		id, what string
		edit     func(*probe.Hello)
	}{
		{CompressionIntolerance, "compression methods", func(h *probe.Hello) { h.CompressionMethods = bytes.Clone(f.CompressionMethods) }},
		{SessionIDIntolerance, "session id", func(h *probe.Hello) { h.SessionID = bytes.Clone(f.SessionID) }},
	}
	for _, e := range edits {
		t := r.with(e.edit)
		if same(t.hello, r.working.hello) {
			continue
		}
		if e.id == SessionIDIntolerance && r.keepsID {
			continue
		}
		b, ok := r.believe("with its "+e.what, t)
		if !ok {
			return false
		}
		if b.works {
			r.keep(t, b)
			continue
		}
		if e.id == SessionIDIntolerance && len(r.working.hello.SessionID) == 0 {
			r.addAlone(found{axis: AxisExtension, id: e.id,
				evidence: fmt.Sprintf("with a session id of %d bytes: %s; without one: accepted", len(f.SessionID), b.x.Describe()),
				sentence: "The endpoint fails on hellos that have a session id, as clients of TLS 1.3 send it in its middlebox compatibility mode (RFC 8446, Appendix D.4).",
				fix:      "Update the endpoint, or what stands before it."}, "a session id", t, 0, 0)
			continue
		}
		r.add(found{axis: AxisExtension, id: e.id,
			evidence: fmt.Sprintf("with the client's %s: %s; with others: accepted", e.what, b.x.Describe()),
			sentence: fmt.Sprintf("The endpoint fails on the client's %s.", e.what), fix: "Update the endpoint."})
	}
	return true
}

// required looks for the extensions without which the endpoint fails.
func (r *run) required(f *probe.Hello) bool {
	for _, t := range typesOf(r.working.hello) {
		if f.Has(t) || r.needed(r.working.hello, t) {
			continue
		}
		less := r.with(func(h *probe.Hello) { h.Remove(t) })
		a, ok := r.believe("without "+t.String(), less)
		if !ok {
			return false
		}
		if a.works {
			r.keep(less, a)
			continue
		}
		if t == wire.ExtensionRenegotiationInfo {
			r.addRenegotiation(a)
			continue
		}
		r.add(found{axis: AxisExtension, id: ExtensionRequired, accepted: []string{t.String()},
			evidence: fmt.Sprintf("without %s: %s; with it: %s", t, a.x.Describe(), r.accepted.x.Describe()),
			sentence: fmt.Sprintf("The endpoint requires the extension %s, which the client does not send.", t),
			fix:      "Update the client, or turn the requirement off at the endpoint.",
			denies:   func(x *probe.Exchange) bool { return r.alike(x) && !x.Hello.Has(t) }})
	}
	return true
}

// intolerable looks for the extensions that the endpoint fails on: it adds what it accepts, half by half.
func (r *run) intolerable(f *probe.Hello) bool {
	var extra []probe.Extension
	for _, e := range f.Extensions {
		if walked(e.Type) || stale(e.Type) || r.size != nil && e.Type == wire.ExtensionPadding {
			continue
		}
		if body, ok := r.working.hello.Extension(e.Type); !ok || !bytes.Equal(body, e.Body) {
			extra = append(extra, e)
		}
	}
	before := len(r.causes)
	if !r.addAll(extra) {
		return false
	}
	ordered := r.with(func(h *probe.Hello) { h.Reorder(typesOf(f)...); saysItOnce(h, f) })
	if same(ordered.hello, r.working.hello) {
		return true
	}
	a, ok := r.believe("with its order of extensions", ordered)
	switch {
	case !ok:
		return false
	case a.works:
		r.keep(ordered, a)
	case len(r.causes) == before:
		r.add(found{axis: AxisExtension, id: ExtensionOrder,
			evidence: fmt.Sprintf("with the client's order of extensions: %s; in another order: accepted", a.x.Describe()),
			sentence: "The endpoint fails on the order of the client's extensions, which by RFC 8446, Section 4.2 means nothing.",
			fix:      "Update the endpoint."})
	}
	return true
}

// addAll adds extensions to the hello that works; those that it stops working with are causes.
func (r *run) addAll(extra []probe.Extension) bool {
	if len(extra) == 0 {
		return true
	}
	if r.spare() < 3 {
		r.unfinished("its extensions")
		return true
	}
	more := r.with(func(h *probe.Hello) {
		for _, e := range extra {
			h.Set(e.Type, bytes.Clone(e.Body))
		}
	})
	if r.tooLarge(more.hello) || r.overCount(more.hello) {
		if len(extra) == 1 {
			return true
		}
	} else {
		var a answer
		var ok bool
		if r.unknown || len(extra) > 1 { // more of what is known by now, or a part of what is believed to fail
			a = r.send("with "+extensionNames(extra), more)
			ok = a.x != nil
		} else {
			a, ok = r.believe("with "+extensionNames(extra), more)
		}
		if !ok {
			return false
		}
		if a.works {
			r.keep(more, a)
			return true
		}
		if r.unknown && len(extra) == 1 {
			r.noteUnknown(extra[0].Type)
			return true
		}
		if len(extra) == 1 {
			if more.hello.Size() > r.largest && r.isSize(more, a) {
				return r.tooLarge(more.hello) || r.addAll(extra)
			}
			if r.cut || r.isCount(more, a) {
				return !r.cut
			}
			t := extra[0].Type
			if r.isPlace(t, more, a) {
				return !r.cut
			}
			f := found{axis: AxisExtension, id: ExtensionIntolerance, offered: []string{t.String()},
				evidence: fmt.Sprintf("with %s: %s; without it: accepted", t, a.x.Describe()),
				sentence: fmt.Sprintf("The endpoint fails as soon as the extension %s is sent, instead of ignoring what it does not know (RFC 8446, Section 4.1.2).", extensionName(t)),
				fix:      "Update the endpoint, or what stands before it; until then let the client leave the extension out.",
				denies:   func(x *probe.Exchange) bool { return x.Hello.Has(t) }}
			if reads(a.x) && registered(t) {
				f.sentence = fmt.Sprintf("The endpoint reads the extension %s, and does not take what the client says in it (%d bytes): it finds that malformed or forbidden (%s).", t, len(extra[0].Body), a.x.Describe())
				f.fix = "Hold what the client puts into the extension against its RFC; if that is right, update the endpoint, or what stands before it."
				body := bytes.Clone(extra[0].Body)
				f.denies = func(x *probe.Exchange) bool { own, ok := x.Hello.Extension(t); return ok && bytes.Equal(own, body) }
			}
			r.addAlone(f, "the extension "+t.String(), more, t, 0)
			return !r.cut
		}
	}
	half := len(extra) / 2
	return r.addAll(extra[:half]) && r.addAll(extra[half:])
}

func extensionNames(extra []probe.Extension) string {
	var types []wire.ExtensionType
	for _, e := range extra {
		types = append(types, e.Type)
	}
	return listed(types)
}

// reads reports whether an endpoint says by its alert that it has looked into what it refuses (RFC 8446, Section 6.2).
func reads(x *probe.Exchange) bool {
	return x.Alert != nil && (x.Alert.Description == wire.AlertDecodeError || x.Alert.Description == wire.AlertIllegalParameter)
}

// registered reports whether an extension has a name: an endpoint may know it.
func registered(t wire.ExtensionType) bool {
	return !wire.IsGREASE(t) && !strings.HasPrefix(t.String(), "0x")
}

func extensionName(t wire.ExtensionType) string {
	if wire.IsGREASE(t) {
		return t.String() + " (GREASE, which is sent to find endpoints like this one)"
	}
	return t.String()
}

// isPlace finds out whether the endpoint fails on an extension only because it is the last one, which some do when it is empty.
func (r *run) isPlace(t wire.ExtensionType, more trial, a answer) bool {
	if len(more.hello.Extensions) < 2 || more.hello.Extensions[len(more.hello.Extensions)-1].Type != t || r.spare() < 3 {
		return false
	}
	first := trial{more.hello.Clone(), more.proxy}
	first.hello.Reorder(t)
	p := r.send("with "+t.String()+" as the first extension", first)
	if p.x == nil || !p.works {
		return false
	}
	body, _ := more.hello.Extension(t)
	what := "the last extension is " + t.String()
	if len(body) == 0 {
		what = "the last extension is empty"
	}
	r.keep(first, p)
	r.add(found{axis: AxisExtension, id: ExtensionOrder, offered: []string{t.String()},
		evidence: fmt.Sprintf("with %s as the last extension: %s; as the first one: accepted", t, a.x.Describe()),
		sentence: fmt.Sprintf("The endpoint fails when %s, as it is in the client's order or was in the experiment's; their order means nothing (RFC 8446, Section 4.2).", what),
		fix:      "Update the endpoint; until then let the client put another extension last (padding, for one)."})
	return true
}

// privateExtension is one that nobody knows (RFC 8447, Section 7).
const privateExtension = wire.ExtensionType(0xFF10)

// anyUnknown finds out whether the endpoint fails not on one extension but on each that it does not know: on one that nobody does, and not
// on one more that is old.
func (r *run) anyUnknown(a answer) bool {
	if r.unknown || len(r.working.hello.Extensions) == 0 || r.spare() < 4 {
		return false
	}
	with := func(change string, t wire.ExtensionType, body []byte) answer {
		return r.send(change, r.with(func(h *probe.Hello) { h.Set(t, body) }))
	}
	p := with("with an extension that nobody knows", privateExtension, []byte{0})
	if p.x == nil || p.works || kind(p.x) != kind(a.x) {
		return false
	}
	for _, known := range [...]probe.Extension{{Type: wire.ExtensionStatusRequest, Body: []byte{1, 0, 0, 0, 0}}, {Type: wire.ExtensionSessionTicket}, {Type: wire.ExtensionSCT}} {
		if r.working.hello.Has(known.Type) {
			continue
		}
		if q := with("with one that everybody knows, "+known.Type.String(), known.Type, known.Body); q.x == nil || !q.works {
			return false
		}
		break
	}
	r.unknown = true
	r.add(found{axis: AxisExtension, id: UnknownIntolerance,
		evidence: fmt.Sprintf("with an extension of private use (0x%04X): %s; without: accepted", uint16(privateExtension), p.x.Describe()),
		sentence: "The endpoint fails on every extension that it does not know, instead of ignoring them (RFC 8446, Section 4.1.2).",
		fix:      "Update the endpoint, or what stands before it: it will fail on everything new as well."})
	return true
}

// noteUnknown adds an extension of the client's to those that the endpoint does not know.
func (r *run) noteUnknown(t wire.ExtensionType) {
	for i := range r.result.Causes {
		if c := &r.result.Causes[i]; c.ID == UnknownIntolerance {
			c.Offered = append(c.Offered, t.String())
		}
	}
}
