package diagnose

import "github.com/tlstriage/tlstriage/inspect"

// Rule is one kind of finding as data: what it is called, how bad it usually is, who usually must act, and what it means.
type Rule struct {
	ID          string           // kebab-case, closed catalogue, never renamed
	Severity    inspect.Severity // the usual one; a finding may have another, where its detail says why
	Leg         string           // inspect.LegClient and its siblings
	Fault       inspect.Fault    // who usually must act when this is the root cause
	Title       string           // one line that a person on call understands
	Citation    string           // the clause or manual that it rests on
	Explanation string           // what it means and how to check it, for docs/findings.md and for explain
	CausedBy    []string         // ids: when one of them is found too, this finding is only its consequence

	when  facts                  // it may apply only where one of these holds; zero: to any connection
	check func(*evidence) *match // called only then
}

// match is what a rule's check says when the rule applies. Zero fields mean the rule's own value.
type match struct {
	severity inspect.Severity
	leg      string
	fault    inspect.Fault
	title    string
	detail   string
	offered  []string
	accepted []string
	fixes    []inspect.Fix
	ended    bool // it explains why a leg was not established: such a finding is a cause before any that stands beside it
}

// Bounds of a finding: whatever a stranger sent, a record's findings stay small.
const (
	maxDetail  = 1024 // bytes of detail
	maxValue   = 256  // bytes of one value taken from a peer
	maxListed  = 64   // members of offered and accepted
	maxFixes   = 10
	maxSnippet = 1024
)

// finding makes the record's finding of a match.
func (r *Rule) finding(m *match, systems []string) inspect.Finding {
	f := inspect.Finding{
		ID: r.ID, Severity: r.Severity, Leg: r.Leg, Title: r.Title, Citation: r.Citation,
		Detail:   boundTo(m.detail, maxDetail),
		Offered:  boundList(m.offered),
		Accepted: boundList(m.accepted),
	}
	if m.severity != "" {
		f.Severity = m.severity
	}
	if m.leg != "" {
		f.Leg = m.leg
	}
	if m.title != "" {
		f.Title = boundTo(m.title, maxValue)
	}
	kept := m.fixes[:0] // a match's fixes are its own
	for _, x := range m.fixes {
		if len(kept) == maxFixes {
			break
		}
		if concerns(x.Target, systems) {
			x.Action, x.Snippet = boundTo(x.Action, maxDetail), boundTo(x.Snippet, maxSnippet)
			kept = append(kept, x)
		}
	}
	if len(kept) > 0 {
		f.Fixes = kept
	}
	return f
}
