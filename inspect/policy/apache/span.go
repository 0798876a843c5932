package apache

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// spans are the lines of a virtual host, from its first to its last, and of what it includes; without those of the sections in it that
// have connections of their own. Nil: the main server, of which every line is for all hosts.
func (h *host) spans() []imported.Span {
	if !h.at.section {
		return nil
	}
	spans := imported.Extend(nil, h.at.file, h.at.line, h.at.last)
	for _, d := range h.body {
		if d.file != h.at.file {
			spans = imported.Extend(spans, d.file, d.line, max(d.line, d.last))
		}
	}
	for _, d := range h.body {
		if d.connects() {
			spans = imported.Without(spans, d.file, d.line, d.last)
		}
	}
	return spans
}

// spans are the lines of what stands in a section itself.
func (s *scope) spans() (spans []imported.Span) {
	for _, d := range s.body {
		spans = imported.Extend(spans, d.file, d.line, max(d.line, d.last))
	}
	return spans
}

// connects reports whether requests are passed on in a section.
func (d *directive) connects() bool {
	return d.section && slices.ContainsFunc(d.body, func(inner *directive) bool {
		return inner.connects() || strings.HasPrefix(inner.name, "proxypass") || inner.name == "balancermember"
	})
}
