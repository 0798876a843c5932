package envoy

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// Bounds of what one configuration gives.
const (
	maxEndpoints = 10_000
	maxProblems  = 1_000
	maxResources = 100_000
	maxDepth     = 8 // of transport sockets in transport sockets
	newest       = "1.36"
)

// reader is one run of Import.
type reader struct {
	fsys    fs.FS
	file    string
	version string // of Envoy; empty: the newest
	result  *imported.Result

	listeners []*document.Node
	clusters  []*document.Node
	secrets   map[string]*document.Node // static ones, and those that a dump shows
	files     map[string]*certificate   // certificate files that were read
}

// certificate is what was read of one; nil Leaf: nothing.
type certificate struct {
	leaf *certfile.Leaf
	err  error
}

func newReader(fsys fs.FS, file string, o imported.Options) *reader {
	r := &reader{
		fsys: fsys, file: file, version: o.Version, result: &imported.Result{Kind: Kind},
		secrets: make(map[string]*document.Node), files: make(map[string]*certificate),
	}
	if o.Version != "" && !release.Known(o.Version) {
		r.problem(nil, "version %s is no number; the newest that is known is taken", document.Quote(o.Version))
	}
	return r
}

func (r *reader) problem(n *document.Node, format string, args ...any) {
	r.tell(imported.Problem{File: r.file, Line: n.Position(), Text: fmt.Sprintf(format, args...)})
}

// refuse tells a problem for which Envoy does not take the configuration.
func (r *reader) refuse(n *document.Node, format string, args ...any) {
	r.tell(imported.Problem{File: r.file, Line: n.Position(), Text: fmt.Sprintf(format, args...), Refused: true})
}

func (r *reader) tell(p imported.Problem) {
	switch told := len(r.result.Problems); {
	case told > maxProblems:
		return
	case told == maxProblems:
		p.Text = fmt.Sprintf("more than %d problems: the others are not told", maxProblems)
	}
	r.result.Problems = append(r.result.Problems, p)
}

func (r *reader) add(n *document.Node, e *imported.Endpoint) {
	if len(r.result.Endpoints) == maxEndpoints {
		r.problem(n, "more than %d endpoints: this one is left out", maxEndpoints)
		return
	}
	e.System, e.Version = Kind, newest
	if release.Known(r.version) {
		e.Version = r.version
	}
	r.result.Endpoints = append(r.result.Endpoints, e)
}

func (r *reader) fact(e *imported.Endpoint, setting string, n *document.Node) {
	e.Facts = append(e.Facts, imported.Fact{File: r.file, Line: n.Position(), Setting: setting, Value: n.Summary()})
}

func assume(e *imported.Endpoint, setting, value, source string) {
	e.Facts = append(e.Facts, imported.Fact{Setting: setting, Value: value, Default: true, Source: source})
}

// unknownFields tells the fields of n that are not among the known ones, by their names in the API.
func (r *reader) unknownFields(n *document.Node, what string, known ...string) {
	for key, value := range n.All() {
		if key == "@type" || slices.ContainsFunc(known, func(k string) bool { return k == key || camel(k) == key }) {
			continue
		}
		r.problem(value, "%s: %s is not understood", what, document.Quote(key))
	}
}

// readFile reads a file that the configuration names, as it names it or else beside the configuration.
func (r *reader) readFile(name string) ([]byte, error) {
	data, err := document.ReadFile(r.fsys, name, certfile.MaxBytes)
	if err == nil || path.IsAbs(name) || path.Dir(r.file) == "." {
		return data, err
	}
	if beside, besideErr := document.ReadFile(r.fsys, path.Join(path.Dir(r.file), name), certfile.MaxBytes); besideErr == nil {
		return beside, nil
	}
	return nil, err
}
