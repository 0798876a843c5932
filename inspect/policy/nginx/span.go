package nginx

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// spans are the lines of a block, from its name to its closing brace, and of what it includes; without those of the blocks in it that have
// connections of their own.
func (s *statement) spans() []imported.Span {
	spans := imported.Extend(nil, s.file, s.line, max(s.line, s.last))
	for _, d := range s.body {
		if d.file != s.file {
			spans = imported.Extend(spans, d.file, d.line, max(d.line, d.last))
		}
	}
	for _, d := range s.body {
		switch {
		case !d.connects():
		case d.file != s.file || d.line > s.line && d.last < s.last: // what stands in a line with the block's own is the block's, too
			spans = imported.Without(spans, d.file, d.line, d.last)
		}
	}
	return spans
}

// spans are the lines of what stands in a scope's own block.
func (s *scope) spans() (spans []imported.Span) {
	for _, d := range s.body {
		spans = imported.Extend(spans, d.file, d.line, max(d.line, d.last))
	}
	return spans
}

// connects reports whether requests are passed on over TLS in a block.
func (s *statement) connects() bool {
	return s.isBlock && slices.ContainsFunc(s.body, func(d *statement) bool {
		if d.isBlock || len(d.args) == 0 || !strings.HasSuffix(d.name, "_pass") {
			return d.connects()
		}
		return slices.ContainsFunc([]string{"https", "grpcs", "suwsgi"}, func(scheme string) bool { return hasScheme(d.args[0], scheme) })
	})
}
