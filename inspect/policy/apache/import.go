// Package apache reads configurations of Apache httpd 2.4: the virtual hosts that speak TLS, each with the policy that mod_ssl and
// the OpenSSL below it make of the directives, and the connections to backends as the client side. It says which line each setting
// is from, and what it could not judge.
package apache

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// Kind is Result.Kind of what this package reads.
const Kind = "apache"

// newest is the release whose defaults are taken where none is named.
const newest = "2.4.71"

// Bounds of a configuration.
const (
	MaxFileBytes    = 1 << 20 // of one file, where Options.MaxFileBytes sets no other
	maxFiles        = 1000
	maxTotal        = 16 // files of the largest size, in all that are included
	maxIncludeDepth = 32
	maxSections     = 64 // nested
	maxEndpoints    = 5000
	maxProblems     = 500
	maxLine         = 64 << 10 // bytes, with what continues it and what variables bring
)

// Import reads the configuration in file, and what it includes, through fsys. Relative paths in it are taken from ServerRoot, and
// without one from the directory of file. The error is an *imported.Error where the configuration cannot be read at all.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	version := o.Version
	if version == "" {
		version = newest
	}
	if !release.Known(version) {
		return nil, &imported.Error{File: file, Text: fmt.Sprintf("%q is no version of Apache httpd", version)}
	}
	r := &reader{fsys: fsys, root: path.Dir(file), maxBytes: o.FileBytes(MaxFileBytes), version: version, defined: map[string]string{}, modules: map[string]bool{}}
	r.Collector = imported.Collector{Result: imported.Result{Kind: Kind}, MaxEndpoints: maxEndpoints, MaxProblems: maxProblems}
	root, err := r.file(file)
	if err != nil {
		return nil, err
	}
	im := importer{reader: r, openssl: o.OpenSSL, named: o.Version != "", clients: map[string]bool{}}
	im.main(root)
	return &r.Result, nil
}

func (r *reader) problem(d *directive, format string, args ...any) {
	r.Problem(d.file, d.line, format, args...)
}

// refuse tells a problem for which httpd does not start, if it is sure that the line is what httpd reads.
func (r *reader) refuse(d *directive, format string, args ...any) {
	r.Refuse(!r.unsure, d.file, d.line, format, args...)
}

var (
	sections   = regexp.MustCompile(`(?mi)^\s*<(VirtualHost|IfModule|IfDefine|Directory|Location|Files|IfVersion)\s+[^>\n]+>`)
	directives = regexp.MustCompile(`(?mi)^\s*(SSL[A-Z][A-Za-z]+|ServerName|ServerRoot|DocumentRoot|LoadModule|Listen|ServerAlias|ProxyPass|CustomLog)\s+\S`)
)

// Detect reports whether a file is likely an Apache httpd configuration, by its name and its first bytes.
func Detect(name string, head []byte) bool {
	switch path.Base(name) {
	case "httpd.conf", "apache2.conf", "httpd-ssl.conf":
		return true
	}
	return bytes.IndexByte(head, 0) < 0 && sections.Match(head) && directives.Match(head)
}
