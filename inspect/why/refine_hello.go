package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// maxAccepted is how many values an endpoint accepts are looked for.
const maxAccepted = 5

func names[T fmt.Stringer](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

// listed is a list for a sentence.
func listed[T fmt.Stringer](values []T) string {
	const shown = 6
	text := strings.Join(names(values[:min(len(values), shown)]), ", ")
	if len(values) > shown {
		text += fmt.Sprintf(" and %d more", len(values)-shown)
	}
	if text == "" {
		return "none"
	}
	return text
}

// lessOf are the values of all that are not in some.
func lessOf[T comparable](all, some []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(v T) bool { return slices.Contains(some, v) })
}

// union are the values of both, in order.
func union[T comparable](a, b []T) []T { return append(slices.Clone(a), lessOf(b, a)...) }

// meet are the values that are in both.
func meet[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(v T) bool { return !slices.Contains(b, v) })
}

// with is the hello that works with one thing changed.
func (r *run) with(edit func(*probe.Hello)) trial {
	t := trial{r.working.hello.Clone(), r.working.proxy}
	edit(t.hello)
	return t
}

// keep takes a trial as the hello that works.
func (r *run) keep(t trial, a answer) {
	r.working, r.accepted = t, a
}

// culprit looks for the one value of a list that the endpoint fails on; fails sends a part of the list. many is true when no half
// fails alone: then it is the number that matters.
func culprit[T any](values []T, fails func([]T) (bool, bool)) (one T, many, ok bool) {
	for len(values) > 1 {
		half := len(values) / 2
		left, right := values[:half], values[half:]
		failed, alive := fails(left)
		if !alive {
			return one, false, false
		}
		if failed {
			values = left
			continue
		}
		if failed, alive = fails(right); !alive {
			return one, false, false
		}
		if !failed {
			return one, true, true
		}
		values = right
	}
	if len(values) == 0 {
		return one, false, false
	}
	return values[0], false, true
}

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

func lessGREASE[T ~uint16](values []T) []T {
	return slices.DeleteFunc(slices.Clone(values), func(v T) bool { return wire.IsGREASE(v) || uint16(v) == uint16(wire.EmptyRenegotiationInfoSCSV) })
}

// only says of a list that was found out by taking away that there is no more, where that is known.
func only[T fmt.Stringer](accepted []T) string {
	if len(accepted) == 0 {
		return "others"
	}
	if len(accepted) < maxAccepted {
		return "only " + listed(accepted)
	}
	return listed(accepted) + " and perhaps more"
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
	case one == wire.FallbackSCSV:
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
		if one != wire.FallbackSCSV {
			bad := r.with(func(h *probe.Hello) { h.CipherSuites = next.hello.CipherSuites })
			r.addAlone(f, "the cipher suite "+one.String(), bad, 0, 0)
			return !r.cut
		}
	}
	r.add(f)
	return true
}

