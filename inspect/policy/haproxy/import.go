// Package haproxy reads HAProxy configurations: the bind lines that speak TLS, each certificate choice of theirs with the policy
// that HAProxy and the OpenSSL below it make of the settings, and the server lines as the client side. It says which line each
// setting is from, and what it could not judge.
package haproxy

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
	"github.com/tlstriage/tlstriage/inspect/policy/openssl"
	"github.com/tlstriage/tlstriage/inspect/spelling"
)

// Kind is Result.Kind of what this package reads.
const Kind = "haproxy"

// Bounds of a configuration.
const (
	MaxFileBytes    = 1 << 20 // where Options.MaxFileBytes sets no other
	maxLines        = 100_000
	maxWords        = 1000     // in one line
	maxLine         = 64 << 10 // bytes that variables bring to one line
	maxBrought      = 16 << 20 // and to all
	maxConditions   = 64       // nested .if
	maxEndpoints    = 5000
	maxProblems     = 500
	maxCertificates = 20_000 // read in all
)

// Import reads the configuration in file, and the certificates and lists it names, through fsys. Relative paths are taken as
// HAProxy takes them: from where it is started, which is the root of fsys here, unless crt-base or default-path
// says otherwise. The error is an
// *imported.Error where the configuration cannot be read at all.
func Import(fsys fs.FS, file string, o imported.Options) (*imported.Result, error) {
	v, err := parseVersion(o.Version)
	if err != nil {
		return nil, &imported.Error{File: file, Text: err.Error()}
	}
	data, err := document.ReadFile(fsys, file, o.FileBytes(MaxFileBytes))
	if err != nil {
		return nil, &imported.Error{File: file, Text: err.Error()}
	}
	im := importer{fsys: fsys, file: file, maxBytes: o.FileBytes(MaxFileBytes), version: v, named: o.Version != "", openssl: o.OpenSSL, env: map[string]string{}, files: map[string]*certificateFile{}}
	im.Collector = imported.Collector{Result: imported.Result{Kind: Kind}, MaxEndpoints: maxEndpoints, MaxProblems: maxProblems}
	if err := im.read(data); err != nil {
		return nil, err
	}
	return &im.Result, nil
}

// importer makes endpoints of lines.
type importer struct {
	imported.Collector
	fsys     fs.FS
	file     string
	maxBytes int64 // of one file
	version  version
	named    bool // the version was given
	openssl  string
	unsure   bool              // a condition or a variable before this line is not known
	env      map[string]string // set by the configuration itself

	global   global
	base     string            // of default-path; empty: where HAProxy is started
	stores   map[string]string // certificates of crt-store sections by "@store/alias"
	defaults map[string]*section
	last     *section // the latest defaults section
	made     openssl.Maker
	files    map[string]*certificateFile // that were read, by name
	certs    int                         // certificates so far
}

func (im *importer) problem(at line, format string, args ...any) {
	im.Problem(at.file, at.number, format, args...)
}

// refuse tells a problem for which HAProxy does not start, if it is sure that the line is what HAProxy reads.
func (im *importer) refuse(at line, format string, args ...any) {
	im.Refuse(!im.unsure, at.file, at.number, format, args...)
}

// refusals tells what OpenSSL makes of settings.
func (im *importer) refusals(x openssl.Context, errs []error, at func(error) line) {
	for _, err := range errs {
		switch {
		case errors.Is(err, openssl.ErrSystemProfile):
			im.problem(at(err), "%v", err)
		case errors.Is(err, openssl.ErrWeakKey):
			if !slices.ContainsFunc(x.Certificates, func(c openssl.Certificate) bool { return !loads(c, x.Options) }) { // which is told already
				im.problem(at(err), "%v: every handshake with it fails", err)
			}
		case x.Refuses(err, im.openssl != ""):
			im.refuse(at(err), "%v; HAProxy refuses it", err)
		default:
			im.problem(at(err), "%v; HAProxy refuses it with an OpenSSL that does", err)
		}
	}
}

// unknown tells of a keyword that this package does not know; what is where it stands. HAProxy refuses what it does not know: that is
// certain of a slip, and of a release whose keywords are all known here.
func (im *importer) unknown(at line, what, word string, known []string) {
	near := spelling.Slip(word, slices.Values(known))
	switch {
	case near != "":
		im.refuse(at, "%s: %q is not understood, and HAProxy refuses it; %s is the nearest keyword", what, word, near)
	case im.named && release.AtLeast(string(newest), string(im.version)):
		im.refuse(at, "%s: %q is not understood; HAProxy %s refuses it", what, word, im.version)
	default:
		im.problem(at, "%s: %q is not understood", what, word)
	}
}

var (
	sectionLine = regexp.MustCompile(`(?m)^[ \t]*(global|defaults([ \t]+[^\n;{]*)?|(frontend|backend|listen)[ \t]+[^\n;{]+)\r?$`)
	keywordLine = regexp.MustCompile(`(?m)^[ \t]+(bind[ \t]+\S+|server[ \t]+\S+[ \t]+\S+|mode[ \t]+(tcp|http)|ssl-default-\S+|timeout[ \t]+(connect|client|server)|default_backend[ \t]|maxconn[ \t]+\d+|log[ \t]+\S+[ \t]+\S+|stats[ \t]+socket|daemon)`)
)

// Detect reports whether a file is likely an HAProxy configuration, by its name and its first bytes.
func Detect(name string, head []byte) bool {
	if path.Base(name) == "haproxy.cfg" {
		return true
	}
	return bytes.IndexByte(head, 0) < 0 && sectionLine.Match(head) && keywordLine.Match(head)
}
