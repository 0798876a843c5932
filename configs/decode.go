package configs

import (
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tlstriage/tlstriage/inspect/spelling"
)

// maxNodes bounds the work of decoding: aliases let a small file stand for a huge tree.
const maxNodes = 200_000

// decoder walks a YAML tree and the configuration's types side by side. It does what the library's own decoding does not:
// it keeps the place of each value for Validate, names the path in each error and the nearest key for a wrong one.
type decoder struct {
	config *Config
	file   string
	budget int
	errors Errors
}

func (d *decoder) fail(n *yaml.Node, path, message string) {
	if len(d.errors) < maxErrors {
		d.errors = append(d.errors, &Error{Source: d.file, Line: n.Line, Column: n.Column, Path: path, Message: message})
	}
}

func (d *decoder) value(n *yaml.Node, field reflect.Value, path string) {
	if d.budget--; d.budget < 0 {
		if d.budget == -1 {
			d.fail(n, path, "the file has more than "+strconv.Itoa(maxNodes)+" values once its aliases are followed")
		}
		return
	}
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	d.config.setOrigin(path, origin{d.file, n.Line, n.Column})
	isText := field.Addr().Type().Implements(textUnmarshaler)
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value != "":
		// null or ~: as if the key were absent
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		d.fail(n, path, "no value: write one, or leave the key out")
	case field.Kind() == reflect.Struct && !isText:
		if n.Kind != yaml.MappingNode {
			d.fail(n, path, "a mapping is expected, not "+kindName(n))
			return
		}
		d.mapping(n, field, path)
	case field.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fail(n, path, "a list is expected, not "+kindName(n))
			return
		}
		d.sequence(n, field, path)
	case n.Kind != yaml.ScalarNode:
		d.fail(n, path, "a single value is expected, not "+kindName(n))
	default:
		if err := setText(field, n.Value); err != nil {
			d.fail(n, path, err.Error())
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, field reflect.Value, path string) {
	fields := fieldsOf(field.Type())
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		index, known := fields[key.Value]
		if key.Kind != yaml.ScalarNode || !known {
			d.fail(key, path, unknownKey(key, fields))
			continue
		}
		if line, again := seen[key.Value]; again {
			d.fail(key, path, "key "+strconv.Quote(key.Value)+" is repeated: it was set on line "+strconv.Itoa(line))
			continue
		}
		seen[key.Value] = key.Line
		d.value(value, field.Field(index), joinPath(path, key.Value))
	}
}

func (d *decoder) sequence(n *yaml.Node, field reflect.Value, path string) {
	list := reflect.MakeSlice(field.Type(), len(n.Content), len(n.Content))
	for i, element := range n.Content {
		if d.budget < 0 {
			return
		}
		d.value(element, list.Index(i), path+"["+strconv.Itoa(i)+"]")
	}
	field.Set(list)
}

func (c *Config) setOrigin(path string, o origin) {
	if c.origins == nil {
		c.origins = make(map[string]origin)
	}
	c.origins[path] = o
}

// fieldsOf gives the index of each key of a struct.
func fieldsOf(t reflect.Type) map[string]int {
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			fields[key] = i
		}
	}
	return fields
}

func unknownKey(key *yaml.Node, fields map[string]int) string {
	if key.Kind != yaml.ScalarNode {
		return "a key must be a word, not " + kindName(key)
	}
	message := "unknown key " + strconv.Quote(clip(key.Value))
	if near := nearest(key.Value, fields); near != "" {
		return message + ": did you mean " + strconv.Quote(near) + "?"
	}
	return message
}

// nearest is the key that differs from a word in the fewest letters, if those are few.
func nearest(word string, fields map[string]int) string {
	word = strings.ToLower(strings.ReplaceAll(clip(word), "-", "_"))
	best, bestDistance := "", 3
	for key := range fields {
		distance := spelling.Distance(word, key)
		if distance < bestDistance || distance == bestDistance && best != "" && key < best {
			best, bestDistance = key, distance
		}
	}
	return best
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return strconv.Quote(clip(n.Value))
	}
	return "an alias of nothing"
}

// clip keeps a stranger's word short enough for a message.
func clip(word string) string {
	const most = 64
	if len(word) <= most {
		return word
	}
	return strings.ToValidUTF8(word[:most], "") + "…"
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
