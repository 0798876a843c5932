package scan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is one thing in which two reports differ.
type Change struct {
	What    string   `json:"what"` // versions, ciphers TLSv1.2, groups, …
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Before  string   `json:"before,omitempty"` // where it is no list
	After   string   `json:"after,omitempty"`
}

// Sentence says the change; before is what is compared with.
func (c Change) Sentence(before string) string {
	var parts []string
	if c.Before != c.After {
		parts = append(parts, fmt.Sprintf("%s: %s instead of %s", c.What, cutOff(orNothing(c.After)), cutOff(orNothing(c.Before))))
	}
	if len(c.Added) > 0 {
		parts = append(parts, fmt.Sprintf("%s: %s beyond %s", c.What, list(short(c.Added)), before))
	}
	if len(c.Removed) > 0 {
		parts = append(parts, fmt.Sprintf("%s: without %s of %s", c.What, list(short(c.Removed)), before))
	}
	return strings.Join(parts, "; ")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func cutOff(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

func short(items []string) []string {
	const most = 6
	if len(items) <= most {
		return items
	}
	return append(slices.Clone(items[:most]), fmt.Sprintf("%d more", len(items)-most))
}

// Compare says in what a later report differs from an earlier one. Only what is stored in a report's JSON form is compared, so that
// one that was read back from a file is as good as one that was just made. Dates, times and counts do not differ; what could not
// be found out in either differs from nothing.
func Compare(before, after *Report) []Change {
	d := unsure(before, after)
	if b, a := before.BrokenLayer(), after.BrokenLayer(); layerName(b) != layerName(a) {
		d.changes = append(d.changes, Change{What: "broken layer", Before: layerName(b), After: layerName(a)})
	}
	if len(before.Versions) == 0 || len(after.Versions) == 0 {
		return d.changes // on one side nothing was enumerated
	}
	d.changes = append(d.changes, CompareAccepted(before, after)...)
	d.sets(whatFields, fields(before), fields(after))
	d.single("unknown alpn", before.UnknownALPN, after.UnknownALPN)
	d.sets("certificates", leaves(before), leaves(after))
	d.single(whatClient, requestOf(before), requestOf(after))
	for _, m := range []struct {
		what          string
		before, after map[string]Answer
	}{{"feature ", before.Features, after.Features}, {"resumption ", before.Resumption, after.Resumption}, {"tolerance ", before.Tolerance, after.Tolerance}} {
		for _, name := range keys(m.before, m.after) {
			b, inBefore := m.before[name]
			a, inAfter := m.after[name]
			if inBefore && inAfter {
				d.single(m.what+name, string(b.Reply), string(a.Reply))
			}
		}
	}
	for _, b := range before.SNI {
		for _, a := range after.SNI {
			if a.Form == b.Form && a.Form != NameAddress {
				d.single("server name "+a.Form, string(b.Reply), string(a.Reply))
			}
		}
	}
	return d.changes
}

// Respects in which CompareAccepted compares; those by version have it behind them.
const (
	WhatVersions   = "versions"
	WhatCiphers    = "ciphers"
	WhatPreference = "cipher preference"
	WhatGroups     = "groups"
	WhatSchemes    = "signature schemes"
	WhatALPN       = "alpn"
	whatFields     = "dh parameters"
	whatClient     = "client certificate"
)

// CompareAccepted compares versions, suites, preference, groups, schemes and protocols: what a policy states.
func CompareAccepted(before, after *Report) []Change {
	d := unsure(before, after)
	both := func(v string) bool { return slices.Contains(before.Versions, v) && slices.Contains(after.Versions, v) }
	d.sets(WhatVersions, before.Versions, after.Versions)
	for _, v := range keys(before.Ciphers, after.Ciphers) {
		if !both(v) {
			continue
		}
		if b, a := before.CipherPreference[v], after.CipherPreference[v]; b != "" && a != "" {
			d.single(WhatPreference+" "+v, b, a)
		}
		if after.CipherPreference[v] == ByServer && before.CipherPreference[v] == ByServer {
			d.sets(WhatCiphers+" "+v, before.Ciphers[v], after.Ciphers[v])
		} else {
			d.sets(WhatCiphers+" "+v, slices.Sorted(slices.Values(before.Ciphers[v])), slices.Sorted(slices.Values(after.Ciphers[v])))
		}
	}
	for _, v := range keys(before.GroupsByVersion, after.GroupsByVersion) {
		if both(v) {
			d.sets(WhatGroups+" "+v, before.GroupsByVersion[v], after.GroupsByVersion[v])
		}
	}
	for _, v := range keys(before.SchemesByVersion, after.SchemesByVersion) {
		if both(v) {
			// A list in the order of the one who asked says nothing about whose order decides.
			d.sets(WhatSchemes+" "+v, slices.Sorted(slices.Values(before.SchemesByVersion[v])), slices.Sorted(slices.Values(after.SchemesByVersion[v])))
		}
	}
	d.sets(WhatALPN, before.ALPN, after.ALPN)
	return d.changes
}

// differences collects changes, but those in what could not be found out in either report.
type differences struct {
	changes             []Change
	unsure              []string
	earlyPart, latePart bool // of the earlier, of the later report a part is missing: what it lacks is no difference
}

// unsure collects the changes between two reports.
func unsure(before, after *Report) differences {
	return differences{unsure: slices.Concat(before.Unsure, after.Unsure), earlyPart: before.Partial, latePart: after.Partial}
}

// sets compares lists as sets, and by their order where the sets are the same.
func (d *differences) sets(what string, b, a []string) {
	if slices.Contains(d.unsure, what) {
		return
	}
	c := Change{What: what, Added: beyond(a, b), Removed: beyond(b, a)}
	if d.earlyPart {
		c.Added = nil
	}
	if d.latePart {
		c.Removed = nil
	}
	if len(c.Added)+len(c.Removed) > 0 {
		d.changes = append(d.changes, c)
		return
	}
	if !slices.Equal(a, b) && len(a) == len(b) {
		d.changes = append(d.changes, Change{What: what + ", order", Before: strings.Join(b, " "), After: strings.Join(a, " ")})
	}
}

// single compares values.
func (d *differences) single(what, b, a string) {
	if b == "" && d.earlyPart || a == "" && d.latePart {
		return
	}
	if a != b && a != string(Inconclusive) && b != string(Inconclusive) && !slices.Contains(d.unsure, what) {
		d.changes = append(d.changes, Change{What: what, Before: b, After: a})
	}
}

func layerName(l *Layer) string {
	if l == nil {
		return ""
	}
	return string(l.Name)
}

func requestOf(r *Report) string {
	if r.ClientCertificate == nil {
		return ""
	}
	return r.ClientCertificate.Request
}

// leaves are the leaf certificates, each as one line.
func leaves(r *Report) []string {
	var out []string
	for _, p := range r.Certificates {
		if len(p.Chain) > 0 {
			c := p.Chain[0]
			out = append(out, fmt.Sprintf("%s %d %s until %s (sha256 %.16s)", c.PublicKeyAlgorithm, c.PublicKeySize, c.Subject, c.NotAfter.UTC().Format("2006-01-02"), c.Hash.SHA256))
		}
	}
	return out
}

func fields(r *Report) []string {
	var out []string
	for _, f := range r.FiniteFields {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d bits %s", f.Bits, f.Known)))
	}
	return out
}

// beyond are the items of a that b has not.
func beyond(a, b []string) []string {
	var out []string
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func keys[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	for k, v := range b {
		if _, ok := all[k]; !ok {
			all[k] = v
		}
	}
	return slices.Sorted(maps.Keys(all))
}
