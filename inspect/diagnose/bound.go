package diagnose

import (
	"strings"
	"unicode/utf8"
)

// bound cuts one value of a stranger's so that it cannot fill a report. Escaping is the printer's business.
func bound(s string) string { return boundTo(s, maxValue) }

// boundTo cuts s to at most n bytes, at a rune's start, and says that it did.
func boundTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const more = "…"
	cut := n - len(more)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}

// boundList bounds the number of values and each value.
func boundList(l []string) []string {
	if len(l) == 0 {
		return nil
	}
	out := make([]string, 0, min(len(l), maxListed))
	for _, s := range l {
		if len(out) == maxListed {
			out[maxListed-1] = "…"
			break
		}
		out = append(out, boundTo(s, 64))
	}
	return out
}

// enumerate joins values for a sentence: the first six of them.
func enumerate(l []string) string {
	const shown = 6
	if len(l) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, s := range l {
		if i == shown {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(boundTo(s, 64))
	}
	return b.String()
}

// or is s, or the words to use when there is nothing to say.
func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
