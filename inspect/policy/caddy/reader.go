package caddy

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/certfile"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/spelling"
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
	imported.Document
	version string // of Caddy; empty: the newest
	golang  string // the Go release that it was built with; empty: the newest

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
	r := &reader{Document: imported.Document{Files: fsys, File: file, Collector: imported.Collector{Result: imported.Result{Kind: Kind}, System: Kind, MaxEndpoints: maxEndpoints, MaxProblems: maxProblems}},
		version: o.Version, golang: goRelease(o.Version)}
	r.Asked(o.Version, newest)
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

const newest = "2.11"

// unknown tells of a word that Caddy is not known to have where it stands. Caddy refuses what it does not know: that is certain of a slip,
// and of a release whose words are all known here.
func (r *reader) unknown(n *document.Node, what, word string, known []string) {
	near := spelling.Slip(word, slices.Values(known))
	switch {
	case near != "":
		r.Refuse(n, "%s: %s is not understood, and Caddy refuses it; %s is the nearest", what, document.Quote(word), near)
	case release.Known(r.version) && release.AtLeast(newest, r.version):
		r.Refuse(n, "%s: %s is not understood; Caddy %s refuses it", what, document.Quote(word), r.version)
	default:
		r.Problem(n, "%s: %s is not understood", what, document.Quote(word))
	}
}

// unknownFields tells the keys of n that are not among the known ones.
func (r *reader) unknownFields(n *document.Node, what string, known ...string) {
	for key, value := range n.All() {
		if !slices.Contains(known, key) {
			r.unknown(value, what, key, known)
		}
	}
}

// lists refuses values that are to be lists and are none.
func (r *reader) lists(n *document.Node, keys ...string) {
	for _, key := range keys {
		if value := n.Get(key); value.Present() && value.Kind != document.List && value.Kind != document.Null {
			r.Refuse(value, "%s: a list is expected; Caddy refuses it", key)
		}
	}
}

// placeholder reports whether s is filled in when Caddy runs.
func placeholder(s string) bool { return strings.Contains(s, "{") }
