package why

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// point is a code point of one of a hello's lists.
type point interface {
	~uint16
	fmt.Stringer
}

// acceptedAlone asks what of a list the endpoint chooses, one after the other, and which of that it accepts when nothing else of the
// list is offered: only those may be said to be accepted, since it may need one thing and choose another.
func acceptedAlone[T point](r *run, what string, own []T, choice func(*probe.Exchange) T, set func(*probe.Hello, []T)) (chosen, alone []T) {
	for next := choice(r.accepted.x); next != 0 && slices.Contains(own, next) && !slices.Contains(chosen, next); {
		chosen = append(chosen, next)
		if len(own) > 1 {
			if r.spare() <= 6 {
				break
			}
			a := r.send(fmt.Sprintf("the hello that works, with the %s %s alone", what, next), r.with(func(h *probe.Hello) { set(h, []T{next}) }))
			if a.x == nil {
				break
			}
			if a.works && choice(a.x) == next {
				alone = append(alone, next)
			}
		} else {
			alone = append(alone, next)
		}
		left := lessOf(lessGREASE(own), chosen)
		if len(left) == 0 || len(chosen) == maxAccepted || r.spare() <= 6 {
			break
		}
		a := r.send("which other "+what+"s it accepts", r.with(func(h *probe.Hello) { set(h, left) }))
		if a.x == nil || !a.works || !r.alike(a.x) {
			break
		}
		next = choice(a.x)
	}
	return chosen, alone
}

// choosesOnly reports whether what the endpoint chose explains why it refuses what the client offers: each was enough by itself, and none
// of it is offered.
func choosesOnly[T comparable](chosen, alone, offered []T) bool {
	return len(meet(chosen, offered)) == 0 && (len(chosen) == 0 || len(alone) > 0 && chosen[0] == alone[0])
}

// aloneOf says what the endpoint accepts: only that, where nothing else was chosen beside it.
func aloneOf[T interface {
	comparable
	fmt.Stringer
}](chosen, alone []T) string {
	if len(lessOf(chosen, alone)) > 0 && len(alone) > 0 {
		return listed(alone) + " by itself, and more together with that"
	}
	return only(alone)
}

// oneOf names what a client may offer instead.
func oneOf[T fmt.Stringer](accepted []T) string {
	if len(accepted) == 0 {
		return "more"
	}
	return listed(accepted[:min(len(accepted), 2)])
}

// listClaim is a list of the client's that is refused by itself and accepted with that of the hello that works added, although the two have
// in common what the endpoint chooses.
type listClaim[T point] struct {
	axis                 Axis
	id, what             string
	offered, own, chosen []T
	set                  func(*probe.Hello, []T)
	refusal              answer
	common               func(accepted []T) found // that the two have nothing in common
}

// insists looks for the one value that has to be offered whatever is chosen: with it added to the client's the endpoint accepts them, and
// without it all the others are not enough.
func (r *run) insists(both trial, u answer, c claimed) bool {
	f, decided, ok := c.search(r)
	r.keep(both, u)
	if !ok {
		return false
	}
	if !decided {
		r.doubt(found{id: string(c.about()), evidence: "with the client's: " + c.answer() + "; with others added: " + u.x.Describe() + "; which of them it is could not be told"}, nil)
		r.causal[c.about()] = true
		return true
	}
	r.add(f)
	return true
}

// claimed is a listClaim of any kind.
type claimed interface {
	search(r *run) (f found, decided, ok bool)
	about() Axis
	answer() string
}

func (c listClaim[T]) about() Axis { return c.axis }

func (c listClaim[T]) answer() string { return c.refusal.x.Describe() }

