// Package envoy imports Envoy's configuration: a static bootstrap in YAML or JSON, the resources of a file-based discovery, or the
// output of the admin interface's /config_dump. Every filter chain with a TLS context is an endpoint, every cluster with one an
// endpoint on the client's side.
package envoy

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// Kind is what Result.Kind says.
const Kind = "envoy"

// Import reads a configuration. Certificate files that it names are read through fsys for their kind. The error is an
// *imported.Error.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	docs, err := document.Read(fsys, file)
	if err != nil {
		var at *document.Error
		errors.As(err, &at)
		return nil, &imported.Error{File: file, Line: at.Line, Text: at.Text}
	}
	r := newReader(fsys, file, o)
	found := false
	for _, doc := range docs {
		found = r.collect(doc, 0) || found
	}
	if !found {
		return nil, &imported.Error{File: file, Line: docs[0].Line, Text: "neither a bootstrap of Envoy (static_resources), nor a config dump (configs), nor resources of type Listener or Cluster"}
	}
	for _, l := range r.listeners {
		r.listener(l)
	}
	for _, c := range r.clusters {
		r.cluster(c)
	}
	return &r.Result, nil
}

// Detect reports whether a file is Envoy's: a bootstrap, a config dump, or resources with Envoy's types.
func Detect(_ string, head []byte) bool {
	for _, word := range []string{"static_resources", "staticResources", "type.googleapis.com/envoy.", "filter_chains:", "\"filter_chains\"", "common_tls_context"} {
		if bytes.Contains(head, []byte(word)) {
			return true
		}
	}
	return bytes.Contains(head, []byte("dynamic_resources")) && bytes.Contains(head, []byte("admin"))
}

// field is a field by its name in the API, or by the camel case that JSON of protocol buffers has, too.
func field(n *document.Node, name string) *document.Node {
	if v := n.Get(name); v.Present() {
		return v
	}
	return n.Get(camel(name))
}

func camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	var b strings.Builder
	upper := false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_':
			upper = true
		case upper && c >= 'a' && c <= 'z':
			b.WriteByte(c - 'a' + 'A')
			upper = false
		default:
			b.WriteByte(c)
			upper = false
		}
	}
	return b.String()
}

// at follows fields down.
func at(n *document.Node, path ...string) *document.Node {
	for _, name := range path {
		n = field(n, name)
	}
	return n
}

// wrapped is a value that may stand in a wrapper message: {"value": true}.
func wrapped(n *document.Node) *document.Node {
	if inner := n.Get("value"); inner.Present() {
		return inner
	}
	return n
}

// kindOf is the last part of a typed message's @type: "DownstreamTlsContext".
func kindOf(n *document.Node) string {
	url := n.Get("@type").Text()
	return url[strings.LastIndexAny(url, "./")+1:]
}
