package main

import (
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// markdown is the result for a ticket.
func (s *scanned) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s: %s", inMarkdown(s.Target), s.Verdict)
	if s.Cause != "" {
		fmt.Fprintf(&b, " (`%s`)", s.Cause)
	}
	b.WriteString("\n\n")
	if text := s.sentence(); text != "" {
		b.WriteString(inMarkdown(text) + "\n\n")
	}
	for _, f := range s.Findings {
		fmt.Fprintf(&b, "- **%s** `%s`: %s", f.Severity, f.ID, inMarkdown(f.Title))
		if f.Detail != "" {
			b.WriteString("  \n  " + inMarkdown(f.Detail))
		}
		b.WriteString("\n")
		if f.Severity == inspect.SeverityInfo {
			continue
		}
		for _, fix := range f.Fixes {
			fmt.Fprintf(&b, "  - %s: %s\n", inMarkdown(fix.Target), inMarkdown(fix.Action))
			if fix.Snippet != "" {
				b.WriteString("\n    ```\n")
				for line := range strings.Lines(fix.Snippet) {
					b.WriteString("    " + shown(strings.TrimSuffix(line, "\n")) + "\n")
				}
				b.WriteString("    ```\n\n")
			}
		}
	}
	b.WriteString("\n```text\n" + printable(s.table(true)) + "```\n\n")
	return b.String()
}

// inMarkdown is a stranger's text in a line of Markdown in which it means nothing.
func inMarkdown(text string) string {
	var b strings.Builder
	for _, r := range shown(text) {
		if strings.ContainsRune("\\`*_[]<>|#", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
