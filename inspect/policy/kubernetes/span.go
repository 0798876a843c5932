package kubernetes

import (
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// span are the lines of an object, or of a part of one.
func (r *reader) span(n *document.Node) imported.Span {
	if s, ok := r.spans[n]; ok {
		return s
	}
	s := imported.Span{File: r.File, First: n.Position(), Last: n.Position()}
	widen(&s, n)
	if r.spans == nil {
		r.spans = make(map[*document.Node]imported.Span)
	}
	r.spans[n] = s
	return s
}

func widen(s *imported.Span, n *document.Node) {
	if at := n.Position(); at > 0 {
		s.First, s.Last = min(s.First, at), max(s.Last, at)
	}
	for _, item := range n.Items() {
		widen(s, item)
	}
	for _, value := range n.All() {
		widen(s, value)
	}
}

// listenerSpans are the lines of a Gateway without those of its other listeners.
func (r *reader) listenerSpans(g, l *document.Node) []imported.Span {
	spans := []imported.Span{r.span(g)}
	for _, other := range g.At("spec", "listeners").Items() {
		if other == l {
			continue
		}
		s := r.span(other)
		spans = imported.Without(spans, s.File, s.First, s.Last)
	}
	own := r.span(l) // where several stand in one line
	return append(spans, own)
}
