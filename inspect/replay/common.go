package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Common is what a group of losers share and none of those has that the endpoint takes. It is an observation, which may have a
// cause behind it: `tlstriage why` finds that by experiment.
type Common struct {
	Sentence string   `json:"sentence"` // "none offers X25519 or secp384r1, the groups that were chosen with the others"
	Amount   Amount   `json:"amount"`
	Clients  []string `json:"clients"` // likely names, the most frequent first
}

// maxClients bounds the names of a Common.
const maxClients = 3

// trait is something that a hello may have in common with others.
type trait struct {
	sentence string
	kind     traitKind
	has      func(*Subject) bool
	more     func(having []*Subject) string // what is to be added of those that have it; nil: nothing
}

// traitKind is what a trait has to do with how a server looks at a hello.
type traitKind uint8

const (
	traitSaid     traitKind = iota // what the endpoint names itself, by its alert
	traitOffer                     // what the server chooses from
	traitSize                      // what something on the way may stumble over
	traitShare                     // keys for TLS 1.3
	traitAccident                  // what may be by accident
)

func (t trait) say(having []*Subject) string {
	if t.more == nil {
		return t.sentence
	}
	return t.sentence + t.more(having)
}

// commons finds groups among the losers: for each trait, in the order in which servers look at a hello, those that have it, where none of
// the taken does. What the alert names goes first of all; size where it is shared by more of them than anything else that a server looks at, and key shares in the place of
// size where all share them. What no trait covers is said as such.
func commons(lost, taken []*Subject, answers []Answer, subjects []*Subject) []Common {
	if len(lost) == 0 {
		return nil
	}
	var found []Common
	rest := slices.Clone(lost)
	if len(taken) > 0 {
		c := chosenBy(answers, subjects)
		all := append(saidTraits(taken, c, alertsOf(answers, subjects)), traits(lost, taken, c, sizesOf(answers, subjects))...)
		apart := slices.DeleteFunc(all, func(t trait) bool { return slices.ContainsFunc(taken, t.has) })
		for len(rest) > 0 {
			t, ok := firstOf(apart, rest)
			if !ok {
				break
			}
			var with, without []*Subject
			for _, s := range rest {
				if t.has(s) {
					with = append(with, s)
				} else {
					without = append(without, s)
				}
			}
			found = append(found, commonOf(t.say(with), with))
			rest = without
		}
	}
	if len(rest) > 0 {
		sentence := "nothing in these hellos sets them apart from those that are taken"
		if len(taken) == 0 {
			sentence = "no hello is taken, so that nothing can set these apart"
		}
		found = append(found, commonOf(sentence, rest))
	}
	return found
}

// firstOf is the trait by which the subjects are told apart next.
func firstOf(list []trait, subjects []*Subject) (first trait, ok bool) {
	most := 0
	for _, t := range list {
		n := 0
		for _, s := range subjects {
			if t.has(s) {
				n++
			}
		}
		switch {
		case n == 0:
		case !ok, t.kind == traitSize && n > most, t.kind == traitShare && n > most && (first.kind == traitShare || first.kind == traitSize && n == len(subjects)):
			first, ok = t, true
		}
		if ok && (first.kind == traitSaid || t.kind == traitAccident) {
			break
		}
		most = max(most, n)
	}
	return first, ok
}

// sizesOf are the sizes of the hellos: as they were sent, where that is known.
func sizesOf(answers []Answer, subjects []*Subject) map[*Subject]int {
	sizes := make(map[*Subject]int, len(subjects))
	for i, s := range subjects {
		if sizes[s] = answers[i].Size; sizes[s] == 0 {
			sizes[s] = s.Hello.Size()
		}
	}
	return sizes
}

func commonOf(sentence string, group []*Subject) Common {
	c := Common{Sentence: sentence}
	weights := make(map[string]int64)
	for _, s := range group {
		c.Amount.add(s)
		if s.Client != "" {
			weights[s.Client] += s.Connections
		}
	}
	for name := range weights {
		c.Clients = append(c.Clients, name)
	}
	slices.SortFunc(c.Clients, func(a, b string) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b))
	})
	if len(c.Clients) > maxClients {
		c.Clients = append(c.Clients[:maxClients], fmt.Sprintf("%d more", len(weights)-maxClients))
	}
	return c
}

// chosen is what an endpoint was seen to choose.
type chosen struct {
	versions  []wire.Version
	suites    []wire.CipherSuite
	groups    []wire.NamedGroup
	protocols []string
	keys      []string // of the certificates: "RSA", "ECDSA"
}

