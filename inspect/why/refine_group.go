package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// refineGroups: next has the groups of the hello in question, and fails.
func (r *run) refineGroups(next trial, a answer) bool {
	offered := slices.DeleteFunc(r.failing.hello.Groups(), wire.IsGREASE[wire.NamedGroup])
	own := r.working.hello.Groups()
	shares := r.working.hello.KeyShareGroups()
	if len(own) == 0 && len(r.working.hello.SignatureSchemes()) == 0 { // with a group it may be that the endpoint has to sign, and says so of groups
		for _, schemes := range [...][]wire.SignatureScheme{r.failing.hello.SignatureSchemes(), broadSchemes()} {
			if len(schemes) == 0 || r.spare() < 4 {
				continue
			}
			t := trial{next.hello.Clone(), next.proxy}
			t.hello.SetSignatureSchemes(schemes...)
			p := r.send("with its groups and signature schemes", t)
			if p.x == nil {
				return false
			}
			if p.works {
				r.keep(t, p)
				return true
			}
		}
	}
	both := r.with(func(h *probe.Hello) { h.SetGroups(union(next.hello.Groups(), own)...) })
	u := r.send("with its groups and those that work", both)
	if u.x == nil {
		return false
	}
	if !u.works {
		return r.groupIntolerance(next, a)
	}
	chosen, accepted := r.acceptedGroups()
	if shared := meet(accepted, offered); len(shared) > 0 && len(shares) > 0 {
		t := trial{next.hello.Clone(), next.proxy}
		t.hello.SetKeyShares(shared[0])
		p := r.send("with its groups and a key share of "+shared[0].String(), t)
		if p.x == nil {
			return false
		}
		if p.works {
			r.keep(t, p)
			r.addRetry(a, shared[:1])
			return true
		}
	}
	set := func(h *probe.Hello, groups []wire.NamedGroup) {
		h.SetGroups(groups...)
		makeSound(h, r.failing.hello)
	}
	common := func(accepted []wire.NamedGroup) found {
		f := found{axis: AxisGroup, id: NoCommonGroup, offered: names(offered), accepted: names(accepted)}
		f.evidence = fmt.Sprintf("with only the client's groups: %s; with others added: %s", a.x.Describe(), u.x.Describe())
		if len(offered) == 0 {
			f.sentence = fmt.Sprintf("The client names no groups (supported_groups is missing); the endpoint accepts %s.", aloneOf(chosen, accepted))
		} else {
			f.sentence = fmt.Sprintf("No common group: the client offers %s; the endpoint accepts %s.", listed(offered), aloneOf(chosen, accepted))
		}
		f.fix = fmt.Sprintf("Enable one of the client's groups at the endpoint (nginx: ssl_ecdh_curve, HAProxy: curves), or let the client offer %s.", oneOf(accepted))
		f.denies = func(x *probe.Exchange) bool {
			return r.alike(x) && x.Group != 0 && len(x.Hello.Groups()) > 0 && len(offered) > 0 && within(x.Hello.Groups(), offered)
		}
		return f
	}
	if len(offered) > 0 && (!choosesOnly(chosen, accepted, offered) || r.certificateCurve(offered)) {
		return r.insists(both, u, listClaim[wire.NamedGroup]{axis: AxisGroup, id: GroupRequired, what: "groups", offered: next.hello.Groups(), own: own, chosen: chosen, set: set, refusal: a, common: common})
	}
	r.keep(both, u)
	r.add(common(accepted))
	return true
}

// acceptedGroups asks which groups the endpoint chooses when what it chose before is not there, and which of them are enough alone.
func (r *run) acceptedGroups() (chosen, alone []wire.NamedGroup) {
	set := func(h *probe.Hello, groups []wire.NamedGroup) {
		h.SetGroups(groups...)
		if h.Has(wire.ExtensionKeyShare) {
			h.SetKeyShares(firstShare(groups, h)...)
		}
	}
	return acceptedAlone(r, "group", r.working.hello.Groups(), func(x *probe.Exchange) wire.NamedGroup { return x.Group }, set)
}

