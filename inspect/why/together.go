package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// trait is a part of a hello without which a server can do.
type trait struct {
	axis Axis
	name string
	drop func(*probe.Hello)
}

// fewSchemes are as many signature schemes as stay when the others are left out: the one that is used, and those of certificates.
const fewSchemes = 3

// traits are the parts that a hello has, but for those of an axis, or one extension of it.
func (r *run) traits(h *probe.Hello, own Axis, extension wire.ExtensionType) []trait {
	var all []trait
	add := func(axis Axis, name string, drop func(*probe.Hello)) {
		if axis != own && !r.causal[axis] { // what is a cause by itself stays as it works
			all = append(all, trait{axis, name, drop})
		}
	}
	if names := h.ALPN(); len(names) > 0 {
		add(AxisALPN, "ALPN "+quoted(names), func(h *probe.Hello) { h.SetALPN() })
	}
	postQuantum := slices.DeleteFunc(h.Groups(), func(g wire.NamedGroup) bool { info, _ := g.Info(); return !info.PostQuantum })
	if len(postQuantum) > 0 && len(postQuantum) < len(h.Groups()) && own != AxisKeyShare {
		add(AxisGroup, "the group "+listed(postQuantum), func(h *probe.Hello) {
			h.SetGroups(lessOf(h.Groups(), postQuantum)...)
			h.KeepKeyShares(lessOf(h.KeyShareGroups(), postQuantum)...)
		})
	}
	if used := r.accepted.x.CipherSuite; len(h.CipherSuites) > 2 && slices.Contains(h.CipherSuites, used) {
		rest := lessOf(h.CipherSuites, []wire.CipherSuite{used})
		add(AxisCipher, "the other cipher suites", func(h *probe.Hello) { setSuites(h, []wire.CipherSuite{used}) })
		add(AxisCipher, "the cipher suite "+used.String(), func(h *probe.Hello) { h.CipherSuites = rest })
	}
	if spoken := r.accepted.x.Version; own != AxisKeyShare && spoken.IsTLS13() && len(h.Versions()) > 1 && !r.Target.QUIC && slices.Contains(h.Versions(), spoken) {
		add(AxisVersion, "the other versions", func(h *probe.Hello) { h.SetVersions(spoken) })
	}
	if used := r.accepted.x.Scheme; used != 0 && len(h.SignatureSchemes()) > fewSchemes {
		add(AxisSignature, "the other signature schemes", func(h *probe.Hello) {
			h.SetSignatureSchemes(meet(h.SignatureSchemes(), []wire.SignatureScheme{used, wire.SchemeRSAPKCS1SHA256, wire.SchemeECDSASecp256r1SHA256})...)
		})
	}
	if h.ServerName() != "" {
		add(AxisServerName, fmt.Sprintf("the server name %q", h.ServerName()), func(h *probe.Hello) { h.SetServerName("") })
	}
	for _, e := range h.Extensions {
		if walked(e.Type) || quicParameters(e.Type) || e.Type == wire.ExtensionPadding || e.Type == wire.ExtensionPSKKeyExchangeModes || own == AxisExtension && (e.Type == extension || wire.IsGREASE(extension) && wire.IsGREASE(e.Type)) {
			continue
		}
		all = append(all, trait{AxisExtension, e.Type.String(), func(h *probe.Hello) { h.Remove(e.Type) }})
	}
	if len(h.SessionID) > 0 && offersTLS13(h) && (own != AxisExtension || extension != 0) { // a cause without an extension is the session id itself
		all = append(all, trait{"", "a session id", func(h *probe.Hello) { h.SessionID = nil }})
	}
	return all
}

// dropped is a trial without some traits, of the same size if size is not 0.
func (r *run) dropped(t trial, traits []trait, size int) trial {
	d := trial{t.hello.Clone(), t.proxy}
	for _, tr := range traits {
		if tr.axis == AxisCipher && strings.HasPrefix(tr.name, "the cipher suite ") && len(traits) > 1 && slices.ContainsFunc(traits, func(o trait) bool { return o.name == "the other cipher suites" }) {
			continue // one suite has to stay
		}
		tr.drop(d.hello)
	}
	makeSound(d.hello, r.failing.hello)
	if size > 0 {
		d.hello.Pad(size)
	}
	return d
}