func chosenBy(answers []Answer, subjects []*Subject) chosen {
	var c chosen
	for i := range subjects {
		a := answers[i]
		if !a.Accepted || a.Undetermined != "" {
			continue
		}
		if v, ok := wire.VersionByName(a.Choice.Version); ok && !slices.Contains(c.versions, v) {
			c.versions = append(c.versions, v)
		}
		if s, ok := wire.CipherSuiteByName(a.Choice.Cipher); ok && !slices.Contains(c.suites, s) {
			c.suites = append(c.suites, s)
		}
		if g, ok := wire.NamedGroupByName(a.Choice.Curve); ok && !slices.Contains(c.groups, g) {
			c.groups = append(c.groups, g)
		}
		if p := a.Choice.NextProtocol; p != "" && !slices.Contains(c.protocols, p) {
			c.protocols = append(c.protocols, p)
		}
		if k := a.Choice.Key; k != "" && !slices.Contains(c.keys, k) {
			c.keys = append(c.keys, k)
		}
	}
	slices.SortFunc(c.versions, func(a, b wire.Version) int { return cmp.Compare(b, a) })
	slices.Sort(c.suites)
	slices.Sort(c.groups)
	slices.Sort(c.protocols)
	slices.Sort(c.keys)
	return c
}

// traits are what losers may have in common, in the order in which they are tried: what is chosen from, whom it is asked for, how long it
// is, and last what may be by accident.
func traits(lost, taken []*Subject, c chosen, sizes map[*Subject]int) []trait {
	var list []trait
	kind := traitOffer
	add := func(sentence string, has func(*Subject) bool) {
		list = append(list, trait{sentence: sentence, kind: kind, has: has})
	}
	add("all come in the SSLv2 format", func(s *Subject) bool { return s.View.SSLv2 })
	if len(c.versions) > 0 {
		below := func(s *Subject) bool { return slices.Max(versionsOf(s.View)) < slices.Min(c.versions) }
		list = append(list, trait{"none offers " + orList(c.versions), traitOffer, below, func(having []*Subject) string { return "; they go up to " + highestOf(having).String() }})
		add("all offer only versions above "+slices.Max(c.versions).String(), func(s *Subject) bool { return slices.Min(versionsOf(s.View)) > slices.Max(c.versions) })
		add("none offers "+orList(c.versions), func(s *Subject) bool { return !offersVersion(s.View, c.versions) })
	}
	add("all send TLS_FALLBACK_SCSV", func(s *Subject) bool { return slices.Contains(s.View.CipherSuites.Slice(), wire.FallbackSCSV) })
	if len(c.suites) > 0 {
		add("none offers "+orList(c.suites)+", "+withOthers("suite", len(c.suites)), func(s *Subject) bool { return !offersSuite(s.View, c.suites) })
	}
	if len(c.groups) > 0 {
		add("none offers "+orList(c.groups)+", "+withOthers("group", len(c.groups)), func(s *Subject) bool { return lacksGroup(s.View, c) })
	}
	list = append(list, schemeTraits(c)...)
	add("all send no server name", func(s *Subject) bool { return len(s.View.ServerName) == 0 })
	list = append(list, longer(taken, sizes))
	list = append(list, shareTraits(lost, taken, c)...)
	kind = traitAccident
	for _, g := range groupsOfAll(taken) { // before TLS 1.3, the curve of the certificate has to be among them, whichever is chosen (RFC 8422, Section 5.1.1)
		add("none offers "+g.String()+", which all offer that are taken and name groups", func(s *Subject) bool {
			return s.View.SupportedGroups.Len() > 0 && !s.View.SupportedGroups.Contains(g)
		})
	}
	for _, scheme := range schemesOfAll(taken, c) { // whichever of them the server signs with
		add("none offers "+scheme.String()+", which all offer that are taken and name signature schemes", func(s *Subject) bool {
			return s.View.SignatureSchemes.Len() > 0 && !s.View.SignatureSchemes.Contains(scheme)
		})
	}
	if len(c.protocols) > 0 {
		add("their ALPN lacks "+strings.Join(c.protocols, " and ")+", "+withOthers("protocol", len(c.protocols)), func(s *Subject) bool { return lacksProtocol(s.View, c) })
	}
	for _, t := range extensionsOf(taken) {
		add("none sends "+t.String(), func(s *Subject) bool { return !s.View.Extensions.Has(t) })
	}
	for _, t := range extensionsOf(lost) {
		add("all send "+t.String(), func(s *Subject) bool { return s.View.Extensions.Has(t) })
	}
	return list
}