func (r *run) groupIntolerance(next trial, a answer) bool {
	own := r.working.hello.Groups()
	if done, ok := orderMatters(r, a, next.hello.Groups(), own, found{axis: AxisGroup, id: GroupOrder}, "groups", func(h *probe.Hello, groups []wire.NamedGroup) { h.SetGroups(groups...) }); done {
		return ok
	}
	extra := lessOf(next.hello.Groups(), own)
	f := found{axis: AxisGroup, id: GroupIntolerance, offered: names(next.hello.Groups())}
	one, many, ok := culprit(extra, func(part []wire.NamedGroup) (failed, alive bool) {
		t := r.with(func(h *probe.Hello) { h.SetGroups(append(slices.Clone(part), own...)...) })
		p := r.send(fmt.Sprintf("with the groups %s besides", listed(part)), t)
		return p.x != nil && !p.works, p.x != nil && r.spare() > 0
	})
	var less trial
	var without answer
	switch {
	case !ok || many:
		f.evidence = fmt.Sprintf("with the client's groups: %s, also when those that work are added", a.x.Describe())
	default:
		f.evidence = fmt.Sprintf("with the group %s: %s; without it: accepted", one, a.x.Describe())
		f.sentence = fmt.Sprintf("The endpoint fails as soon as the group %s is offered, instead of ignoring it.", one)
		less = r.with(func(h *probe.Hello) {
			h.SetGroups(lessOf(next.hello.Groups(), []wire.NamedGroup{one})...)
			makeSound(h, r.failing.hello)
		})
		if without = r.send(fmt.Sprintf("with its groups but %s", one), less); without.works {
			r.keep(less, without)
		}
	}
	f.fix = "Update the endpoint; until then leave the group out."
	l := list[wire.NamedGroup]{AxisGroup, "group", next.hello.Groups(), own, r.accepted.x.Group, func(h *probe.Hello, groups []wire.NamedGroup) {
		h.SetGroups(groups...)
		makeSound(h, r.failing.hello)
	}}
	if ok && many {
		if all, ok := l.together(r, nil, extra); ok && len(all) > 1 {
			return l.addTogether(r, f, all, a)
		}
	}
	if !ok || many {
		return !r.cut && r.undecided(f)
	}
	if ok && !many {
		f.denies = func(x *probe.Exchange) bool { return slices.Contains(x.Hello.Groups(), one) }
		switch all, ok := l.together(r, []wire.NamedGroup{one}, nil); {
		case !ok:
			return !r.cut && r.undecided(f)
		case len(all) > 1:
			return l.addTogether(r, f, all, a)
		}
		bad := r.with(func(h *probe.Hello) { h.SetGroups(union([]wire.NamedGroup{one}, h.Groups())...) })
		r.addAlone(f, "the group "+one.String(), bad, 0, 0)
		return r.otherwiseRefused(a, without, less, r.refineGroups)
	}
	r.add(f)
	return true
}

// addRetry: a key share in the first hello is what is missing.
func (r *run) addRetry(a answer, wanted []wire.NamedGroup) {
	shares := r.failing.hello.KeyShareGroups()
	f := found{axis: AxisKeyShare, offered: names(shares), accepted: names(wanted)}
	if q := a.x.RetryRequest; q != nil {
		f.id = RetryFailed
		f.evidence = fmt.Sprintf("to key shares of %s it answers HelloRetryRequest for %s, and to the second hello: %s; with a share of %s in the first one: accepted",
			listed(shares), q.Group, a.x.Describe(), listed(wanted))
		f.sentence = fmt.Sprintf("The endpoint asks for another key share by HelloRetryRequest and then fails on the second hello; with a share of %s in the first one all is well.", listed(wanted))
	} else {
		f.id = KeyShareRequired
		f.evidence = fmt.Sprintf("with key shares of %s: %s; with a share of %s: accepted", listed(shares), a.x.Describe(), listed(wanted))
		f.sentence = fmt.Sprintf("The endpoint wants a key share of %s in the first hello: it should ask for it by HelloRetryRequest and does not. The client sends %s.", listed(wanted), listed(shares))
	}
	f.fix = fmt.Sprintf("Update the endpoint (RFC 8446, Section 4.1.4); until then let the client send a key share of %s.", listed(wanted))
	r.add(f)
}

