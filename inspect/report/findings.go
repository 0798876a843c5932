package report

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// Bounds of a block.
const (
	maxFixes = 4 // of the root cause, unless everything is asked for
	maxShown = 12
)

// findings writes the root cause in full, and what else stands below it: consequences, and findings of their own.
func (t *Text) findings(b *strings.Builder, findings []inspect.Finding) {
	for i := range findings {
		f := &findings[i]
		if i >= maxShown {
			t.row(b, "also", "more findings are in the record")
			return
		}
		if i == 0 {
			t.rootCause(b, f)
			continue
		}
		if f.Severity == inspect.SeverityInfo && !t.o.Verbose {
			continue
		}
		label, tail := "also", ""
		if len(f.CausedBy) > 0 {
			label, tail = "so that", " (because of "+several(f.CausedBy)+")"
		}
		text := clean(f.ID) + ": " + clean(f.Title) + tail
		if f.Detail != "" && (t.o.Verbose || len(f.CausedBy) == 0) {
			text += ": " + clean(f.Detail)
		}
		t.row(b, label, text)
		if t.o.Verbose || len(f.CausedBy) == 0 {
			t.fixes(b, f, 1)
		}
	}
}

// rootCause writes a finding in full.
func (t *Text) rootCause(b *strings.Builder, f *inspect.Finding) {
	where := " (" + clean(f.Leg) + onLeg(f.Leg) + ")"
	if t.o.Alone {
		where = ""
	}
	t.row(b, "what", clean(f.Title)+where)
	if f.Detail != "" {
		t.row(b, "why", clean(f.Detail))
	}
	if o := several(f.Offered); len(f.Offered) > 0 && !strings.Contains(clean(f.Detail), o) {
		t.row(b, "offered", o)
	}
	if a := several(f.Accepted); len(f.Accepted) > 0 && !strings.Contains(clean(f.Detail), a) {
		t.row(b, "accepted", a)
	}
	t.fixes(b, f, maxFixes)
	if t.o.Verbose && f.Citation != "" {
		t.row(b, "see", clean(f.Citation))
	}
}

func onLeg(leg string) string {
	if leg == inspect.LegBetween {
		return " the legs"
	}
	return " leg"
}

// fixes writes at most n of a finding's fixes.
func (t *Text) fixes(b *strings.Builder, f *inspect.Finding, n int) {
	if t.o.Verbose {
		n = len(f.Fixes)
	}
	for i, x := range f.Fixes {
		if i == n {
			var rest []string
			for _, y := range f.Fixes[n:] {
				rest = append(rest, y.Target)
			}
			if n > 1 {
				t.row(b, "fix", "for "+several(rest)+": see the record, or --verbose")
			}
			return
		}
		t.row(b, "fix", t.paint(bold, clean(x.Target))+": "+clean(x.Action))
		if x.Snippet != "" {
			t.code(b, x.Snippet)
		}
	}
}
