// Package caddy imports the TLS side of Caddy's configuration: its JSON, and the Caddyfile as far as it decides on TLS. Servers
// give one endpoint for each connection policy, reverse proxies with TLS one on the client's side.
package caddy

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
)

// Kind is what Result.Kind says.
const Kind = "caddy"

// Import reads a Caddyfile or a configuration in JSON. Certificate files that it names are read through fsys for their kind. The
// error is an *imported.Error.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	data, err := document.ReadFile(fsys, file, document.MaxBytes)
	if err != nil {
		return nil, failed(file, err)
	}
	r := newReader(fsys, file, o)
	config, err := r.config(data)
	if err != nil {
		return nil, failed(file, err)
	}
	servers := config.At("apps", "http", "servers")
	if !servers.Present() && !config.At("apps", "tls").Present() {
		return nil, &imported.Error{File: file, Line: config.Position(), Text: "no HTTP servers (apps.http.servers) and no TLS app (apps.tls)"}
	}
	for name, app := range config.Get("apps").All() {
		if name == "layer4" {
			r.Problem(app, "the app layer4 is not understood; its TLS handlers are left out")
		}
	}
	r.certificates(config.At("apps", "tls"))
	for name, server := range servers.All() {
		r.server(name, server, config)
	}
	return &r.Result, nil
}

// config is the JSON, or what the Caddyfile comes to in it.
func (r *reader) config(data []byte) (*document.Node, error) {
	if !isJSON(data) {
		return r.caddyfile(data)
	}
	docs, err := document.ParseJSON(data)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 || docs[0].Kind != document.Mapping {
		return nil, &document.Error{Line: 1, Text: "not one JSON object"}
	}
	return docs[0], nil
}

// isJSON tells JSON from a Caddyfile, which may begin with a brace, too: that of its global options.
func isJSON(data []byte) bool {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' {
		return false
	}
	rest := bytes.TrimSpace(data[1:])
	return len(rest) == 0 || rest[0] == '"' || rest[0] == '}'
}

func failed(file string, err error) error {
	var at *document.Error
	if errors.As(err, &at) {
		return &imported.Error{File: file, Line: at.Line, Text: at.Text}
	}
	return &imported.Error{File: file, Text: err.Error()}
}

// Detect reports whether a file is Caddy's: called Caddyfile, or JSON with the apps of Caddy.
func Detect(name string, head []byte) bool {
	base := strings.ToLower(name[strings.LastIndexAny(name, `/\`)+1:])
	if base == "caddyfile" || strings.HasPrefix(base, "caddyfile.") || strings.HasSuffix(base, ".caddyfile") || strings.HasSuffix(base, ".caddy") {
		return true
	}
	if !isJSON(head) {
		return false
	}
	has := func(word string) bool { return bytes.Contains(head, []byte(`"`+word+`"`)) }
	return has("apps") && (has("http") || has("tls")) || has("tls_connection_policies")
}
