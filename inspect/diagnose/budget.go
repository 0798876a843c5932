package diagnose

import "github.com/tlstriage/tlstriage/inspect"

// maxFindings bounds all findings of a record in their JSON form, whatever the two peers sent.
const maxFindings = 48 << 10

// trim takes lists, fixes and then details out of findings once the room is used up. The first findings, and with them the root
// cause, are never touched: one alone is far smaller than the room.
func trim(findings []inspect.Finding) {
	if bound := atMost(findings); bound <= maxFindings {
		return
	}
	used := 0
	for i := range findings {
		f := &findings[i]
		n := weight(f.ID, f.Title, f.Citation, f.Detail) + weight(f.Offered...) + weight(f.Accepted...) + weight(f.CausedBy...)
		for _, x := range f.Fixes {
			n += weight(x.Target, x.Action, x.Snippet)
		}
		if used += n; used > maxFindings {
			used -= n
			f.Offered, f.Accepted, f.Fixes, f.Detail = nil, nil, nil, boundTo(f.Detail, 64)
			used += weight(f.ID, f.Title, f.Citation, f.Detail) + weight(f.CausedBy...)
		}
	}
}

// atMost bounds the JSON form of findings from above without looking at each byte.
func atMost(findings []inspect.Finding) int {
	n := 0
	add := func(values ...string) {
		for _, s := range values {
			n += 6*len(s) + 24
		}
	}
	for i := range findings {
		f := &findings[i]
		add(f.ID, f.Title, f.Citation, f.Detail)
		add(f.Offered...)
		add(f.Accepted...)
		add(f.CausedBy...)
		for _, x := range f.Fixes {
			add(x.Target, x.Action, x.Snippet)
		}
	}
	return n
}

// weight estimates the JSON form of strings from above: a control character, or a byte that is no UTF-8, takes six bytes.
func weight(values ...string) int {
	n := 0
	for _, s := range values {
		n += len(s) + 24
		for i := range len(s) {
			if s[i] < 0x20 || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' || s[i] == '<' || s[i] == '>' || s[i] == '&' {
				n += 5
			}
		}
	}
	return n
}