func (c listClaim[T]) search(r *run) (f found, decided, ok bool) {
	works := func(what string, list []T) (bool, bool) {
		if r.spare() < 2 {
			r.cut = true
			return false, false
		}
		a := r.send(what, r.with(func(h *probe.Hello) { c.set(h, list) }))
		return a.works, a.x != nil
	}
	extra := lessOf(c.own, c.offered)
	for len(extra) > 1 {
		half := len(extra) / 2
		left, alive := works(fmt.Sprintf("with its %s and %s", c.what, listed(extra[:half])), union(c.offered, extra[:half]))
		if !alive {
			return f, false, false
		}
		if left {
			extra = extra[:half]
			continue
		}
		right, alive := works(fmt.Sprintf("with its %s and %s", c.what, listed(extra[half:])), union(c.offered, extra[half:]))
		if !alive {
			return f, false, false
		}
		if !right {
			break
		}
		extra = extra[half:]
	}
	if len(extra) == 0 {
		return f, false, true
	}
	without, alive := works(fmt.Sprintf("with all %s but %s", c.what, listed(extra)), lessOf(union(c.offered, c.own), extra))
	if !alive {
		return f, false, false
	}
	if without {
		return f, false, true // others do as well
	}
	one := extra[0]
	if c.common != nil && len(lessOf(extra, c.chosen[:min(1, len(c.chosen))])) == 0 && len(meet(c.chosen, c.offered)) == 0 && !(c.id == GroupRequired && fmt.Sprint(one) == curveOfCertificate(r.accepted.x) && !r.accepted.x.Version.IsTLS13()) {
		return c.common(extra), true, true // it is the only one that it takes
	}
	f = found{axis: c.axis, id: c.id, offered: names(lessGREASE(c.offered)), accepted: names(extra)}
	f.evidence = fmt.Sprintf("with only the client's %s: %s; with %s added: accepted; with all others added but not %s: refused", c.what, c.answer(), listed(extra), listed(extra))
	f.sentence = fmt.Sprintf("The endpoint wants %s to be among the client's %s, whichever it chooses, and the client does not offer it.", listed(extra), c.what)
	f.fix = fmt.Sprintf("Let the client offer %s, or correct what asks for it.", listed(extra))
	if c.id == GroupRequired && fmt.Sprint(one) == curveOfCertificate(r.accepted.x) && !r.accepted.x.Version.IsTLS13() {
		f.sentence = fmt.Sprintf("The endpoint's certificate has a key on the curve %s, which is not among the client's groups: before TLS 1.3 they limit the certificate, too (RFC 8422, Section 5.1.1). Which group the key exchange takes is another matter.", one)
		f.fix = fmt.Sprintf("Let the client offer %s as well, or give the endpoint a certificate with an RSA key or one on a curve of the client's (%s).", one, listed(lessGREASE(c.offered)))
	}
	f.denies = func(x *probe.Exchange) bool {
		return r.alike(x) && len(meet(pointsOf[T](c.axis, x.Hello), extra)) == 0 && usesList(c.axis, x)
	}
	return f, true, true
}

// certificateCurve reports whether a certificate's curve limits what groups a client has to offer, and is not among them.
func (r *run) certificateCurve(offered []wire.NamedGroup) bool {
	x := r.accepted.x
	curve := curveOfCertificate(x)
	return curve != "" && !x.Version.IsTLS13() && x.Group != 0 && !slices.Contains(names(offered), curve)
}

// usesList reports whether an exchange chose anything of a list.
func usesList(axis Axis, x *probe.Exchange) bool {
	switch axis {
	case AxisGroup:
		return x.Group != 0
	case AxisSignature:
		return x.Scheme != 0
	}
	return true
}

// pointsOf is the list of a hello that an axis is about.
func pointsOf[T point](axis Axis, h *probe.Hello) []T {
	var list []T
	switch axis {
	case AxisGroup:
		for _, g := range h.Groups() {
			list = append(list, T(g))
		}
	case AxisSignature:
		for _, s := range h.SignatureSchemes() {
			list = append(list, T(s))
		}
	default:
		for _, s := range h.CipherSuites {
			list = append(list, T(s))
		}
	}
	return list
}
