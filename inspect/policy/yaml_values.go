package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

func (d *yamlDecoder) text(key string, n *yaml.Node, otherwise string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fail(n.Line, key, "a text is expected")
		return otherwise
	}
	return n.Value
}

func (d *yamlDecoder) texts(key string, n *yaml.Node) []string {
	out := []string{}
	for _, item := range d.list(key, n) {
		if s := d.text(key, item, ""); s != "" {
			out = append(out, s)
		} else {
			d.fail(item.Line, key, "an empty name")
		}
	}
	return out
}

func (d *yamlDecoder) preference(key string, n *yaml.Node) Preference {
	return choice(d, key, n, map[string]Preference{
		PreferServer.String(): PreferServer, PreferClient.String(): PreferClient, PreferServerChaCha.String(): PreferServerChaCha,
	})
}

func (d *yamlDecoder) truth(key string, n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode && (n.Value == "true" || n.Value == "false") {
		return n.Value == "true"
	}
	d.fail(n.Line, key, "true or false is expected, not "+quote(n.Value))
	return false
}

func (d *yamlDecoder) list(key string, n *yaml.Node) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		d.fail(n.Line, key, "a list is expected: [a, b]")
		return nil
	}
	if len(n.Content) > maxItems {
		d.fail(n.Line, key, fmt.Sprintf("%d items exceed %d", len(n.Content), maxItems))
		return nil
	}
	return n.Content
}

// codes reads a list of names as code points.
func codes[T codePoint](d *yamlDecoder, key string, n *yaml.Node, byName func(string) (T, bool)) []T {
	out := []T{}
	for _, item := range d.list(key, n) {
		if v, ok := code(d, key, item, byName); ok {
			out = append(out, v)
		}
	}
	return out
}

func code[T codePoint](d *yamlDecoder, key string, n *yaml.Node, byName func(string) (T, bool)) (T, bool) {
	if n.Kind == yaml.ScalarNode {
		if v, ok := byName(n.Value); ok {
			return v, true
		}
	}
	d.fail(n.Line, key, "unknown name "+quote(n.Value), nearestOf(n.Value, codeNames[T]())...)
	return 0, false
}

func (d *yamlDecoder) alert(key string, n *yaml.Node) wire.AlertDescription {
	alert, ok := wire.AlertByName(d.text(key, n, ""))
	if !ok {
		d.fail(n.Line, key, "unknown alert "+quote(n.Value))
	}
	return alert
}

// choice reads one of a few words.
func choice[T any](d *yamlDecoder, key string, n *yaml.Node, words map[string]T) (value T) {
	if n.Kind == yaml.ScalarNode {
		if v, ok := words[n.Value]; ok {
			return v
		}
	}
	var all []string
	for word := range words {
		all = append(all, word)
	}
	slices.Sort(all)
	d.fail(n.Line, key, "one of "+strings.Join(all, ", ")+" is expected, not "+quote(n.Value))
	return value
}

func own[T ~string](words ...T) map[string]T {
	m := make(map[string]T, len(words))
	for _, w := range words {
		m[string(w)] = w
	}
	return m
}

func quote(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strconv.Quote(s)
}

// syntax tells what the YAML library says, with its places.
func (d *yamlDecoder) syntax(err error) {
	var several *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &several):
		for _, e := range several.Errors {
			d.fail(e.Mark.Line, "", e.Message)
		}
	case errors.As(err, &one):
		d.fail(one.Mark.Line, "", one.Message)
	default:
		d.fail(0, "", strings.Join(strings.Fields(err.Error()), " "))
	}
}

func baseName(file string) string { return file[strings.LastIndexAny(file, `/\`)+1:] }