// longer is the trait of hellos that are longer than any that is taken.
func longer(taken []*Subject, sizes map[*Subject]int) trait {
	longest := 0
	for _, s := range taken {
		longest = max(longest, sizes[s])
	}
	return trait{
		fmt.Sprintf("all are longer than %d bytes, the longest hello that is taken", longest), traitSize, func(s *Subject) bool { return sizes[s] > longest },
		func(having []*Subject) string {
			shortest := sizes[having[0]]
			for _, s := range having {
				shortest = min(shortest, sizes[s])
			}
			return fmt.Sprintf("; the shortest that is lost has %d", shortest)
		},
	}
}

func withOthers(noun string, n int) string {
	if n == 1 {
		return "the " + noun + " that was chosen with the others"
	}
	return "the " + noun + "s that were chosen with the others"
}

// highestOf is the highest version that one of the subjects offers.
func highestOf(subjects []*Subject) wire.Version {
	highest := wire.Version(0)
	for _, s := range subjects {
		highest = max(highest, slices.Max(versionsOf(s.View)))
	}
	return highest
}

// orList writes codes as "A, B or C", and not all of a long list.
func orList[T interface {
	comparable
	String() string
}](codes []T) string {
	const most = 6
	var names []string
	for _, c := range codes[:min(most, len(codes))] {
		names = append(names, c.String())
	}
	if more := len(codes) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// HighestVersion is the highest version that a hello offers, SSLv2 format said.
func HighestVersion(h *wire.ClientHello) string {
	highest := wire.Version(0)
	for _, v := range versionsOf(h) {
		highest = max(highest, v)
	}
	if h.SSLv2 {
		return highest.String() + " (SSLv2 format)"
	}
	return highest.String()
}

// versionsOf are the versions that a hello offers, at least one; without the extension those up to legacy_version, as servers read it.
func versionsOf(h *wire.ClientHello) []wire.Version {
	if h.SupportedVersions.Len() > 0 {
		var list []wire.Version
		for v := range h.SupportedVersions.All() {
			if !wire.IsGREASE(v) {
				list = append(list, v)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	list := []wire.Version{h.LegacyVersion}
	for v := min(h.LegacyVersion-1, wire.VersionTLS12); v >= wire.VersionSSLv3; v-- {
		list = append(list, v)
	}
	return list
}

func offersVersion(h *wire.ClientHello, versions []wire.Version) bool {
	return slices.ContainsFunc(versionsOf(h), func(v wire.Version) bool { return slices.Contains(versions, v) })
}

// offersSuite reports whether one of the suites is offered together with a version that it belongs to.
func offersSuite(h *wire.ClientHello, suites []wire.CipherSuite) bool {
	offered := versionsOf(h)
	for suite := range h.CipherSuites.All() {
		if !slices.Contains(suites, suite) {
			continue
		}
		info, ok := suite.Info()
		if !ok || slices.ContainsFunc(offered, func(v wire.Version) bool { return v >= info.MinVersion && v <= info.MaxVersion }) {
			return true
		}
	}
	return false
}

// lacksGroup reports whether a hello names groups, none of them chosen, and has no suite among the chosen that needs none.
func lacksGroup(h *wire.ClientHello, c chosen) bool {
	if h.SupportedGroups.Len() == 0 {
		return false
	}
	for g := range h.SupportedGroups.All() {
		if slices.Contains(c.groups, g) {
			return false
		}
	}
	return true
}

// lacksProtocol reports whether a hello lists protocols, none of them chosen.
func lacksProtocol(h *wire.ClientHello, c chosen) bool {
	if len(h.ALPN) == 0 {
		return false
	}
	for name := range h.ALPN.All() {
		if slices.Contains(c.protocols, string(name)) {
			return false
		}
	}
	return true
}

// groupsOfAll are the groups that each of the subjects offers that names any.
func groupsOfAll(subjects []*Subject) []wire.NamedGroup {
	var groups []wire.NamedGroup
	some := false
	for _, s := range subjects {
		own := s.View.SupportedGroups.Slice()
		switch {
		case len(own) == 0:
			continue
		case !some:
			groups = slices.DeleteFunc(slices.Clone(own), wire.IsGREASE[wire.NamedGroup])
		default:
			groups = slices.DeleteFunc(groups, func(g wire.NamedGroup) bool { return !slices.Contains(own, g) })
		}
		some = true
	}
	return groups
}

// extensionsOf are the extensions of the subjects, each once, but for those that say nothing about what a server can do with a hello.
func extensionsOf(subjects []*Subject) []wire.ExtensionType {
	var types []wire.ExtensionType
	for _, s := range subjects {
		for t := range s.View.Extensions.All() {
			switch t {
			case wire.ExtensionPadding, wire.ExtensionPreSharedKey, wire.ExtensionEarlyData, wire.ExtensionCookie, wire.ExtensionServerName:
				continue
			}
			if !wire.IsGREASE(t) && !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	slices.Sort(types)
	return types
}