// refineGroups: next has the groups of the hello in question, and fails.
func (r *run) refineGroups(next trial, a answer) bool {
	offered := slices.DeleteFunc(r.failing.hello.Groups(), wire.IsGREASE[wire.NamedGroup])
	own := r.working.hello.Groups()
	shares := r.working.hello.KeyShareGroups()
	both := r.with(func(h *probe.Hello) { h.SetGroups(union(next.hello.Groups(), own)...) })
	u := r.send("with its groups and those that work", both)
	if u.x == nil {
		return false
	}
	if !u.works {
		return r.groupIntolerance(next, a)
	}
	accepted := r.acceptedGroups()
	if common := meet(accepted, offered); len(common) > 0 && len(shares) > 0 {
		t := trial{next.hello.Clone(), next.proxy}
		t.hello.SetKeyShares(common[0])
		p := r.send("with its groups and a key share of "+common[0].String(), t)
		if p.x == nil {
			return false
		}
		if p.works {
			r.keep(t, p)
			r.addRetry(a, common[:1])
			return true
		}
	}
	r.keep(both, u)
	f := found{axis: AxisGroup, id: NoCommonGroup, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with only the client's groups: %s; with others added: %s", a.x.Describe(), u.x.Describe())
	if len(offered) == 0 {
		f.sentence = fmt.Sprintf("The client names no groups (supported_groups is missing); the endpoint accepts %s.", only(accepted))
	} else {
		f.sentence = fmt.Sprintf("No common group: the client offers %s; the endpoint accepts %s.", listed(offered), only(accepted))
	}
	f.fix = fmt.Sprintf("Enable one of the client's groups at the endpoint (nginx: ssl_ecdh_curve, HAProxy: curves), or let the client offer %s.", listed(accepted[:min(len(accepted), 2)]))
	r.add(f)
	return true
}

// acceptedGroups asks for the groups that the endpoint accepts, one after the other.
func (r *run) acceptedGroups() []wire.NamedGroup {
	if r.accepted.x.Group == 0 {
		return nil
	}
	accepted := []wire.NamedGroup{r.accepted.x.Group}
	for len(accepted) < maxAccepted && r.spare() > 6 {
		t := r.with(func(h *probe.Hello) {
			left := lessOf(h.Groups(), accepted)
			h.SetGroups(left...)
			if h.Has(wire.ExtensionKeyShare) {
				h.SetKeyShares(firstShare(left, h)...)
			}
		})
		if len(t.hello.Groups()) == 0 {
			break
		}
		a := r.send("which other groups it accepts", t)
		if a.x == nil || !a.works || a.x.Group == 0 || slices.Contains(accepted, a.x.Group) {
			break
		}
		accepted = append(accepted, a.x.Group)
	}
	return accepted
}

func (r *run) groupIntolerance(next trial, a answer) bool {
	own := r.working.hello.Groups()
	extra := lessOf(next.hello.Groups(), own)
	f := found{axis: AxisGroup, id: GroupIntolerance, offered: names(next.hello.Groups())}
	one, many, ok := culprit(extra, func(part []wire.NamedGroup) (failed, alive bool) {
		t := r.with(func(h *probe.Hello) { h.SetGroups(append(slices.Clone(part), own...)...) })
		p := r.send(fmt.Sprintf("with the groups %s besides", listed(part)), t)
		return p.x != nil && !p.works, p.x != nil && r.spare() > 0
	})
	switch {
	case !ok || many:
		f.evidence = fmt.Sprintf("with the client's groups: %s, also when those that work are added", a.x.Describe())
		f.sentence = "The endpoint fails because of the groups that the client offers; which one could not be told."
	default:
		f.evidence = fmt.Sprintf("with the group %s: %s; without it: accepted", one, a.x.Describe())
		f.sentence = fmt.Sprintf("The endpoint fails as soon as the group %s is offered, instead of ignoring it.", one)
		t := r.with(func(h *probe.Hello) { h.SetGroups(lessOf(next.hello.Groups(), []wire.NamedGroup{one})...) })
		if p := r.send(fmt.Sprintf("with its groups but %s", one), t); p.x != nil && p.works {
			r.keep(t, p)
		}
	}
	f.fix = "Update the endpoint; until then leave the group out."
	if ok && !many {
		bad := r.with(func(h *probe.Hello) { h.SetGroups(union([]wire.NamedGroup{one}, h.Groups())...) })
		r.addAlone(f, "the group "+one.String(), bad, 0, 0)
		return !r.cut
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
					fix:      "Update the endpoint; until then let the client send one key share."})
				return true
			}
			r.addAlone(found{axis: AxisKeyShare, id: KeyShareIntolerance, offered: names(theirs),
				evidence: fmt.Sprintf("with a key share of %s: %s; without it: accepted", g, p.x.Describe()),
				sentence: fmt.Sprintf("The endpoint fails as soon as a key share of %s is sent, instead of ignoring it.", g),
				fix:      "Update the endpoint; until then leave the key share out."}, "a key share of "+g.String(), t, 0, 0)
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

