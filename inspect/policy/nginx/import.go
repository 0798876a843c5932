// Package nginx reads nginx configurations: the servers that speak TLS, each with the policy that nginx and the OpenSSL below
// it make of the directives, and the connections to upstreams as the client side. It says which line each setting is from, and
// what it could not judge.
package nginx

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
)

// Kind is Result.Kind of what this package reads.
const Kind = "nginx"

// Bounds of a configuration.
const (
	MaxFileBytes    = 1 << 20 // of one file, where Options.MaxFileBytes sets no other
	maxFiles        = 1000    // read in all, the same file twice counting twice
	maxTotal        = 16      // files of the largest size, in all that are included
	maxIncludeDepth = 32
	maxBlockDepth   = 100
	maxEndpoints    = 5000
	maxSockets      = 50_000 // of all listen directives
	maxProblems     = 500
)

// Import reads the configuration in file, and what it includes, through fsys. Relative paths in it are taken from the directory of
// file, as nginx does. The error is an *imported.Error where the configuration cannot be read at all.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	version, err := parseVersion(o.Version)
	if err != nil {
		return nil, &imported.Error{File: file, Text: err.Error()}
	}
	r := reader{fsys: fsys, base: path.Dir(file), maxBytes: o.FileBytes(MaxFileBytes), Collector: imported.Collector{Result: imported.Result{Kind: Kind}, MaxEndpoints: maxEndpoints, MaxProblems: maxProblems}}
	root, err := r.file(file)
	if err != nil {
		return nil, err
	}
	im := importer{reader: &r, version: version, named: o.Version != "", openssl: o.OpenSSL, leaves: make(map[string]leaf), clients: make(map[string]bool)}
	im.main(root)
	return &r.Result, nil
}

var (
	block     = regexp.MustCompile(`(?m)(?:^|[{};])\s*(http|stream|events|server|upstream|map\s+\S+\s+\$\w+|location\s+\S.*)\s*\{`)
	directive = regexp.MustCompile(`(?m)(?:^|[{};])\s*(listen|server_name|ssl_[a-z_]+|proxy_pass|proxy_ssl_[a-z_]+|worker_processes|worker_connections|error_log|access_log|include|root)\s+[^{}=]*;`)
)

// Detect reports whether a file is likely an nginx configuration, by its name and its first bytes.
func Detect(name string, head []byte) bool {
	base := path.Base(name)
	if base == "nginx.conf" {
		return true
	}
	if bytes.IndexByte(head, 0) >= 0 || strings.HasPrefix(strings.TrimSpace(string(head)), "{") {
		return false
	}
	return directive.Match(head) && (block.Match(head) || strings.HasSuffix(base, ".conf"))
}