// refineShares: next has the key shares of the hello in question, and fails.
func (r *run) refineShares(next trial, a answer) bool {
	own, theirs := r.working.hello.KeyShareGroups(), next.hello.KeyShareGroups()
	if a.x.RetryRequest == nil && a.x.ServerHello == nil {
		if done, ok := r.orderOfShares(a, own, theirs); done {
			return ok
		}
		// One that is too much?
		for _, g := range theirs {
			if slices.Contains(own, g) || len(theirs) < 2 && len(own) == 0 || r.spare() < 4 {
				continue
			}
			t := r.with(func(h *probe.Hello) { h.SetKeyShares(append([]wire.NamedGroup{g}, own...)...) })
			p := r.send(fmt.Sprintf("with a key share of %s besides", g), t)
			if p.x == nil {
				return false
			}
			if p.works {
				continue
			}
			if again, many := r.anySecondShare(g, own, next.hello.Groups()); again {
				r.add(found{axis: AxisKeyShare, id: KeyShareIntolerance, offered: names(theirs),
					evidence: fmt.Sprintf("with a key share of %s besides: %s, also of %s; with one of %s alone: accepted", g, p.x.Describe(), many, listed(own)),
					sentence: fmt.Sprintf("The endpoint fails as soon as there is another key share beside that of %s, whichever it is; the client sends %d.", listed(own), len(theirs)),
					fix:      "Update the endpoint; until then let the client send one key share.",
					denies:   func(x *probe.Exchange) bool { return len(unreserved(x.Hello.KeyShareGroups())) > 1 }})
				return true
			}
			r.addAlone(found{axis: AxisKeyShare, id: KeyShareIntolerance, offered: names(theirs),
				evidence: fmt.Sprintf("with a key share of %s: %s; without it: accepted", g, p.x.Describe()),
				sentence: fmt.Sprintf("The endpoint fails as soon as a key share of %s is sent, instead of ignoring it.", g),
				fix:      "Update the endpoint; until then leave the key share out.",
				denies:   func(x *probe.Exchange) bool { return slices.Contains(x.Hello.KeyShareGroups(), g) }}, "a key share of "+g.String(), t, 0, 0)
			return !r.cut
		}
	}
	wanted := lessOf(own, theirs)
	if a.x.RetryRequest != nil && a.x.RetryRequest.Group != 0 {
		wanted = []wire.NamedGroup{a.x.RetryRequest.Group}
	}
	if len(wanted) == 0 {
		if r.spare() < 4 {
			r.cut = true
			return false
		}
		r.add(found{axis: AxisKeyShare, id: KeyShareIntolerance, offered: names(theirs),
			evidence: fmt.Sprintf("with key shares of %s: %s; with %s: accepted", listed(theirs), a.x.Describe(), listed(own)),
			sentence: fmt.Sprintf("The endpoint fails on the client's key shares (%s), although it accepts one of %s.", listed(theirs), listed(own)),
			fix:      "Update the endpoint; until then let the client send one key share."})
		return true
	}
	r.addRetry(a, wanted)
	return true
}

// orderOfShares finds out whether it is the order of the key shares: the same ones are accepted, the one that works first. They are in the
// order of the groups (RFC 8446, Section 4.2.8).
func (r *run) orderOfShares(a answer, own, theirs []wire.NamedGroup) (done, ok bool) {
	ordered := union(meet(own, theirs), theirs)
	if len(meet(own, theirs)) == 0 || slices.Equal(ordered, theirs) || r.spare() < 4 {
		return false, true
	}
	t := r.with(func(h *probe.Hello) {
		h.SetGroups(union(ordered, h.Groups())...)
		h.SetKeyShares(ordered...)
	})
	p := r.send("with its key shares, in another order", t)
	if !p.works {
		return p.x == nil, p.x != nil
	}
	r.keep(t, p)
	r.addShareOrder(names(theirs), names(ordered), a)
	return true, true
}

func (r *run) addShareOrder(theirs, ordered []string, refused answer) {
	r.add(found{axis: AxisKeyShare, id: KeyShareOrder, offered: theirs, accepted: ordered,
		evidence: fmt.Sprintf("with key shares of %s: %s; with the same ones in the order %s: accepted", strings.Join(theirs, ", "), refused.x.Describe(), strings.Join(ordered, ", ")),
		sentence: fmt.Sprintf("The endpoint fails on the order of the client's key shares: it takes the same ones when that of %s comes first, and not that of %s.", ordered[0], theirs[0]),
		fix:      "Update the endpoint, or what stands before it: the order is a preference and no reason to fail (RFC 8446, Section 4.2.8)."})
}

// anySecondShare reports whether a second share of some other group fails as well as one of g did.
func (r *run) anySecondShare(g wire.NamedGroup, own, groups []wire.NamedGroup) (fails bool, of wire.NamedGroup) {
	if len(own) == 0 || r.spare() < 3 {
		return false, 0
	}
	other := firstShare(lessOf(groups, append([]wire.NamedGroup{g}, own...)), r.working.hello)
	if len(other) == 0 {
		return false, 0
	}
	a := r.send(fmt.Sprintf("with a key share of %s in its place", other[0]), r.with(func(h *probe.Hello) {
		h.SetGroups(union(h.Groups(), other)...)
		h.SetKeyShares(append(slices.Clone(own), other...)...)
	}))
	return a.x != nil && !a.works && !r.nothingFollows(a), other[0]
}
