package caddy

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// Bounds of what one configuration gives.
const (
	maxEndpoints    = 2_000
	maxHosts        = 10_000 // of one server
	maxNames        = 2_000  // in all certificates, and of those that are managed
	maxPorts        = 1_000  // of a Caddyfile
	maxProblems     = 1_000
	maxCertificates = 2_000
	maxDepth        = 50 // of routes in routes, and of blocks in a Caddyfile
)

// reader is one run of Import.
type reader struct {
	fsys    fs.FS
	file    string
	version string // of Caddy; empty: the newest
	golang  string // the Go release that it was built with; empty: the newest
	result  *imported.Result

	leaves    []leaf
	byName    certfile.Index // numbers of leaves
	leafNames []string       // in the leaves
	undecided bool           // names are served that the file does not tell: on demand, or in certificates that were not read
	managed   []automation
	automated []string // names that are managed though no route has them
}

// leaf is a certificate that is loaded rather than managed.
type leaf struct {
	*certfile.Leaf
	tags []string
	fact imported.Fact
}

// automation says what key is made for which names; no names: for all others.
type automation struct {
	subjects []string
	keyType  policy.CertificateType
	node     *document.Node
}

func newReader(fsys fs.FS, file string, o imported.Options) *reader {
	r := &reader{fsys: fsys, file: file, version: o.Version, golang: goRelease(o.Version), result: &imported.Result{Kind: Kind}}
	if o.Version != "" && !release.Known(o.Version) {
		r.problem(nil, "version %s is no number; the newest that is known is taken", document.Quote(o.Version))
	}
	return r
}

// goRelease is the Go release that a release of Caddy is built with at least.
func goRelease(caddy string) string {
	for _, step := range [...][2]string{{"2.11", ""}, {"2.10", "1.24"}, {"2.9", "1.23"}, {"2.8", "1.22"}, {"2.7", "1.20"}} {
		if release.AtLeast(caddy, step[0]) {
			return step[1]
		}
	}
	return "1.19"
}

// shownVersion is the version whose defaults were taken.
func (r *reader) shownVersion() string {
	if release.Known(r.version) {
		return r.version
	}
	return newest
}

const newest = "2.11"

func (r *reader) problem(n *document.Node, format string, args ...any) {
	r.tell(imported.Problem{File: r.file, Line: n.Position(), Text: fmt.Sprintf(format, args...)})
}

// refuse tells a problem for which Caddy does not start.
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
	e.System, e.Version = Kind, r.shownVersion()
	r.result.Endpoints = append(r.result.Endpoints, e)
}

func (r *reader) fact(e *imported.Endpoint, setting string, n *document.Node) {
	e.Facts = append(e.Facts, imported.Fact{File: r.file, Line: n.Position(), Setting: setting, Value: n.Summary()})
}

func assume(e *imported.Endpoint, setting, value, source string) {
	e.Facts = append(e.Facts, imported.Fact{Setting: setting, Value: value, Default: true, Source: source})
}

// unknownKeys tells the keys of n that are not among the known ones.
func (r *reader) unknownKeys(n *document.Node, what string, known ...string) {
	for key, value := range n.All() {
		if !slices.Contains(known, key) {
			r.problem(value, "%s: %s is not understood", what, document.Quote(key))
		}
	}
}

// readFile reads a file that the configuration names, as it names it or else beside the configuration.
func (r *reader) readFile(name string, limit int64) ([]byte, error) {
	data, err := document.ReadFile(r.fsys, name, limit)
	if err == nil || path.IsAbs(name) || path.Dir(r.file) == "." {
		return data, err
	}
	if beside, besideErr := document.ReadFile(r.fsys, path.Join(path.Dir(r.file), name), limit); besideErr == nil {
		return beside, nil
	}
	return nil, err
}

// placeholder reports whether s is filled in when Caddy runs.
func placeholder(s string) bool { return strings.Contains(s, "{") }
