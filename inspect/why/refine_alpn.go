package why

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// refineALPN: next has the protocols of the hello in question, and fails.
func (r *run) refineALPN(a answer) bool {
	offered := r.failing.hello.ALPN()
	f := found{axis: AxisALPN, offered: offered}
	if len(offered) == 0 {
		f.id, f.accepted = ALPNRequired, r.working.hello.ALPN()
		f.evidence = fmt.Sprintf("without ALPN: %s; with %s: %s", a.x.Describe(), strings.Join(f.accepted, ", "), r.accepted.x.Describe())
		f.sentence = "The endpoint requires ALPN, and the client offers no protocol."
		f.denies = func(x *probe.Exchange) bool { return len(x.Hello.ALPN()) == 0 }
		f.fix = "Let the client offer " + strings.Join(f.accepted, " or ") + "."
		r.add(f)
		return true
	}
	one, good, ok := r.poison(offered)
	if ok {
		ordered := append(lessOf(offered, []string{one}), one)
		if !slices.Equal(ordered, offered) {
			t := r.with(func(h *probe.Hello) { h.SetALPN(ordered...) })
			p, ok := r.believe("with its protocols in another order", t)
			if !ok {
				return false
			}
			if p.works {
				r.keep(t, p)
				f.id, f.accepted = ALPNOrder, ordered
				f.evidence = fmt.Sprintf("with the protocols %s: %s; with %s: accepted", quoted(offered), a.x.Describe(), quoted(ordered))
				f.sentence = fmt.Sprintf("The endpoint fails on the order of the client's protocols (ALPN): it takes the same ones when %q comes first, and not %q.", ordered[0], offered[0])
				f.fix = "Update the endpoint, or what stands before it: it is the server that chooses (RFC 7301, Section 3.2)."
				r.add(f)
				return true
			}
		}
		f.id, f.offered = ALPNIntolerance, []string{one}
		f.evidence = fmt.Sprintf("with the protocol %q, also beside others that are accepted: %s; without it: accepted", one, a.x.Describe())
		f.sentence = fmt.Sprintf("The endpoint fails as soon as the protocol %q is offered by ALPN.", one)
		f.denies = func(x *probe.Exchange) bool { return slices.Contains(x.Hello.ALPN(), one) }
		f.fix = "Look at the endpoint's settings for this protocol; until then let the client leave it out."
		r.addAlone(f, fmt.Sprintf("ALPN %q", one), r.with(func(h *probe.Hello) { h.SetALPN(offered...) }), 0, 0)
		return !r.cut
	}
	if len(good) > 1 && len(good) == len(offered) {
		return r.severalProtocols(a, offered)
	}
	var accepted []string
	candidates := lessOf([]string{"h2", "http/1.1", "http/1.0", "h3", "h2c", "spdy/3.1", "acme-tls/1", "grpc-exp", "mqtt", "postgresql", "imap", "pop3", "ftp", "xmpp-client", "xmpp-server", "dot", "stun.turn", "webrtc"}, offered)
	for len(candidates) > 0 && len(accepted) < maxAccepted && r.spare() > 2 {
		t := r.with(func(h *probe.Hello) { h.SetALPN(candidates...) })
		p := r.send("which protocols it accepts", t)
		if p.x == nil {
			return false
		}
		if !p.works || p.x.ALPN == "" || !slices.Contains(candidates, p.x.ALPN) {
			break
		}
		if len(accepted) == 0 {
			r.keep(t, p)
		}
		accepted = append(accepted, p.x.ALPN)
		candidates = lessOf(candidates, accepted)
	}
	f.accepted = accepted
	if len(accepted) == 0 && (a.x.Alert == nil || a.x.Alert.Description != wire.AlertNoApplicationProtocol) {
		f.id = ALPNIntolerance
		f.evidence = fmt.Sprintf("with the protocols %s: %s; without ALPN: %s", quoted(offered), a.x.Describe(), r.accepted.x.Describe())
		f.sentence = "The endpoint fails as soon as protocols are offered by ALPN, instead of ignoring them."
		f.denies = func(x *probe.Exchange) bool { return len(x.Hello.ALPN()) > 0 }
		f.fix = "Update the endpoint; until then let the client leave ALPN out."
		r.add(f)
		return true
	}
	f.id = NoCommonALPN
	f.evidence = fmt.Sprintf("with the protocols %s: %s; without ALPN or with others: accepted", quoted(offered), a.x.Describe())
	f.sentence = fmt.Sprintf("No common protocol (ALPN): the client offers %s; the endpoint accepts %s, and refuses what it does not know.", quoted(offered), acceptedProtocols(accepted))
	f.fix = "Let both agree on a protocol: mostly http/1.1 is missing on one side, or h2 is not enabled."
	r.add(f)
	return true
}

// poison looks for the one protocol that the endpoint fails on although others of the client's are accepted, which is no matter of having none
// in common.
func (r *run) poison(offered []string) (one string, good []string, ok bool) {
	if len(offered) < 2 {
		return "", nil, false
	}
	var bad []string
	for _, name := range offered[:min(len(offered), 4)] {
		a := r.send(fmt.Sprintf("with the protocol %q alone", inspect.Bounded(name)), r.with(func(h *probe.Hello) { h.SetALPN(name) }))
		switch {
		case a.x == nil:
			return "", nil, false
		case a.works:
			good = append(good, name)
		default:
			bad = append(bad, name)
		}
	}
	if len(bad) != 1 || len(good) == 0 {
		return "", good, false
	}
	return bad[0], good, true
}

// severalProtocols names an endpoint that takes each of the client's protocols alone, and not together.
func (r *run) severalProtocols(a answer, offered []string) bool {
	f := found{axis: AxisALPN, id: ALPNIntolerance, offered: offered}
	f.evidence = fmt.Sprintf("with the protocols %s: %s; with each of them alone: accepted", quoted(offered), a.x.Describe())
	f.sentence = fmt.Sprintf("The endpoint fails when the protocols %s are offered together by ALPN, and takes each of them alone.", quoted(offered))
	f.fix = "Update the endpoint, or what stands before it; until then let the client offer one protocol."
	if r.spare() > 2 {
		// Two that are shorter and others: is it the number?
		pair := []string{offered[0], "h3"}
		if p := r.send("with the protocols "+quoted(pair), r.with(func(h *probe.Hello) { h.SetALPN(pair...) })); p.x != nil && !p.works {
			f.evidence += fmt.Sprintf("; with %s: %s", quoted(pair), p.x.Describe())
			f.sentence = fmt.Sprintf("The endpoint fails when more than one protocol is offered by ALPN; the client offers %d.", len(offered))
			f.denies = func(x *probe.Exchange) bool { return len(x.Hello.ALPN()) > 1 }
		}
	}
	t := r.with(func(h *probe.Hello) { h.SetALPN(offered...) })
	one := r.with(func(h *probe.Hello) { h.SetALPN(offered[0]) })
	if p := r.send(fmt.Sprintf("with the protocol %q alone", inspect.Bounded(offered[0])), one); p.works {
		r.keep(one, p)
	}
	r.addAlone(f, "the protocols "+quoted(offered), t, 0, 0)
	return !r.cut
}

func quoted(protocols []string) string {
	var out []string
	for _, p := range protocols[:min(len(protocols), 6)] {
		out = append(out, inspect.Bounded(fmt.Sprintf("%q", p)))
	}
	return strings.Join(out, ", ")
}

func acceptedProtocols(accepted []string) string {
	if len(accepted) == 0 {
		return "others"
	}
	return quoted(accepted)
}
