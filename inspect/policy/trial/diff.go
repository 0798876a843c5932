package trial

import (
	"slices"
	"strconv"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Difference is what policy B takes away from policy A, and what it gives.
type Difference struct {
	A       string   `json:"a"`
	B       string   `json:"b"`
	Changes []Change `json:"changes"`
	Clients *Between `json:"clients,omitempty"` // where clients were recorded
}

// Change is one respect in which two policies differ: lists by what is removed and added, and by their order; values by both.
type Change struct {
	Block   string   `json:"block,omitempty"` // of a listener with several
	What    string   `json:"what"`
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
	From    []string `json:"from,omitempty"` // of A: a value, or in order what both have
	To      []string `json:"to,omitempty"`   // of B
}

// Respects in which policies differ.
const (
	WhatBlocks          = "blocks"
	WhatVersions        = "versions"
	WhatBlockedVersions = "blocked versions"
	WhatCipherSuites    = "cipher suites"
	WhatCipherOrder     = "order of cipher suites"
	WhatPreference      = "whose order wins"
	WhatEqualPreference = "suites of equal preference"
	WhatGroups          = "groups"
	WhatGroupOrder      = "order of groups"
	WhatSchemes         = "signature algorithms"
	WhatSchemeOrder     = "order of signature algorithms"
	WhatCertificates    = "certificates"
	WhatALPN            = "application protocols"
	WhatALPNOrder       = "order of application protocols"
	WhatNames           = "server names"
	WhatClientAuth      = "client certificate"
	WhatBehaviour       = "behaviour"
)

// notStated stands for a list that no source states.
const notStated = "not stated"

// Diff compares two policies, or listeners block by block: those of the same name, or a lone one with each.
func Diff(a, b *Target) *Difference {
	d := &Difference{A: a.Name, B: b.Name, Changes: []Change{}}
	if !a.several() && !b.several() {
		d.block("", a.Blocks[0].Policy, b.Blocks[0].Policy)
		return d
	}
	c := Change{What: WhatBlocks}
	taken := make([]bool, len(b.Blocks))
	for _, from := range a.Blocks {
		found := false
		for i, to := range b.Blocks {
			if !a.several() || !b.several() || from.Name == to.Name && !taken[i] {
				found, taken[i] = true, true
				name := from.Name
				if !a.several() {
					name = to.Name
				}
				d.block(name, from.Policy, to.Policy)
				if a.several() && b.several() {
					break
				}
			}
		}
		if !found {
			c.Removed = append(c.Removed, from.Name)
		}
	}
	for i, to := range b.Blocks {
		if !taken[i] {
			c.Added = append(c.Added, to.Name)
		}
	}
	if c.Removed != nil || c.Added != nil {
		d.Changes = append([]Change{c}, d.Changes...)
	}
	return d
}

// block compares two policies; name is that of their block, in listeners with several.
func (d *Difference) block(name string, a, b *policy.Policy) {
	before := len(d.Changes)
	defer func() {
		for i := range d.Changes[before:] {
			d.Changes[before+i].Block = name
		}
	}()
	d.list(WhatVersions, texts(a.Versions), texts(b.Versions), "none")
	d.list(WhatBlockedVersions, texts(a.BlockedVersions), texts(b.BlockedVersions), "none")
	d.list(WhatCipherSuites, texts(a.CipherSuites), texts(b.CipherSuites), "none")
	if a.Preference != policy.PreferClient || b.Preference != policy.PreferClient {
		d.order(WhatCipherOrder, texts(a.CipherSuites), texts(b.CipherSuites))
	}
	d.value(WhatPreference, preference(a), preference(b))
	d.list(WhatEqualPreference, equals(a), equals(b), "none")
	d.list(WhatGroups, texts(a.Groups), texts(b.Groups), notStated)
	d.order(WhatGroupOrder, texts(a.Groups), texts(b.Groups))
	d.list(WhatSchemes, texts(a.SignatureSchemes), texts(b.SignatureSchemes), notStated)
	d.order(WhatSchemeOrder, texts(a.SignatureSchemes), texts(b.SignatureSchemes))
	d.list(WhatCertificates, certificates(a), certificates(b), notStated)
	d.list(WhatALPN, a.ALPN, b.ALPN, "not negotiated")
	d.order(WhatALPNOrder, a.ALPN, b.ALPN)
	d.list(WhatNames, served(a), served(b), "any")
	d.value(WhatClientAuth, clientAuth(a), clientAuth(b))
	then, now := behaviour(a), behaviour(b)
	for i := range then {
		d.value(WhatBehaviour, then[i], now[i])
	}
}

func texts[T interface{ String() string }](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

// list compares lists as sets. A list that is absent on one side alone has a name of its own, so that nothing is taken for removed
// that was never stated.
func (d *Difference) list(what string, a, b []string, absent string) {
	if (len(a) == 0) != (len(b) == 0) && absent != "none" {
		d.Changes = append(d.Changes, Change{What: what, From: orWord(a, absent), To: orWord(b, absent)})
		return
	}
	c := Change{What: what, Removed: without(a, b), Added: without(b, a)}
	if c.Removed != nil || c.Added != nil {
		d.Changes = append(d.Changes, c)
	}
}

func orWord(list []string, word string) []string {
	if len(list) == 0 {
		return []string{word}
	}
	return list
}

// without is what of a is not in b.
func without(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// order compares the order of what both have.
func (d *Difference) order(what string, a, b []string) {
	inA, inB := without(a, without(a, b)), without(b, without(b, a))
	if !slices.Equal(inA, inB) {
		d.Changes = append(d.Changes, Change{What: what, From: inA, To: inB})
	}
}

func (d *Difference) value(what, a, b string) {
	if a != b {
		d.Changes = append(d.Changes, Change{What: what, From: []string{a}, To: []string{b}})
	}
}

func preference(p *policy.Policy) string {
	if p.Preference == policy.PreferenceUnknown {
		return notStated
	}
	return p.Preference.String()
}

func equals(p *policy.Policy) []string {
	var out []string
	for _, group := range p.EqualPreference {
		s := ""
		for i, suite := range group {
			if i > 0 {
				s += "|"
			}
			s += suite.String()
		}
		out = append(out, "["+s+"]")
	}
	return out
}

func certificates(p *policy.Policy) []string {
	var out []string
	for _, c := range p.Certificates {
		out = append(out, string(c))
	}
	return out
}

// served are the names; a policy that serves none at all says so.
func served(p *policy.Policy) []string {
	if p.Names != nil && len(p.Names) == 0 {
		return []string{"(none is served)"}
	}
	return p.Names
}

func clientAuth(p *policy.Policy) string {
	if p.ClientAuth == "" {
		return string(policy.ClientAuthNone)
	}
	return string(p.ClientAuth)
}

// behaviour is all else that a policy says, a sentence each.
func behaviour(p *policy.Policy) []string {
	say := func(yes bool, is, isNot string) string {
		if yes {
			return is
		}
		return isNot
	}
	alert := func(a wire.AlertDescription, usual string) string {
		if a == 0 {
			return usual
		}
		return a.String()
	}
	tls13 := "as in older versions"
	if p.PreferenceTLS13 != policy.PreferenceUnknown {
		tls13 = p.PreferenceTLS13.String()
	}
	otherwise := "no application protocol in common is answered with none"
	if p.ALPNOtherwise != "" {
		otherwise = "no application protocol in common is answered with " + p.ALPNOtherwise
	}
	return []string{
		"whose order of suites wins in TLS 1.3: " + tls13,
		say(p.NoDHParameters, "finite-field DHE suites are never chosen, for want of parameters", "finite-field DHE suites are usable"),
		say(p.CertificateFirst, "the certificate is chosen before the suite", "the suite is chosen before the certificate"),
		say(p.CertificateBy12, "suites of TLS 1.3 do not count for the choice of a certificate", "all suites count for the choice of a certificate"),
		say(p.ALPNRequired, "no application protocol in common ends the handshake", "no application protocol in common does not end the handshake"),
		otherwise,
		say(p.SNIRequired, "a server name is required", "no server name is required"),
		say(p.NameSilent, "a server name that is not served ends the connection without an alert", "a server name that is not served is answered with an alert"),
		"alert for a server name that is not served: " + alert(p.NameAlert, wire.AlertUnrecognizedName.String()),
		"alert for a version below the lowest: " + alert(p.OldVersionAlert, wire.AlertProtocolVersion.String()),
		"TLS library: " + say(p.Family == policy.FamilyUnknown, notStated, string(p.Family)),
		"release of Go: " + say(p.GoRelease == 0, "the newest that is known", "1."+strconv.Itoa(p.GoRelease)),
		"security level: " + strconv.Itoa(p.SecurityLevel),
	}
}
