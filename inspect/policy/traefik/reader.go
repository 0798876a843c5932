package traefik

import (
	"io/fs"
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
	maxEndpoints    = 10_000
	maxProblems     = 1_000
	maxCertificates = 2_000
	newest          = "3.7"
)

// reader is one run of Import.
type reader struct {
	imported.Document
	version string // of Traefik; empty: the newest
	golang  string // the Go release it was built with; empty: the newest

	options    map[string]*document.Node // of tls.options, by name; in Kubernetes namespace-name
	order      []string
	routers    []router
	transports []transport
	leaves     []leaf
	byName     certfile.Index      // numbers of leaves
	byOptions  map[string][]router // routers by their tls.options
	undecided  bool                // a certificate could not be read
	fallback   *leaf               // the default certificate of the store
}

// leaf is a certificate of the configuration.
type leaf struct {
	*certfile.Leaf
	fact imported.Fact
}

// router is a router that terminates TLS.
type router struct {
	name    string
	options string // the name of its tls.options
	rule    *document.Node
	hosts   []string
	whole   bool // it matches names that the rule does not list
	node    *document.Node
}

// transport is how Traefik connects to servers.
type transport struct {
	name string
	tcp  bool
	node *document.Node
}

func newReader(fsys fs.FS, file string, o imported.Options) *reader {
	r := &reader{
		Document: imported.Document{Files: fsys, File: file, Collector: imported.Collector{Result: imported.Result{Kind: Kind}, System: Kind, MaxEndpoints: maxEndpoints, MaxProblems: maxProblems}},
		version:  o.Version, golang: goRelease(o.Version),
		options: make(map[string]*document.Node),
	}
	r.Asked(o.Version, newest)
	return r
}

// goRelease is the Go release that a release of Traefik names in its go.mod, which decides on crypto/tls's defaults.
func goRelease(traefik string) string {
	for _, step := range [...][2]string{{"3.7", ""}, {"3.6", "1.24"}, {"3.3", "1.23"}, {"3.0", "1.22"}, {"2.11", "1.21"}, {"2.10", "1.20"}, {"2.9", "1.19"}} {
		if release.AtLeast(traefik, step[0]) {
			return step[1]
		}
	}
	return "1.17"
}

// certificate reads certFile, which is a file's name or the PEM text itself.
func (r *reader) certificate(n *document.Node) *leaf {
	if len(r.leaves) == maxCertificates {
		r.undecided = true
		r.Problem(n, "more than %d certificates: this one is left out", maxCertificates)
		return nil
	}
	data, shown := []byte(n.Text()), "in the configuration"
	if !strings.Contains(n.Text(), "-----BEGIN") {
		shown = n.Text()
		var err error
		if data, err = r.ReadFile(n.Text(), certfile.MaxBytes); err != nil {
			r.undecided = true
			r.Problem(n, "certificate %s: %v; its kind is not known", document.Quote(shown), err)
			return nil
		}
	}
	return r.pem(n, data, shown)
}

// keep adds a certificate to those that are chosen by name.
func (r *reader) keep(l *leaf) {
	r.leaves = append(r.leaves, *l)
	r.byName.Add(l.Leaf)
}

func (r *reader) pem(n *document.Node, data []byte, shown string) *leaf {
	read, err := certfile.Read(data)
	if err != nil {
		r.undecided = true
		r.Problem(n, "certificate %s: %v; its kind is not known", document.Quote(shown), err)
		return nil
	}
	return &leaf{read, imported.Fact{
		File: r.File, Line: n.Position(), Setting: "certFile", Value: shown + " (" + string(read.Type) + ", " + strings.Join(read.Names, " ") + ")",
	}}
}

// kinds are the kinds of the certificates that answer for these names; none: the default one. nil: not known.
func (r *reader) kinds(e *imported.Endpoint, names []string) []policy.CertificateType {
	var out []policy.CertificateType
	take := func(l *leaf) {
		e.Facts = append(e.Facts, l.fact)
		if !slices.Contains(out, l.Type) {
			out = append(out, l.Type)
		}
	}
	taken := make(map[int]bool)
	for _, name := range names {
		for _, i := range r.byName.Find(name) {
			if !taken[i] {
				taken[i] = true
				take(&r.leaves[i])
			}
		}
	}
	if len(names) == 0 && r.fallback != nil {
		take(r.fallback)
	}
	return out
}
