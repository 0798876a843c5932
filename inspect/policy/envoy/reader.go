package envoy

import (
	"io/fs"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
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
	imported.Document
	version string // of Envoy; empty: the newest

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
		Document: imported.Document{Files: fsys, File: file, Collector: imported.Collector{Result: imported.Result{Kind: Kind}, System: Kind, MaxEndpoints: maxEndpoints, MaxProblems: maxProblems}},
		version:  o.Version,
		secrets:  make(map[string]*document.Node), files: make(map[string]*certificate),
	}
	r.Asked(o.Version, newest)
	return r
}

// unknownFields tells the fields of n that are not among the known ones, by their names in the API.
func (r *reader) unknownFields(n *document.Node, what string, known ...string) {
	for key, value := range n.All() {
		if key == "@type" || slices.ContainsFunc(known, func(k string) bool { return k == key || camel(k) == key }) {
			continue
		}
		r.Problem(value, "%s: %s is not understood", what, document.Quote(key))
	}
}
