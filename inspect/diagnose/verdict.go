package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
)

// hit is a finding with what decides on its place.
type hit struct {
	finding inspect.Finding
	rule    *Rule
	fault   inspect.Fault
	ended   bool
}

// settle orders the findings, tells consequences from causes, and derives verdict, cause and fault.
func settle(c *inspect.Connection, e *evidence, hits []hit) {
	c.Findings, c.Cause, c.Fault, c.Verdict = nil, "", "", inspect.OK

	for i := range hits {
		if hits[i].rule.ID == ruleClientAborted.ID && e.leftUnanswered() {
			continue // nothing that the server did
		}
		for _, id := range hits[i].rule.CausedBy {
			if id != hits[i].rule.ID && slices.Contains(e.found, id) && mayCause(hits, id, &hits[i].finding) {
				hits[i].finding.CausedBy = append(hits[i].finding.CausedBy, id)
			}
		}
	}
	blameBackend(hits)
	breakCycles(hits)

	// Root causes first; among them what ended a leg, then the worse, then the order of the catalogue (the sort is stable).
	slices.SortStableFunc(hits, func(a, b hit) int { return rank(a) - rank(b) })

	failed := e.client.failed() || e.backend.failed()
	if e.client.untried() || e.needsNoTLS() || e.leftBefore() || e.cutShort() || e.leftUnanswered() {
		failed = e.backend.failed()
	}
	if len(hits) > 0 {
		c.Findings = make([]inspect.Finding, 0, len(hits))
	}
	for i := range hits {
		h := &hits[i]
		c.Findings = append(c.Findings, h.finding)
		switch h.finding.Severity {
		case inspect.SeverityError:
			failed = true
		case inspect.SeverityWarning:
			c.Verdict = inspect.Warning
		}
	}
	trim(c.Findings)
	if failed {
		c.Verdict = inspect.Failed
	}
	if c.Verdict != inspect.OK && len(hits) > 0 {
		c.Cause, c.Fault = hits[0].finding.ID, hits[0].fault
	}
}

// mayCause reports whether a finding can be the cause of f: what is merely worth knowing causes no failure, and what is wrong with
// the backend's certificate is not what a client saw that this program served with its own.
func mayCause(hits []hit, id string, f *inspect.Finding) bool {
	for i := range hits {
		h := &hits[i]
		if h.finding.ID != id {
			continue
		}
		unseen := h.rule.when&(chainFaulty|chainSeen|revocationKnown) != 0 && h.finding.Leg == inspect.LegBackend && f.Leg == inspect.LegClient
		return !unseen && (f.Severity == inspect.SeverityInfo || h.finding.Severity != inspect.SeverityInfo)
	}
	return false
}

// blameBackend makes what ended the client leg a consequence of what ended the backend leg: the backend leg comes first in
// a connection's life, and a proxy that has no backend has nothing to serve.
func blameBackend(hits []hit) {
	cause := ""
	for _, h := range hits {
		if h.ended && h.finding.Leg == inspect.LegBackend && len(h.finding.CausedBy) == 0 {
			cause = h.finding.ID
			break
		}
	}
	if cause == "" {
		return
	}
	for i := range hits {
		h := &hits[i]
		if h.ended && h.finding.Leg == inspect.LegClient && len(h.finding.CausedBy) == 0 {
			h.finding.CausedBy = []string{cause}
		}
	}
}

// breakCycles keeps one root cause at least: where all findings claim to be another's consequence, the first is none.
func breakCycles(hits []hit) {
	for _, h := range hits {
		if len(h.finding.CausedBy) == 0 {
			return
		}
	}
	if len(hits) > 0 {
		hits[0].finding.CausedBy = nil
	}
}

// rank is the place of a finding in the record: the smaller, the earlier.
func rank(h hit) int {
	r := 0
	if len(h.finding.CausedBy) > 0 {
		r += 100
	}
	if !h.ended {
		r += 10
	}
	switch h.finding.Severity {
	case inspect.SeverityWarning:
		r++
	case inspect.SeverityInfo:
		// Worth knowing, and never the cause of anything while something else stands.
		r += 50
	}
	return r
}
