package scan

import (
	"context"
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// fewGroups are so many that nobody has ever minded.
const fewGroups = 3

// crowded finds out whether an endpoint that does not answer a hello minds how many groups it has, and how many it bears: that many are offered
// at a time from then on. It is believed when as many other groups, the one among them with which it fails, are borne: then it is no group.
func (s *session) crowded(ctx context.Context, base *probe.Hello) bool {
	s.crowd.Lock() // versions are asked about at the same time: one finds out, the others wait for it
	defer s.crowd.Unlock()
	if s.mostGroups() > 0 {
		return true
	}
	groups := base.Groups()
	if s.paper != nil || s.target.Endpoint.QUIC || len(groups) <= max(fewGroups, s.crowdAsked) {
		return false
	}
	s.crowdAsked = len(groups)
	with := func(some []wire.NamedGroup) (bool, *probe.Exchange) {
		h := base.Clone().Fresh()
		offerGroups(h, some)
		x := s.ask(ctx, h, probe.Options{Until: probe.UntilHello, NoRetry: true})
		return natureOf(x) == chosen, x
	}
	if ok, _ := with(groups[:fewGroups]); !ok {
		return false
	}
	if ok, _ := with(groups); ok {
		return false
	}
	good, bad := fewGroups, len(groups)
	for bad-good > 1 && ctx.Err() == nil {
		middle := (good + bad) / 2
		if ok, _ := with(groups[:middle]); ok {
			good = middle
		} else {
			bad = middle
		}
	}
	other := append(slices.Clone(groups[:good-1]), groups[good])
	borne, _ := with(groups[:good])
	refused, x := with(groups[:bad])
	number, _ := with(other)
	if !borne || refused || !number {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groupLimit = good
	s.crowdAnswer = Answer{Reply: No, Attempts: 2, refused: true,
		Evidence: fmt.Sprintf("%d groups are answered, whichever they are, and %d are not (%s)", good, bad, x.Describe())}
	return true
}

// mostGroups is how many groups the endpoint bears in a hello; 0: as many as there are.
func (s *session) mostGroups() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groupLimit
}

// offerGroups offers groups, and of the key shares those that belong to them.
func offerGroups(h *probe.Hello, groups []wire.NamedGroup) {
	h.SetGroups(groups...)
	if !h.Has(wire.ExtensionKeyShare) {
		return
	}
	shares := h.KeyShareGroups()
	kept := slices.DeleteFunc(slices.Clone(shares), func(g wire.NamedGroup) bool { return !slices.Contains(groups, g) })
	if len(kept) < len(shares) {
		h.SetKeyShares(kept...)
	}
}

// exhaustGroups is exhaust for groups, as many at a time as are borne.
func (s *session) exhaustGroups(all []wire.NamedGroup, ask asking[wire.NamedGroup]) exhausted[wire.NamedGroup] {
	most := s.mostGroups()
	if most == 0 {
		return exhaust(s, all, 8, nil, ask)
	}
	var whole exhausted[wire.NamedGroup]
	for some := range slices.Chunk(all, most) {
		e := exhaust(s, some, most, nil, ask)
		whole.found = append(whole.found, e.found...)
		whole.attempts += e.attempts
		whole.open = whole.open || e.open
		if e.last != nil {
			whole.last, whole.refused = e.last, max(whole.refused, e.refused)
		}
		if e.odd {
			whole.odd = true
			return whole
		}
	}
	if n := len(whole.found); n > 1 && n <= most { // in the endpoint's order, which the parts have not
		if again := exhaust(s, whole.found, most, nil, ask); len(again.found) == n {
			whole.found = again.found
		}
	}
	return whole
}
