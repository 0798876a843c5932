package imported

// Extend adds lines of a file to spans: to that of the file, or as one of their own.
func Extend(spans []Span, file string, first, last int) []Span {
	if file == "" || first < 1 {
		return spans
	}
	for i := range spans {
		if spans[i].File == file {
			spans[i].First, spans[i].Last = min(spans[i].First, first), max(spans[i].Last, last)
			return spans
		}
	}
	return append(spans, Span{File: file, First: first, Last: max(first, last)})
}

// Without are the lines of spans without those from first to last of a file.
func Without(spans []Span, file string, first, last int) []Span {
	var out []Span
	for _, s := range spans {
		if s.File != file || last < s.First || s.Last < first {
			out = append(out, s)
			continue
		}
		if s.First < first {
			out = append(out, Span{File: file, First: s.First, Last: first - 1})
		}
		if last < s.Last {
			out = append(out, Span{File: file, First: last + 1, Last: s.Last})
		}
	}
	return out
}

// OwnLines adds the lines of facts to spans.
func OwnLines(spans []Span, facts []Fact) []Span {
	for _, f := range facts {
		if f.File != "" && f.Line > 0 {
			spans = append(spans, Span{File: f.File, First: f.Line, Last: f.Line})
		}
	}
	return spans
}
