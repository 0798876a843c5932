package imported

import (
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/tlstriage/tlstriage/inspect/policy/internal/document"
	"github.com/tlstriage/tlstriage/inspect/policy/internal/release"
)

// Document is a Collector for a configuration that is one file of JSON or YAML: problems and facts stand at nodes of it.
type Document struct {
	Collector
	Files fs.FS // nil: nothing beside the file is read
	File  string
}

// Asked takes the version whose defaults are wanted, or the newest that is known where none is named, or what is named is no number.
func (d *Document) Asked(version, newest string) {
	d.Version = newest
	if release.Known(version) {
		d.Version = version
	} else if version != "" {
		d.Problem(nil, "version %s is no number; the newest that is known is taken", document.Quote(version))
	}
}

// Problem tells what was not understood, or cannot be said by a policy. A nil node is the file as a whole.
func (d *Document) Problem(n *document.Node, format string, args ...any) {
	d.Collector.Problem(d.File, n.Position(), format, args...)
}

// Refuse tells a problem for which the system does not take the configuration.
func (d *Document) Refuse(n *document.Node, format string, args ...any) {
	d.Collector.Refuse(true, d.File, n.Position(), format, args...)
}

// Add adds an endpoint.
func (d *Document) Add(e *Endpoint) { d.Collector.Add(d.File, e) }

// Full reports whether no endpoint can be added any more, and tells it.
func (d *Document) Full() bool { return d.Collector.Full(d.File) }

// Fact adds to e a setting as it stands in the file.
func (d *Document) Fact(e *Endpoint, setting string, n *document.Node) {
	e.Facts = append(e.Facts, Fact{File: d.File, Line: n.Position(), Setting: setting, Value: n.Summary()})
}

// UnknownKeys tells the keys of n that are not among the known ones.
func (d *Document) UnknownKeys(n *document.Node, what string, known ...string) {
	for key, value := range n.All() {
		if !slices.Contains(known, key) {
			d.Problem(value, "%s: %s is not understood", what, document.Quote(key))
		}
	}
}

// ReadFile reads a file that the configuration names, as it names it or else beside the configuration.
func (d *Document) ReadFile(name string, limit int64) ([]byte, error) {
	if d.Files == nil {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	data, err := document.ReadFile(d.Files, name, limit)
	if err == nil || path.IsAbs(name) || path.Dir(d.File) == "." {
		return data, err
	}
	if beside, besideErr := document.ReadFile(d.Files, path.Join(path.Dir(d.File), name), limit); besideErr == nil {
		return beside, nil
	}
	return nil, err
}
