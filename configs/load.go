package configs

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Load reads a configuration file's bytes over the defaults. An unknown or repeated key, a value of the wrong kind and a
// second document are errors; all of them come back together as Errors, each with file, line, column and key. The name of the
// file is used in errors, and relative paths of files in it are taken from its directory.
//
// Load does not validate: flags and the environment may still complete the configuration. Use Resolve, or call Validate.
func Load(data []byte, file string) (*Config, error) {
	c := Default()
	if err := c.load(data, file); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) load(data []byte, file string) error {
	if len(data) > MaxFileBytes {
		return Errors{{Source: file, Message: fmt.Sprintf("file of %d bytes exceeds %d", len(data), MaxFileBytes)}}
	}
	var document yaml.Node
	if err := yaml.Load(data, &document); err != nil {
		if empty(data) {
			return nil
		}
		return syntaxErrors(err, file)
	}
	d := decoder{config: c, file: file, budget: maxNodes}
	root := &document
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	d.value(root, reflect.ValueOf(c).Elem(), "")
	if len(d.errors) == 0 && file != "" {
		c.anchorPaths(filepath.Dir(file))
	}
	return d.errors.orNil()
}

// empty reports whether there is nothing but comments and blank lines: a file that leaves everything to the flags.
func empty(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

// syntaxErrors turns what the YAML library says into our form.
func syntaxErrors(err error, file string) error {
	var all Errors
	var several *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &several):
		for _, e := range several.Errors {
			all = append(all, &Error{Source: file, Line: e.Mark.Line, Column: e.Mark.Column, Message: strings.TrimPrefix(e.Message, "yaml: ")})
		}
	case errors.As(err, &one):
		all = append(all, &Error{Source: file, Line: one.Mark.Line, Column: one.Mark.Column, Message: strings.TrimPrefix(one.Message, "yaml: ")})
	default:
		all = append(all, &Error{Source: file, Message: strings.TrimPrefix(err.Error(), "yaml: ")})
	}
	return all[:min(len(all), maxErrors)]
}

// anchorPaths makes the files named in a configuration file independent of the directory that the program is started in.
func (c *Config) anchorPaths(dir string) {
	anchor := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	anchor(&c.CADir)
	anchor(&c.Record.File)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		anchor(&l.ClientCA)
		for j := range l.Certificates {
			anchor(&l.Certificates[j].Cert)
			anchor(&l.Certificates[j].Key)
		}
		for j := range l.Routes {
			r := &l.Routes[j]
			anchor(&r.Backend.CA)
			anchor(&r.Backend.Cert)
			anchor(&r.Backend.Key)
			// Only a REF that cannot be a policy's name is known to be a file.
			if strings.HasPrefix(r.Policy, "./") || strings.HasPrefix(r.Policy, "../") {
				anchor(&r.Policy)
			}
		}
	}
}
