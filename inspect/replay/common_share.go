package replay

import (
	"fmt"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// shareTraits are what the key shares of losers may have in common. They say nothing where no hello with key shares is taken, or none in TLS 1.3: then
// it is that version.
func shareTraits(lost, taken []*Subject, c chosen) []trait {
	var list []trait
	add := func(sentence string, has func(*Subject) bool) {
		list = append(list, trait{sentence: sentence, kind: traitShare, has: has})
	}
	most := 0
	var first []wire.NamedGroup
	for _, s := range taken {
		groups := sharesOf(s)
		if most = max(most, len(groups)); len(groups) > 0 && !slices.Contains(first, groups[0]) {
			first = append(first, groups[0])
		}
	}
	if most == 0 || !slices.Contains(c.versions, wire.VersionTLS13) {
		return nil
	}
	add("none sends a key share of "+orList(c.groups)+", "+withOthers("group", len(c.groups))+": they have to be asked for another one (HelloRetryRequest)", func(s *Subject) bool {
		groups := sharesOf(s)
		return len(groups) > 0 && !slices.ContainsFunc(groups, func(g wire.NamedGroup) bool { return slices.Contains(c.groups, g) })
	})
	var seen []wire.NamedGroup
	for _, s := range lost {
		for _, g := range sharesOf(s) {
			if slices.Contains(seen, g) {
				continue
			}
			seen = append(seen, g)
			add("all send a key share of "+g.String(), func(s *Subject) bool { return slices.Contains(sharesOf(s), g) })
		}
	}
	slices.Sort(first)
	add("none sends a key share of "+orList(first)+" first, as those do that are taken", func(s *Subject) bool {
		groups := sharesOf(s)
		return len(groups) > 0 && !slices.Contains(first, groups[0])
	})
	text := fmt.Sprintf("all send more than %d key shares, the most of a hello that is taken", most)
	if most == 1 {
		text = "all send more than one key share, and none that is taken does"
	}
	add(text, func(s *Subject) bool { return len(sharesOf(s)) > most })
	return list
}

// sharesOf are the groups that a hello has key shares of, without reserved values. Those of drafts, which had another extension, are none.
func sharesOf(s *Subject) []wire.NamedGroup {
	var groups []wire.NamedGroup
	if !s.View.Extensions.Has(wire.ExtensionKeyShare) {
		return nil
	}
	for g := range s.View.KeyShares.All() {
		if !wire.IsGREASE(g) {
			groups = append(groups, g)
		}
	}
	return groups
}
