package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// refineSuites: next has the suites of the hello in question, and fails.
func (r *run) refineSuites(next trial, a answer) bool {
	offered := lessGREASE(next.hello.CipherSuites)
	own := r.working.hello.CipherSuites
	both := r.with(func(h *probe.Hello) { h.CipherSuites = union(next.hello.CipherSuites, own) })
	u := r.send("with its cipher suites and those that work", both)
	if u.x == nil {
		return false
	}
	if !u.works {
		return r.suiteIntolerance(next, a)
	}
	signal := wire.EmptyRenegotiationInfoSCSV
	if slices.Contains(own, signal) && !slices.Contains(next.hello.CipherSuites, signal) && !next.hello.Has(wire.ExtensionRenegotiationInfo) {
		t := r.with(func(h *probe.Hello) { h.CipherSuites = append(slices.Clone(next.hello.CipherSuites), signal) })
		s := r.send("with its cipher suites and TLS_EMPTY_RENEGOTIATION_INFO_SCSV", t)
		if s.x == nil {
			return false
		}
		if s.works {
			r.keep(t, s)
			r.addRenegotiation(a)
			return true
		}
	}
	set, choice, needed := setSuites, func(x *probe.Exchange) wire.CipherSuite { return x.CipherSuite }, false
	unsaid := slices.Contains(own, signal) && !knowsRenegotiation(next.hello) && !knowsRenegotiation(r.failing.hello.InTLSFormat())
	if unsaid { // as the client: without what says that secure renegotiation is known
		set = func(h *probe.Hello, suites []wire.CipherSuite) { h.CipherSuites = slices.Clone(suites) }
	}
	chosen, accepted := acceptedAlone(r, "suite", own, choice, set)
	if unsaid && len(accepted) == 0 && r.spare() > 6 {
		if c, a := acceptedAlone(r, "suite", own, choice, setSuites); len(a) > 0 {
			chosen, accepted, set, needed = c, a, setSuites, true
		}
	}
	if !choosesOnly(chosen, accepted, offered) {
		return r.insists(both, u, listClaim[wire.CipherSuite]{axis: AxisCipher, id: CipherRequired, what: "cipher suites", offered: next.hello.CipherSuites, own: own, chosen: chosen, set: set, refusal: a})
	}
	r.keep(both, u)
	f := found{axis: AxisCipher, id: NoCommonCipher, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with only the client's %d suites: %s; with others added: %s", len(offered), a.x.Describe(), u.x.Describe())
	f.sentence = fmt.Sprintf("No common cipher suite: the client offers %s; the endpoint accepts %s%s.", listed(offered), aloneOf(chosen, accepted), r.keyKind(accepted, offered))
	f.fix = fmt.Sprintf("Enable one of the client's suites at the endpoint, or let the client offer %s.", oneOf(accepted))
	f.denies = deniesSuites(offered)
	r.add(f)
	return !needed || r.signalToo(signal)
}

// signalToo finds out whether the endpoint wants secure renegotiation to be known besides, where the client does not say that it knows it.
func (r *run) signalToo(signal wire.CipherSuite) bool {
	if r.spare() < 4 {
		r.cut = true
		return false
	}
	a, ok := r.believe("without TLS_EMPTY_RENEGOTIATION_INFO_SCSV", r.with(func(h *probe.Hello) { h.CipherSuites = lessOf(h.CipherSuites, []wire.CipherSuite{signal}) }))
	if ok && !a.works {
		r.addRenegotiation(a)
	}
	return ok
}

// knowsRenegotiation reports whether a hello says in either form that its client knows secure renegotiation (RFC 5746, Section 3.4).
func knowsRenegotiation(h *probe.Hello) bool {
	return h.Has(wire.ExtensionRenegotiationInfo) || slices.Contains(h.CipherSuites, wire.EmptyRenegotiationInfoSCSV)
}

// setSuites gives a hello other cipher suites. What says that secure renegotiation is known is no suite, and stays.
func setSuites(h *probe.Hello, suites []wire.CipherSuite) {
	signal := wire.EmptyRenegotiationInfoSCSV
	keep := slices.Contains(h.CipherSuites, signal) && !slices.Contains(suites, signal)
	h.CipherSuites = slices.Clone(suites)
	if keep {
		h.CipherSuites = append(h.CipherSuites, signal)
	}
}

// keyKind adds to a sentence that the suites differ because of the certificate's key.
func (r *run) keyKind(accepted, offered []wire.CipherSuite) string {
	authentication := func(s wire.CipherSuite) string {
		info, _ := s.Info()
		return info.Authentication
	}
	if len(accepted) == 0 {
		return ""
	}
	want := authentication(accepted[0])
	for _, s := range accepted {
		if authentication(s) != want {
			return ""
		}
	}
	if want != "ECDSA" && want != "RSA" && want != "DSS" || slices.ContainsFunc(offered, func(s wire.CipherSuite) bool { return authentication(s) == want }) {
		return ""
	}
	return fmt.Sprintf(", because its certificate has an %s key and the client offers no suite for that", want)
}

// suiteIntolerance looks for the suite that is not endured, or for the number.
func (r *run) suiteIntolerance(next trial, a answer) bool {
	own := r.working.hello.CipherSuites
	if done, ok := orderMatters(r, a, next.hello.CipherSuites, own, found{axis: AxisCipher, id: CipherOrder}, "cipher suites", func(h *probe.Hello, suites []wire.CipherSuite) { h.CipherSuites = suites }); done {
		return ok
	}
	extra := lessOf(next.hello.CipherSuites, own)
	fails := func(part []wire.CipherSuite) (failed, alive bool) {
		t := r.with(func(h *probe.Hello) { h.CipherSuites = append(slices.Clone(part), own...) })
		p := r.send(fmt.Sprintf("with %d more suites", len(part)), t)
		return p.x != nil && !p.works, p.x != nil && r.spare() > 0
	}
	f := found{axis: AxisCipher, id: CipherIntolerance, offered: names(next.hello.CipherSuites)}
	one, many, ok := culprit(extra, fails)
	switch {
	case !ok:
		f.evidence = fmt.Sprintf("with the client's suites: %s, also when those that work are added", a.x.Describe())
		return r.undecided(f)
	case many && r.otherSuitesWork(len(union(extra, own))):
		f.evidence = fmt.Sprintf("with the client's %d suites: %s; with as many others, and with each half of them: accepted", len(next.hello.CipherSuites), a.x.Describe())
		l := list[wire.CipherSuite]{AxisCipher, "cipher suite", next.hello.CipherSuites, own, r.accepted.x.CipherSuite, setSuites}
		if all, ok := l.together(r, nil, extra); ok && len(all) > 1 {
			return l.addTogether(r, f, all, a)
		}
		return !r.cut && r.undecided(f)
	case many:
		f.id = TooManyCiphers
		f.evidence = fmt.Sprintf("with the client's %d suites: %s; with half of them, whichever: accepted", len(next.hello.CipherSuites), a.x.Describe())
		f.sentence = fmt.Sprintf("The endpoint fails on the number of cipher suites: the client offers %d.", len(next.hello.CipherSuites))
		f.fix = "Let the client offer fewer suites; update the endpoint."
	case one == wire.FallbackSCSV && isFallback(a):
		f.id = FallbackRefused
		f.evidence = fmt.Sprintf("with TLS_FALLBACK_SCSV: %s; without: accepted", a.x.Describe())
		f.sentence = "The client says that this is a second try with a lower version (TLS_FALLBACK_SCSV), and the endpoint, which can do better, refuses that as it should: the first try failed, and that is what to look into."
		f.fix = "Find out why the client's first hello, with its highest version, fails."
	default:
		f.evidence = fmt.Sprintf("with %s: %s; without it: accepted", one, a.x.Describe())
		f.sentence = fmt.Sprintf("The endpoint fails as soon as the cipher suite %s is offered, instead of ignoring it.", one)
		f.fix = "Update the endpoint; until then leave the suite out."
	}
	if ok && !many {
		t := r.with(func(h *probe.Hello) {
			h.CipherSuites = slices.DeleteFunc(slices.Clone(next.hello.CipherSuites), func(s wire.CipherSuite) bool { return s == one })
		})
		p := r.send(fmt.Sprintf("with its suites but %s", one), t)
		if p.works {
			r.keep(t, p)
		}
		if f.id != FallbackRefused {
			f.denies = func(x *probe.Exchange) bool { return slices.Contains(x.Hello.CipherSuites, one) }
			l := list[wire.CipherSuite]{AxisCipher, "cipher suite", next.hello.CipherSuites, own, r.accepted.x.CipherSuite, setSuites}
			if one == wire.EmptyRenegotiationInfoSCSV {
				l.set = func(h *probe.Hello, suites []wire.CipherSuite) { h.CipherSuites = suites }
			}
			switch all, ok := l.together(r, []wire.CipherSuite{one}, nil); {
			case !ok:
				return !r.cut && r.undecided(f)
			case len(all) > 1:
				return l.addTogether(r, f, all, a)
			}
			bad := r.with(func(h *probe.Hello) { h.CipherSuites = next.hello.CipherSuites })
			r.addAlone(f, "the cipher suite "+one.String(), bad, 0, 0)
			return r.otherwiseRefused(a, p, t, r.refineSuites)
		}
	}
	r.add(f)
	return true
}

// otherwiseRefused goes on where the client's list is refused in another way when what was found is left out of it: there is more to it.
func (r *run) otherwiseRefused(before, without answer, t trial, refine func(trial, answer) bool) bool {
	if r.cut || without.x == nil || without.works || kind(without.x) == kind(before.x) || r.nothingFollows(without) || r.spare() < 8 {
		return !r.cut
	}
	a, ok := r.believe("with the rest of them", t)
	switch {
	case !ok:
		return false
	case a.works:
		r.keep(t, a)
		return true
	}
	return refine(t, a)
}

// isFallback reports whether an answer is the one that TLS_FALLBACK_SCSV asks for (RFC 7507, Section 3).
func isFallback(a answer) bool {
	return a.x.Alert != nil && a.x.Alert.Description == wire.AlertInappropriateFallback
}
