package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// refineSchemes: next has the signature schemes of the hello in question, and fails.
func (r *run) refineSchemes(next trial, a answer) bool {
	offered := r.failing.hello.SignatureSchemes()
	own := r.working.hello.SignatureSchemes()
	none := len(own) == 0 // the hello that works says nothing of schemes: those that may be common are tried with the client's
	if none {
		own = broadSchemes()
	}
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
	if none {
		r.keep(both, u)
	}
	set := func(h *probe.Hello, schemes []wire.SignatureScheme) { h.SetSignatureSchemes(schemes...) }
	chosen, accepted := acceptedAlone(r, "signature scheme", own, func(x *probe.Exchange) wire.SignatureScheme { return x.Scheme }, set)
	if len(offered) > 0 && !choosesOnly(chosen, accepted, offered) {
		return r.insists(both, u, listClaim[wire.SignatureScheme]{axis: AxisSignature, id: SignatureRequired, what: "signature schemes", offered: next.hello.SignatureSchemes(), own: own, chosen: chosen, set: set, refusal: a})
	}
	r.keep(both, u)
	f := found{axis: AxisSignature, id: NoCommonSignature, offered: names(offered), accepted: names(accepted)}
	f.evidence = fmt.Sprintf("with only the client's schemes: %s; with others added: %s", a.x.Describe(), u.x.Describe())
	if len(offered) == 0 {
		f.sentence = fmt.Sprintf("The client names no signature schemes, which means SHA-1 (RFC 5246, Section 7.4.1.4.1); the endpoint signs with %s.", aloneOf(chosen, accepted))
	} else {
		f.sentence = fmt.Sprintf("No common signature scheme: the client offers %s; the endpoint signs with %s%s.", listed(offered), aloneOf(chosen, accepted), sha1Only(accepted, offered))
	}
	f.fix = fmt.Sprintf("Let the client offer %s, or give the endpoint a certificate whose key can sign with one of the client's schemes.", oneOf(accepted))
	f.denies = func(x *probe.Exchange) bool {
		return r.alike(x) && x.Scheme != 0 && len(offered) > 0 && len(x.Hello.SignatureSchemes()) > 0 && within(x.Hello.SignatureSchemes(), offered)
	}
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
	if done, ok := orderMatters(r, a, next.hello.SignatureSchemes(), own, found{axis: AxisSignature, id: SignatureOrder}, "signature schemes", func(h *probe.Hello, schemes []wire.SignatureScheme) { h.SetSignatureSchemes(schemes...) }); done {
		return ok
	}
	extra := lessOf(next.hello.SignatureSchemes(), own)
	f := found{axis: AxisSignature, id: SignatureIntolerance, offered: names(next.hello.SignatureSchemes())}
	f.fix = "Update the endpoint; until then leave the scheme out."
	var poison []wire.SignatureScheme
	several := false // of them together only
	for len(extra) > 0 {
		one, many, ok := culprit(extra, func(part []wire.SignatureScheme) (failed, alive bool) {
			t := r.with(func(h *probe.Hello) { h.SetSignatureSchemes(append(slices.Clone(part), own...)...) })
			p := r.send(fmt.Sprintf("with the schemes %s besides", listed(part)), t)
			return p.x != nil && !p.works, p.x != nil && r.spare() > 0
		})
		if several = ok && many; !ok || many {
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
	l := list[wire.SignatureScheme]{AxisSignature, "signature scheme", next.hello.SignatureSchemes(), own, r.accepted.x.Scheme, func(h *probe.Hello, schemes []wire.SignatureScheme) { h.SetSignatureSchemes(schemes...) }}
	if len(poison) == 0 {
		f.evidence = fmt.Sprintf("with the client's schemes: %s, also when those that work are added", a.x.Describe())
		if several {
			if all, ok := l.together(r, nil, extra); ok && len(all) > 1 {
				return l.addTogether(r, f, all, a)
			}
		}
		return !r.cut && r.undecided(f)
	}
	f.evidence = fmt.Sprintf("with %s: %s; without: accepted", listed(poison), a.x.Describe())
	f.sentence = fmt.Sprintf("The endpoint fails as soon as the signature scheme %s is offered, instead of ignoring it.", listed(poison))
	f.denies = func(x *probe.Exchange) bool { return len(meet(x.Hello.SignatureSchemes(), poison)) > 0 }
	if len(poison) == 1 {
		switch all, ok := l.together(r, poison, nil); {
		case !ok:
			return !r.cut && r.undecided(f)
		case len(all) > 1:
			return l.addTogether(r, f, all, a)
		}
	}
	r.add(f)
	return true
}
