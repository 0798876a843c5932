package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/scan"
)

// shownRecord is the record with the findings that fit on a screen: information is told in one line of its own.
func (s *scanned) shownRecord(verbose bool) *inspect.Connection {
	if s.record == nil {
		return nil
	}
	c := *s.record
	c.Findings = s.Findings
	if !verbose {
		c.Findings = slices.DeleteFunc(slices.Clone(s.Findings), func(f inspect.Finding) bool { return f.Severity == inspect.SeverityInfo })
	}
	return &c
}

// table is what was found out, a line a thing.
func (s *scanned) table(verbose bool) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	row := func(what, format string, values ...any) {
		if text := fmt.Sprintf(format, values...); text != "" {
			fmt.Fprintf(w, "  %s\t%s\n", what, shown(text))
		}
	}
	most := 4
	if verbose {
		most = 1000
	}
	row("target", "%s", s.where())
	row("broken", "%s", s.sentence())
	if len(s.Versions) == 0 {
		for _, l := range s.Layers {
			text := string(l.Status)
			if l.Status == scan.Unclear {
				text += ": " + l.Sentence
			}
			row(string(l.Name), "%s", text)
		}
		row("connections", "%s", s.effort())
		_ = w.Flush() // into memory
		return b.String()
	}
	row("versions", "%s", strings.Join(s.Versions, " "))
	for _, v := range s.Versions {
		suites := s.Ciphers[v]
		order := ""
		if p := s.CipherPreference[v]; p != "" {
			order = ", " + p + "'s order"
			for _, class := range slices.Sorted(maps.Keys(s.CipherClasses[v])) {
				order += fmt.Sprintf(" (%s: %s's)", class, s.CipherClasses[v][class])
			}
		}
		row("ciphers", "%s  %d%s: %s", v, len(suites), order, some(suites, most))
	}
	row("groups", "%s", some(s.Groups, 12))
	var primes []string
	for _, f := range s.FiniteFields {
		primes = append(primes, strings.TrimSpace(fmt.Sprintf("%d bits %s", f.Bits, f.Known)))
	}
	row("dh", "%s", strings.Join(primes, "; "))
	row("signatures", "%s", some(s.SignatureSchemes, max(most, 8)))
	alpn := strings.Join(s.ALPN, " ")
	if alpn == "" {
		alpn = "none"
	}
	if s.UnknownALPN == string(scan.Inconclusive) && len(s.ALPN) == 0 {
		alpn = "inconclusive"
	} else if s.UnknownALPN != "" {
		alpn += " (unknown ones are " + s.UnknownALPN + ")"
	}
	row("alpn", "%s", alpn)
	for _, p := range s.Certificates {
		leaf := p.Chain[0]
		names := some(leaf.AlternativeNames, most)
		row("certificate", "%s %d  %s  until %s  %s", leaf.PublicKeyAlgorithm, leaf.PublicKeySize, leaf.Subject, leaf.NotAfter.UTC().Format(time.DateOnly), names)
	}
	row("names", "%s", s.namesLine())
	if c := s.ClientCertificate; c != nil {
		line := c.Request
		for _, v := range slices.Sorted(maps.Keys(c.ByVersion)) {
			if d := c.ByVersion[v]; d.Request != c.Request || d.Evidence != "" {
				line += fmt.Sprintf("; %s: %s", v, d.Request)
				if d.Evidence != "" {
					line += " (" + d.Evidence + ")"
				}
			}
		}
		row("client cert", "%s", line)
	}
	row("resumption", "%s", answers(s.Resumption))
	row("features", "%s", answers(s.Features))
	var not []string
	for _, name := range slices.Sorted(maps.Keys(s.Tolerance)) {
		if a := s.Tolerance[name]; a.Reply != scan.Yes {
			not = append(not, fmt.Sprintf("%s: %s", name, a.Reply))
		}
	}
	row("does not bear", "%s", strings.Join(not, "; "))
	if !verbose {
		var notes []string
		for _, f := range s.Findings {
			if f.Severity == inspect.SeverityInfo {
				notes = append(notes, f.ID)
			}
		}
		row("notes", "%s", strings.Join(notes, " "))
	}
	for _, a := range s.Addresses {
		row("at", "%s  %s %s", a.Address, a.Verdict, a.Cause)
	}
	s.against(row, most)
	row("connections", "%s", s.effort())
	_ = w.Flush() // into memory
	return b.String()
}

// where is the target with the address and the name that was asked for, where they are not the same.
func (s *scanned) where() string {
	text := s.Target
	if s.Address != "" && s.Address != s.Target {
		text += " at " + s.Address
	}
	if s.ServerName != "" && !strings.HasPrefix(s.Target, s.ServerName+":") {
		text += ", asked for " + s.ServerName
	}
	return text
}

// effort is what the scan cost.
func (s *scanned) effort() string {
	return fmt.Sprintf("%d, the longest hello %d bytes, %s", s.Connections, s.LongestHello, (time.Duration(s.DurationMS * float64(time.Millisecond))).Round(time.Millisecond))
}

// namesLine says what other names get.
func (s *scanned) namesLine() string {
	var parts []string
	for _, n := range s.SNI {
		if n.Form == scan.NameRight && n.Reply == scan.Yes {
			continue
		}
		what := "other certificate"
		switch {
		case n.Reply == scan.No:
			what = "refused"
			if n.Alert != nil {
				what = n.Alert.Description
			}
		case n.Reply == scan.Inconclusive:
			what = "inconclusive"
		case n.Same:
			what = "same"
		}
		parts = append(parts, n.Form+": "+what)
	}
	return strings.Join(parts, ", ")
}

// answers are replies, the ones that are "yes" first.
func answers(m map[string]scan.Answer) string {
	by := map[scan.Reply][]string{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		by[m[name].Reply] = append(by[m[name].Reply], name)
	}
	var parts []string
	if len(by[scan.Yes]) > 0 {
		parts = append(parts, strings.Join(by[scan.Yes], " "))
	}
	if len(by[scan.No]) > 0 {
		parts = append(parts, "not: "+strings.Join(by[scan.No], " "))
	}
	if len(by[scan.Inconclusive]) > 0 {
		parts = append(parts, "inconclusive: "+strings.Join(by[scan.Inconclusive], " "))
	}
	return strings.Join(parts, "; ")
}

// some are the first of a list, and how many more there are.
func some(items []string, most int) string {
	if len(items) <= most {
		return strings.Join(items, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:most], " "), len(items)-most)
}