// together finds out with what else of the hello a property makes the endpoint fail: t has it and fails. Nothing: it is enough by
// itself. For a size each hello is padded to it. limit is the size that it takes, where size is one of these.
func (r *run) together(t trial, own Axis, extension wire.ExtensionType, size int) (names []string, limit int) {
	all := r.traits(t.hello, own, extension)
	if len(all) == 0 || r.spare() < 3 {
		return nil, 0
	}
	// It alone, in a hello that has nothing of the rest and works without it.
	alone := r.expect("it alone, without the rest", r.dropped(t, all, size))
	if a := alone; a.x == nil || !a.works {
		if a.x == nil || kind(a.x) == r.minded {
			if b := r.send("the hello that works, without the rest", r.dropped(r.working, all, 0)); b.x == nil || b.works {
				return nil, 0
			}
		}
	}
	var smaller []trait // that are accepted when they are left out for want of their bytes
	// present: they are asked for in a hello that stays as large as it is.
	without := func(some []trait, what string, present bool) (works, large bool) {
		d := r.dropped(t, some, size)
		if large = size == 0 && t.hello.Size()-d.hello.Size() > least; large && present {
			d, what = r.dropped(t, some, t.hello.Size()), what+", padded to the same size"
		}
		return r.send("without "+what, d).works, large
	}
	lacks := func(some []trait, what string) bool {
		works, large := without(some, what, smaller != nil)
		if !works || !large || smaller != nil || r.spare() < 1 {
			return works
		}
		if b := r.send("without "+what+", padded to the same size", r.dropped(t, some, t.hello.Size())); b.x != nil && !b.works && kind(b.x) == r.minded {
			smaller = some
			return false
		}
		return true
	}
	var extensions []trait
	for _, tr := range all {
		if tr.axis == AxisExtension {
			extensions = append(extensions, tr)
			continue
		}
		if r.spare() < 2 {
			r.cut = true
			return nil, 0
		}
		if lacks([]trait{tr}, tr.name) {
			names = append(names, tr.name)
		}
	}
	if len(extensions) > 0 && r.spare() > 1 && lacks(extensions, "its other extensions") {
		names = append(names, r.needs(extensions, func(some []trait, what string) bool { works, _ := without(some, what, true); return works }))
	}
	if smaller != nil {
		var words string
		words, limit = r.sizeBesides(t, smaller)
		names = append(names, words)
	}
	if len(names) == 0 && alone.works {
		names = append(names, "something else of the hello, of which no single part could be told") // several parts do as well
	}
	return names, limit
}

// sizeBesides looks for the size that the endpoint takes of a hello that it refuses for that beside other things: it is accepted without some
// of its parts, and not when it is padded to the size that it had.
func (r *run) sizeBesides(t trial, some []trait) (words string, limit int) {
	d := r.dropped(t, some, 0)
	low, high := d.hello.Size(), t.hello.Size()
	pad := pads{r, "without " + traitNames(some), d}
	if !padded(d.hello) {
		low += least
	}
	if low < high && r.spare() > 2 && pad.send(low).works {
		low, high, _ = r.bisect(low, high, r.failure.x.Outcome == probe.OutcomeTimeout, pad.to)
	} else {
		low = d.hello.Size()
	}
	if high-low == 1 {
		return fmt.Sprintf("a size of more than %d bytes", low), low
	}
	return fmt.Sprintf("a size of more than %d bytes (%d fail)", low, high), 0
}

// needs narrows down which of the extensions has to be there, half by half.
func (r *run) needs(some []trait, lacks func([]trait, string) bool) string {
	for len(some) > 1 && r.spare() > 1 {
		half := len(some) / 2
		if lacks(some[:half], traitNames(some[:half])) {
			some = some[:half]
		} else if lacks(some[half:], traitNames(some[half:])) {
			some = some[half:]
		} else {
			return traitNames(some)
		}
	}
	if len(some) > 1 {
		r.cut = true // which of them it is was not looked at
	}
	return traitNames(some)
}

func traitNames(some []trait) string {
	var names []string
	for _, tr := range some {
		names = append(names, tr.name)
	}
	return strings.Join(names, ", ")
}

// addAlone adds a cause that is a property by itself, or says with what else of the hello it is one.
func (r *run) addAlone(f found, what string, t trial, extension wire.ExtensionType, size int) {
	others, limit := r.together(t, f.axis, extension, size)
	if len(others) == 0 {
		r.add(f)
		return
	}
	if limit > 0 {
		f.limit = limit
	}
	f.denies = nil
	f.id, f.together = CombinationIntolerance, append([]string{what}, others...)
	f.evidence += "; also accepted when this is left out: " + strings.Join(others, "; or: ")
	f.sentence = fmt.Sprintf("The endpoint fails on a hello in which these come together: %s. Without any one of them it answers.", strings.Join(f.together, "; "))
	f.fix = "Look for a rule before the endpoint that matches just this hello (a firewall, a filter of fingerprints), and correct it; until then leave one of them out."
	r.add(f)
}
