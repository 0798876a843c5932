package scan

import (
	"context"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Retry is how an endpoint goes about groups that the client has no key share of.
type Retry struct {
	Asks Answer `json:"asks"` // it sends a HelloRetryRequest to a hello without a key share
	// Insists: it asks for its favourite group although there is a share of another that it takes.
	Insists Answer `json:"insists,omitzero"`
}

// groupsOf13 finds the groups of TLS 1.3. A HelloRetryRequest names one at no cost; an endpoint that sends none is asked with a
// share of one group at a time.
func (s *session) groupsOf13(ctx context.Context, e *enumerated) (found []wire.NamedGroup, prefers string, retry *Retry) {
	retry = &Retry{}
	if e.shares {
		retry.Asks = Answer{Reply: No, Attempts: 1, Evidence: "a hello without a key share is refused"}
		for _, g := range registry().groups {
			if info, _ := g.Info(); info.ClientShare == 0 {
				continue // no share can be made
			}
			h := s.hello(e.version, e.suites)
			h.SetGroups(g)
			h.SetKeyShares(g)
			if x := s.persist(ctx, h, probe.Options{Until: probe.UntilHello, NoRetry: true}); x.ServerHello != nil && x.ServerHello.Group == g {
				found = append(found, g)
			}
		}
		return found, "", retry
	}
	ask := func(groups []wire.NamedGroup, shares ...wire.NamedGroup) (wire.NamedGroup, bool, *probe.Exchange) {
		h := s.hello(e.version, e.suites)
		h.SetGroups(groups...)
		h.SetKeyShares(shares...)
		x := s.ask(ctx, h, probe.Options{Until: probe.UntilHello, NoRetry: true})
		switch {
		case x.RetryRequest != nil && x.RetryRequest.Group != 0:
			return x.RetryRequest.Group, true, x
		case x.ServerHello != nil:
			return x.ServerHello.Group, x.ServerHello.Group != 0, x
		}
		return 0, false, x
	}
	all := s.exhaustGroups(registry().groups, func(remaining []wire.NamedGroup) (wire.NamedGroup, bool, *probe.Exchange) { return ask(remaining) })
	found = all.found
	s.ended(WhatGroups+" "+e.version.String(), all.refused, all.last)
	if all.open {
		s.doubt(WhatGroups+" "+e.version.String(), fmt.Sprintf("%s: there may be more groups than were found: %s", e.version, all.last.Describe()))
	}
	if len(found) > 0 {
		retry.Asks = yes(1, "HelloRetryRequest for "+found[0].String())
	}
	if len(found) < 2 {
		return found, "", retry
	}
	reversed := slices.Clone(found)
	slices.Reverse(reversed)
	if g, ok, _ := ask(reversed); ok {
		prefers = ByServer
		if g == reversed[0] {
			prefers = ByClient
		}
	}
	if other, ok := lastUsual(found); ok {
		if _, ok, x := ask(found, other); ok && x.RetryRequest != nil {
			retry.Insists = yes(1, fmt.Sprintf("asks for %s although there is a share of %s", x.RetryRequest.Group, other))
		} else if ok {
			retry.Insists = Answer{Reply: No, Attempts: 1, Evidence: "takes the share of " + other.String() + " that is there"}
		} else {
			retry.Insists = Answer{Reply: Inconclusive, Attempts: 1, Evidence: x.Describe()}
		}
	}
	return found, prefers, retry
}

// lastUsual is the group that the endpoint likes least among those that clients send shares of.
func lastUsual(found []wire.NamedGroup) (wire.NamedGroup, bool) {
	for i := len(found) - 1; i > 0; i-- {
		if rank := rankOfGroup(found[i]); rank < 5 {
			return found[i], true
		}
	}
	return 0, false
}

// groupsOf12 finds the curves of TLS 1.2 and older, which the ServerKeyExchange of ECDHE suites names.
func (s *session) groupsOf12(ctx context.Context, v wire.Version, suites []wire.CipherSuite) (found []wire.NamedGroup, prefers string) {
	elliptic := byKeyExchange(suites, "ECDHE")
	if len(elliptic) == 0 {
		elliptic = byKeyExchange(suites, "ECDHE_PSK")
	}
	if len(elliptic) == 0 {
		return nil, ""
	}
	if signedByRSA := slices.DeleteFunc(slices.Clone(elliptic), func(suite wire.CipherSuite) bool { return kindOfSuite(suite) != keyRSA }); len(signedByRSA) > 0 {
		elliptic = signedByRSA // the curve of an ECDSA certificate has to be among the client's (RFC 8422, Section 4)
	}
	ask := func(groups []wire.NamedGroup) (wire.NamedGroup, bool, *probe.Exchange) {
		h := s.hello(v, elliptic)
		h.SetGroups(groups...)
		x := s.ask(ctx, h, probe.Options{})
		return x.Group, x.KeyExchange != nil && x.Group != 0, x
	}
	all := s.exhaustGroups(registry().curves, func(remaining []wire.NamedGroup) (wire.NamedGroup, bool, *probe.Exchange) { return ask(remaining) })
	s.ended(WhatGroups+" "+v.String(), all.refused, all.last)
	if all.open {
		s.doubt(WhatGroups+" "+v.String(), fmt.Sprintf("%s: there may be more groups than were found: %s", v, all.last.Describe()))
	}
	if all.odd { // servers from before negotiation have one curve, whatever is offered
		s.doubt("", fmt.Sprintf("%s: the endpoint chose the group %s, which was not offered", v, all.last.Group))
	}
	if found = all.found; len(found) < 2 {
		return found, ""
	}
	reversed := slices.Clone(found)
	slices.Reverse(reversed)
	g, ok, _ := ask(reversed)
	switch {
	case !ok:
		return found, ""
	case g == reversed[0]:
		return found, ByClient
	}
	return found, ByServer
}

// byKeyExchange are the suites with one of the key exchanges.
func byKeyExchange(suites []wire.CipherSuite, exchanges ...string) []wire.CipherSuite {
	var out []wire.CipherSuite
	for _, s := range suites {
		if info, _ := s.Info(); slices.Contains(exchanges, info.KeyExchange) {
			out = append(out, s)
		}
	}
	return out
}
