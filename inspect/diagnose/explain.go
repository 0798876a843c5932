package diagnose

import (
	"cmp"
	"slices"
	"strings"
)

// Explanation says what an error text, an alert or a finding's id means, and where to look.
type Explanation struct {
	Known    bool     `json:"known"`              // false: nothing recognised; Findings are then only the nearest ids
	Match    string   `json:"match,omitempty"`    // what was recognised
	Source   string   `json:"source,omitempty"`   // whose words these are: OpenSSL, Java, an alert of the TLS registry, …
	Meaning  string   `json:"meaning"`            //
	Speaker  string   `json:"speaker,omitempty"`  // which side says it, and of whom
	Findings []string `json:"findings,omitempty"` // ids that can stand behind it, the likeliest first
	Look     string   `json:"look,omitempty"`     // where to look
	Command  string   `json:"command,omitempty"`  // what to run
	Citation string   `json:"citation,omitempty"`
}

// Bounds of an explanation: a pasted log is long, an answer is not.
const (
	maxExplained    = 8192 // bytes of the text that are read
	maxExplanations = 5
)

// Explain recognises finding ids, alerts by name or number, and what TLS libraries, browsers, proxies and load balancers
// print when a handshake fails. The most specific explanation comes first; there is always one, and its Known says
// whether anything was recognised.
func Explain(text string) []Explanation {
	text = strings.TrimSpace(boundTo(strings.ToValidUTF8(text, " "), maxExplained))
	var found []candidate
	found = append(found, explainID(text)...)
	words := normalize(text)
	for _, table := range symptomTables {
		for i := range table {
			if part, ok := table[i].matches(words); ok {
				found = append(found, candidate{weight: len(part), Explanation: table[i].explanation(part)})
			}
		}
	}
	if words != "" && strings.Trim(words, "0123456789") == "" {
		for i := range curlSymptoms { // a number alone may be curl's exit code as well as an alert's
			if part, ok := curlSymptoms[i].matches("curl " + words); ok {
				found = append(found, candidate{weight: 1, Explanation: curlSymptoms[i].explanation(part)})
			}
		}
	}
	found = append(found, explainTermination(text)...)
	found = append(found, explainPacked(text)...)
	found = append(found, explainAlert(words)...)
	if len(found) == 0 {
		return []Explanation{unknown(words)}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.weight, a.weight) })
	var out []Explanation
	for _, c := range found {
		same := func(e Explanation) bool { return e.Meaning == c.Meaning }
		if len(out) < maxExplanations && !slices.ContainsFunc(out, same) {
			out = append(out, c.Explanation)
		}
	}
	return out
}

// candidate is an explanation with how specific its match is.
type candidate struct {
	weight int
	Explanation
}

// explainID explains a finding.
func explainID(text string) []candidate {
	r, ok := Lookup(strings.ToLower(text))
	if !ok {
		return nil
	}
	return []candidate{{weight: 1000, Explanation: Explanation{
		Known: true, Match: r.ID, Source: "finding of the " + r.Leg + " leg", Meaning: r.Title + ". " + r.Explanation,
		Speaker: "usually the " + string(r.Fault) + " must act", Findings: append([]string{r.ID}, r.CausedBy...), Citation: r.Citation,
		Look: "docs/runbook.md",
	}}}
}

// normalize makes texts comparable: lower case, every run of spaces, underscores and hyphens one space.
func normalize(s string) string {
	var b strings.Builder
	gap := true
	for _, r := range strings.ToLower(s) {
		switch r {
		case ' ', '\t', '\n', '\r', '_', '-', '"', '\'', '`', '“', '”', '‘', '’':
			if !gap {
				b.WriteByte(' ')
			}
			gap = true
			continue
		}
		b.WriteRune(r)
		gap = false
	}
	return strings.TrimSpace(b.String())
}

// unknown says honestly that nothing was recognised, with the ids that share most words with the text.
func unknown(words string) Explanation {
	type near struct {
		id    string
		score int
	}
	var nearest []near
	for _, r := range catalog {
		score := 0
		for _, w := range strings.Split(r.ID, "-") {
			if len(w) > 2 && strings.Contains(words, w) {
				score += 3
			}
		}
		title := normalize(r.Title)
		for _, w := range strings.Fields(words) {
			if len(w) > 4 && strings.Contains(title, w) {
				score++
			}
		}
		if score > 0 {
			nearest = append(nearest, near{r.ID, score})
		}
	}
	slices.SortStableFunc(nearest, func(a, b near) int { return cmp.Compare(b.score, a.score) })
	e := Explanation{
		Meaning: "not known: no alert, no finding, and no library's message that is known here.",
		Look:    "give the whole line from the log, or the alert's name or number; `tlstriage explain handshake_failure` shows the form",
		Command: "tlstriage proxy --listen 127.0.0.1:8443 --backend https://HOST:PORT",
	}
	for i := 0; i < len(nearest) && i < 5; i++ {
		e.Findings = append(e.Findings, nearest[i].id)
	}
	return e
}
