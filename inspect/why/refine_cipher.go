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
	accepted := r.acceptedSuites()
	r.keep(both, u)
	f := found{axis: AxisCipher, id: NoCommonCipher, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with only the client's %d suites: %s; with others added: %s", len(offered), a.x.Describe(), u.x.Describe())
	f.sentence = fmt.Sprintf("No common cipher suite: the client offers %s; the endpoint accepts %s%s.", listed(offered), only(accepted), r.keyKind(accepted, offered))
	f.fix = fmt.Sprintf("Enable one of the client's suites at the endpoint, or let the client offer %s.", listed(accepted[:min(len(accepted), 2)]))
	r.add(f)
	return true
}

// acceptedSuites asks for the suites that the endpoint accepts, one after the other.
func (r *run) acceptedSuites() []wire.CipherSuite {
	accepted := []wire.CipherSuite{r.accepted.x.CipherSuite}
	for len(accepted) < maxAccepted && r.spare() > 6 {
		t := r.with(func(h *probe.Hello) { h.CipherSuites = lessOf(h.CipherSuites, accepted) })
		if len(lessGREASE(t.hello.CipherSuites)) == 0 {
			break
		}
		a := r.send("which other suites it accepts", t)
		if a.x == nil || !a.works || slices.Contains(accepted, a.x.CipherSuite) {
			break
		}
		accepted = append(accepted, a.x.CipherSuite)
	}
	return accepted
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
	if done, ok := r.suiteOrder(next, a); done {
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
		f.sentence = "The endpoint fails because of a cipher suite that the client offers; which one could not be told."
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
		if p := r.send(fmt.Sprintf("with its suites but %s", one), t); p.x != nil && p.works {
			r.keep(t, p)
		}
		if f.id != FallbackRefused {
			bad := r.with(func(h *probe.Hello) { h.CipherSuites = next.hello.CipherSuites })
			r.addAlone(f, "the cipher suite "+one.String(), bad, 0, 0)
			return !r.cut
		}
	}
	r.add(f)
	return true
}

// isFallback reports whether an answer is the one that TLS_FALLBACK_SCSV asks for (RFC 7507, Section 3).
func isFallback(a answer) bool {
	return a.x.Alert != nil && a.x.Alert.Description == wire.AlertInappropriateFallback
}

// suiteOrder finds out whether it is the order of the suites that the endpoint fails on: with those that work first, and the client's
// behind them, it goes along. done is false where it is not the order.
func (r *run) suiteOrder(next trial, a answer) (done, ok bool) {
	own, theirs := r.working.hello.CipherSuites, next.hello.CipherSuites
	if slices.Equal(meet(theirs, own), meet(own, theirs)) && len(lessOf(theirs, own)) > 0 {
		return false, true
	}
	t := r.with(func(h *probe.Hello) { h.CipherSuites = union(meet(own, theirs), theirs) })
	if slices.Equal(t.hello.CipherSuites, theirs) || len(t.hello.CipherSuites) == 0 {
		return false, true
	}
	p, ok := r.believe("with its cipher suites, in another order", t)
	if !ok || !p.works {
		return !ok, ok
	}
	r.keep(t, p)
	first := t.hello.CipherSuites[0]
	r.add(found{axis: AxisCipher, id: CipherOrder, offered: names(theirs), accepted: names(t.hello.CipherSuites),
		evidence: fmt.Sprintf("the client's suites, %s first: %s; the same suites, %s first: %s", theirs[0], a.x.Describe(), first, p.x.Describe()),
		sentence: fmt.Sprintf("The endpoint fails on the order of the client's cipher suites: it takes the same ones when %s comes first, and not %s.", first, theirs[0]),
		fix:      "Update the endpoint, or what stands before it: the order is a preference and no reason to fail (RFC 8446, Section 4.1.2)."})
	return true, true
}
