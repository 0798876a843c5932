package document

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

func parseYAML(data []byte) ([]*Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, yamlError(err)
	}
	r := yamlReader{done: make(map[*yaml.Node]sized)}
	var docs []*Node
	for {
		var document yaml.Node
		if err := loader.Load(&document); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, yamlError(err)
		}
		n, err := r.node(&document, 0)
		if err != nil {
			return nil, err
		}
		if n.n.Kind != Null {
			docs = append(docs, n.n)
		}
	}
	if len(docs) == 0 {
		return nil, errorAt(0, "the file holds no value")
	}
	return docs, nil
}

// yamlReader turns the library's nodes into ours. What an anchor names is shared, so that an alias costs nothing; yet it is
// counted as often as it is used, for that is how often somebody will walk it.
type yamlReader struct {
	budget budget
	done   map[*yaml.Node]sized // what anchors name; nil Node: being read
}

// sized is a node and how many values it unfolds to.
type sized struct {
	n    *Node
	size int
}

func (r *yamlReader) node(y *yaml.Node, depth int) (sized, error) {
	if depth > maxDepth {
		return sized{}, errorAt(y.Line, "values are nested more than %d deep", maxDepth)
	}
	switch y.Kind {
	case yaml.DocumentNode:
		if len(y.Content) == 0 {
			return sized{&Node{Line: y.Line}, 1}, nil
		}
		return r.node(y.Content[0], depth+1)
	case yaml.AliasNode:
		known, ok := r.done[y.Alias]
		if !ok || known.n == nil {
			return sized{}, errorAt(y.Line, "alias %s stands within what it names", Quote(y.Value))
		}
		if err := r.budget.take(known.size, y.Line); err != nil {
			return sized{}, err
		}
		n := *known.n
		n.Line = y.Line
		return sized{&n, known.size}, nil
	}
	if y.Anchor != "" {
		r.done[y] = sized{}
	}
	out, err := r.plain(y, depth)
	if err == nil && y.Anchor != "" {
		r.done[y] = out
	}
	return out, err
}

func (r *yamlReader) plain(y *yaml.Node, depth int) (sized, error) {
	if err := r.budget.take(1, y.Line); err != nil {
		return sized{}, err
	}
	n := &Node{Line: y.Line, Kind: Scalar}
	size := 1
	switch y.Kind {
	case yaml.MappingNode:
		n.Kind = Mapping
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := y.Content[i]
			value, err := r.node(y.Content[i+1], depth+1)
			if err != nil {
				return sized{}, err
			}
			size += value.size
			if key.Tag == "!!merge" || key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style == 0 {
				if err := r.merge(n, value.n); err != nil {
					return sized{}, err
				}
				continue
			}
			if key.Kind == yaml.AliasNode && key.Alias != nil {
				key = key.Alias
			}
			if key.Kind != yaml.ScalarNode {
				return sized{}, errorAt(key.Line, "a key is not a text")
			}
			value.n.Line = y.Content[i].Line
			n.keys, n.items = append(n.keys, key.Value), append(n.items, value.n)
		}
	case yaml.SequenceNode:
		n.Kind = List
		for _, item := range y.Content {
			value, err := r.node(item, depth+1)
			if err != nil {
				return sized{}, err
			}
			size += value.size
			n.items = append(n.items, value.n)
		}
	case yaml.ScalarNode:
		n.Value = y.Value
		n.Quoted = y.Tag == "!!str"
		if y.Tag == "!!null" {
			n.Kind, n.Value = Null, ""
		}
	default:
		n.Kind = Null
	}
	return sized{n, size}, nil
}

// merge adds what "<<" names in front of n's own keys, which win. Of several mappings the first wins.
func (r *yamlReader) merge(n, from *Node) error {
	sources := []*Node{from}
	if from.Kind == List {
		sources = from.items
	}
	var keys []string
	var items []*Node
	for i := len(sources) - 1; i >= 0; i-- {
		if err := r.budget.take(len(sources[i].keys), from.Line); err != nil {
			return err
		}
		if sources[i].Kind == Mapping {
			keys, items = append(keys, sources[i].keys...), append(items, sources[i].items...)
		}
	}
	n.keys, n.items = append(keys, n.keys...), append(items, n.items...)
	return nil
}

// yamlError is what the library says, with its place.
func yamlError(err error) error {
	var several *yaml.LoadErrors
	var one *yaml.LoadError
	if errors.As(err, &several) && len(several.Errors) > 0 {
		one = several.Errors[0]
	}
	if one != nil || errors.As(err, &one) {
		return errorAt(one.Mark.Line, "YAML: %s", one.Message)
	}
	return errorAt(0, "YAML: %s", strings.Join(strings.Fields(err.Error()), " "))
}
