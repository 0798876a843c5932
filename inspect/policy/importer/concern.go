package importer

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// of are the problems that concern some of the endpoints: all but those that stand among lines which are about others alone.
func of(result *imported.Result, endpoints []*imported.Endpoint) []imported.Problem {
	if len(result.Problems) == 0 {
		return nil
	}
	spans := make([][]imported.Span, len(result.Endpoints))
	all := owners(result.Endpoints)
	for i, e := range result.Endpoints {
		if spans[i] = e.Spans; spans[i] == nil {
			spans[i] = ownLines(all, e)
		}
	}
	within := func(p imported.Problem, wanted bool) bool {
		for i, e := range result.Endpoints {
			if slices.Contains(endpoints, e) == wanted && slices.ContainsFunc(spans[i], func(s imported.Span) bool {
				return s.File == p.File && s.First <= p.Line && p.Line <= s.Last
			}) {
				return true
			}
		}
		return false
	}
	return slices.DeleteFunc(slices.Clone(result.Problems), func(p imported.Problem) bool {
		return p.Line > 0 && within(p, false) && !within(p, true)
	})
}

// line is one of a file.
type line struct {
	file string
	line int
}

// owner is whose setting stands in a line: that of endpoints with one name, since the same block can stand for several addresses.
type owner struct {
	name   string
	side   imported.Side
	shared bool // by endpoints of several names
}

func owners(endpoints []*imported.Endpoint) map[line]owner {
	all := make(map[line]owner)
	for _, e := range endpoints {
		for _, f := range e.Facts {
			at := line{f.File, f.Line}
			o, ok := all[at]
			if !ok {
				o = owner{name: e.Name, side: e.Side}
			}
			o.shared = o.shared || o.name != e.Name || o.side != e.Side
			all[at] = o
		}
	}
	return all
}

// ownLines are the lines between the first and the last setting of an endpoint that no other one has.
func ownLines(all map[line]owner, e *imported.Endpoint) []imported.Span {
	var spans []imported.Span
	for _, f := range e.Facts {
		if f.File == "" || f.Line == 0 || all[line{f.File, f.Line}].shared {
			continue
		}
		at := slices.IndexFunc(spans, func(s imported.Span) bool { return s.File == f.File })
		if at < 0 {
			spans = append(spans, imported.Span{File: f.File, First: f.Line, Last: f.Line})
			continue
		}
		spans[at].First, spans[at].Last = min(spans[at].First, f.Line), max(spans[at].Last, f.Line)
	}
	return spans
}