// refineSchemes: next has the signature schemes of the hello in question, and fails.
func (r *run) refineSchemes(next trial, a answer) bool {
	offered := r.failing.hello.SignatureSchemes()
	own := r.working.hello.SignatureSchemes()
	both := r.with(func(h *probe.Hello) {
		h.SetSignatureSchemes(union(next.hello.SignatureSchemes(), own)...)
		if body, ok := next.hello.Extension(wire.ExtensionSignatureAlgorithmsCert); ok {
			h.Set(wire.ExtensionSignatureAlgorithmsCert, body)
		}
	})
	u := r.send("with its signature schemes and those that work", both)
	if u.x == nil {
		return false
	}
	if !u.works {
		return r.schemeIntolerance(next, a)
	}
	var accepted []wire.SignatureScheme
	for x := r.accepted.x; x != nil && x.Scheme != 0 && !slices.Contains(accepted, x.Scheme); {
		accepted = append(accepted, x.Scheme)
		if len(accepted) == maxAccepted || r.spare() <= 6 {
			break
		}
		t := r.with(func(h *probe.Hello) { h.SetSignatureSchemes(lessOf(own, accepted)...) })
		p := r.send("which other signature schemes it signs with", t)
		if p.x == nil || !p.works {
			break
		}
		x = p.x
	}
	r.keep(both, u)
	f := found{axis: AxisSignature, id: NoCommonSignature, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with only the client's schemes: %s; with others added: %s", a.x.Describe(), u.x.Describe())
	if len(offered) == 0 {
		f.sentence = fmt.Sprintf("The client names no signature schemes, which means SHA-1 (RFC 5246, Section 7.4.1.4.1); the endpoint signs with %s.", only(accepted))
	} else {
		f.sentence = fmt.Sprintf("No common signature scheme: the client offers %s; the endpoint signs with %s%s.", listed(offered), only(accepted), sha1Only(accepted, offered))
	}
	f.fix = fmt.Sprintf("Let the client offer %s, or give the endpoint a certificate whose key can sign with one of the client's schemes.", listed(accepted[:min(len(accepted), 2)]))
	r.add(f)
	return true
}

// sha1Only says what a person should know when SHA-1 is what the two differ in.
func sha1Only(accepted, offered []wire.SignatureScheme) string {
	old := func(s wire.SignatureScheme) bool {
		info, _ := s.Info()
		return info.Hash == "SHA1" || info.Hash == "MD5"
	}
	modern := func(s wire.SignatureScheme) bool { return !old(s) }
	switch {
	case len(accepted) > 0 && !slices.ContainsFunc(accepted, modern):
		return ", that is SHA-1, which clients of today refuse"
	case !slices.ContainsFunc(offered, modern):
		return ": the client knows SHA-1 only"
	}
	return ""
}

func (r *run) schemeIntolerance(next trial, a answer) bool {
	own := r.working.hello.SignatureSchemes()
	extra := lessOf(next.hello.SignatureSchemes(), own)
	f := found{axis: AxisSignature, id: SignatureIntolerance, offered: names(next.hello.SignatureSchemes())}
	f.fix = "Update the endpoint; until then leave the scheme out."
	var poison []wire.SignatureScheme
	for len(extra) > 0 {
		one, many, ok := culprit(extra, func(part []wire.SignatureScheme) (failed, alive bool) {
			t := r.with(func(h *probe.Hello) { h.SetSignatureSchemes(append(slices.Clone(part), own...)...) })
			p := r.send(fmt.Sprintf("with the schemes %s besides", listed(part)), t)
			return p.x != nil && !p.works, p.x != nil && r.spare() > 0
		})
		if !ok || many {
			break
		}
		poison = append(poison, one)
		extra = lessOf(extra, poison)
		t := r.with(func(h *probe.Hello) { h.SetSignatureSchemes(lessOf(next.hello.SignatureSchemes(), poison)...) })
		p := r.send(fmt.Sprintf("with its signature schemes but %s", listed(poison)), t)
		if p.x == nil {
			break
		}
		if p.works {
			r.keep(t, p)
			break
		}
	}
	if len(poison) == 0 {
		f.evidence = fmt.Sprintf("with the client's schemes: %s, also when those that work are added", a.x.Describe())
		f.sentence = "The endpoint fails because of the signature schemes that the client offers; which one could not be told."
	} else {
		f.evidence = fmt.Sprintf("with %s: %s; without: accepted", listed(poison), a.x.Describe())
		f.sentence = fmt.Sprintf("The endpoint fails as soon as the signature scheme %s is offered, instead of ignoring it.", listed(poison))
	}
	r.add(f)
	return true
}
