package cloud

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/named"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// reader is one run of Import.
type reader struct {
	file   string
	result *imported.Result
	custom map[string]*imported.Endpoint // policies of Classic Load Balancers in the file, by name
	finder named.Finder
}

func (r *reader) problem(n *document.Node, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch told := len(r.result.Problems); {
	case told > maxProblems:
		return
	case told == maxProblems:
		text = fmt.Sprintf("more than %d problems: the others are not told", maxProblems)
	}
	r.result.Problems = append(r.result.Problems, imported.Problem{File: r.file, Line: n.Position(), Text: text})
}

func (r *reader) add(n *document.Node, e *imported.Endpoint) {
	if len(r.result.Endpoints) == maxEndpoints {
		r.problem(n, "more than %d endpoints: this one is left out", maxEndpoints)
		return
	}
	r.result.Endpoints = append(r.result.Endpoints, e)
}

// fact is a setting as it stands in the file.
func (r *reader) fact(e *imported.Endpoint, setting string, n *document.Node) {
	e.Facts = append(e.Facts, imported.Fact{File: r.file, Line: n.Position(), Setting: setting, Value: n.Summary()})
}

// assume is a setting that the file does not have.
func assume(e *imported.Endpoint, setting, value, source string) {
	e.Facts = append(e.Facts, imported.Fact{Setting: setting, Value: value, Default: true, Source: source})
}

// unknownKeys tells the keys of n that are not among the known ones.
func (r *reader) unknownKeys(n *document.Node, what string, known ...string) {
	for key, value := range n.All() {
		if !slices.Contains(known, key) && !value.Empty() {
			r.problem(value, "%s: %s is not understood", what, document.Quote(key))
		}
	}
}

// named is the built-in policy of a name. Without one, a problem says which names are near.
func (r *reader) named(n *document.Node, setting, ref string) *policy.Policy {
	p, err := r.finder.Find(ref)
	var unknown *policy.UnknownError
	if errors.As(err, &unknown) {
		text := fmt.Sprintf("%s: no policy of the name %s is known", setting, document.Quote(n.Text()))
		if len(unknown.Nearest) > 0 {
			text += "; the nearest names are " + strings.Join(unknown.Nearest, ", ")
		}
		r.problem(n, "%s", text)
		return nil
	}
	return p
}

// suites reads cipher names, OpenSSL's or IANA's, each once.
func (r *reader) suites(setting string, names []*document.Node) []wire.CipherSuite {
	var out []wire.CipherSuite
	for _, n := range names {
		s, ok := wire.CipherSuiteByName(n.Text())
		switch {
		case !ok:
			r.problem(n, "%s: no cipher suite is called %s", setting, document.Quote(n.Text()))
		case !slices.Contains(out, s):
			out = append(out, s)
		}
	}
	return out
}

func isTLS13(s wire.CipherSuite) bool {
	info, _ := s.Info()
	return info.TLS13()
}
