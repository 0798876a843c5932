package importertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// Endpoint finds an endpoint by its name.
func Endpoint(t testing.TB, r *imported.Result, name string) *imported.Endpoint {
	t.Helper()
	var names []string
	for _, e := range r.Endpoints {
		if e.Name == name {
			return e
		}
		names = append(names, e.Name)
	}
	t.Fatalf("no endpoint %s among %s; problems %v", name, strings.Join(names, ", "), r.Problems)
	return nil
}

// Problem wants a problem on a line.
func Problem(t testing.TB, r *imported.Result, line int, text string) {
	t.Helper()
	for _, p := range r.Problems {
		if p.Line == line && strings.Contains(p.Text, text) {
			return
		}
	}
	t.Errorf("no problem on line %d with %q among %v", line, text, r.Problems)
}

// Problems are the problems in lines, "file:1: text".
func Problems(r *imported.Result) []string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text))
	}
	return out
}

// Places wants a place of every fact, or a source where it is a default.
func Places(t testing.TB, r *imported.Result) {
	t.Helper()
	for _, e := range r.Endpoints {
		for _, f := range e.Facts {
			if f.Default == (f.Line > 0) || f.Default == (f.File != "") || f.Default == (f.Source == "") {
				t.Errorf("%s: fact without a place or a source: %+v", e.Name, f)
			}
		}
	}
}

// Refused reports whether the system does not start with a configuration, as far as its importer knows.
func Refused(r *imported.Result, err error) bool {
	if err != nil {
		return true
	}
	for _, p := range r.Problems {
		if p.Refused {
			return true
		}
	}
	return false
}
