package foreign

import (
	"errors"
	"fmt"
	"strings"
)

// The signatures are written by a program in a small part of YAML: blocks of maps and lists, and scalars that may go on in deeper
// lines. This reads that part and nothing else; anchors, flow collections and the rest are refused.

// node is a map, a list or a scalar.
type node struct {
	line   int
	scalar string
	fields map[string]*node
	items  []*node
}

// at is the value of a key; nil: there is none.
func (n *node) at(path ...string) *node {
	for _, key := range path {
		if n == nil {
			return nil
		}
		n = n.fields[key]
	}
	return n
}

// text is the scalar; empty: there is none.
func (n *node) text() string {
	if n == nil {
		return ""
	}
	return n.scalar
}

// list are the items; nil: there are none.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// Bounds on what is read.
const (
	maxYAMLDepth = 16
	maxYAMLLines = 200_000
)

type yamlLine struct {
	number, indent int
	text           string
}

// documents reads the documents of a file.
func documents(data []byte) ([]*node, error) {
	var found []*node
	var lines []yamlLine
	end := func() error {
		if len(lines) == 0 {
			return nil
		}
		p := yamlParser{lines: lines}
		lines = nil
		n, err := p.block(p.lines[0].indent, 0)
		if err == nil && p.next < len(p.lines) {
			err = &Error{Line: p.lines[p.next].number, Err: errors.New("a line that is indented differently from its neighbours")}
		}
		found = append(found, n)
		return err
	}
	number := 0
	for raw := range strings.Lines(string(data)) {
		if number++; number > maxYAMLLines {
			return nil, &Error{Line: number, Err: fmt.Errorf("more than %d lines", maxYAMLLines)}
		}
		text := strings.TrimRight(raw, " \r\n")
		body := strings.TrimLeft(text, " ")
		switch {
		case text == "---" || text == "...":
			if err := end(); err != nil {
				return nil, err
			}
		case body == "" || body[0] == '#':
		case body[0] == '\t':
			return nil, &Error{Line: number, Err: errors.New("a tab where YAML wants spaces")}
		default:
			lines = append(lines, yamlLine{number, len(text) - len(body), body})
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	return found, nil
}

type yamlParser struct {
	lines []yamlLine
	next  int
}

func (p *yamlParser) peek() (yamlLine, bool) {
	if p.next >= len(p.lines) {
		return yamlLine{}, false
	}
	return p.lines[p.next], true
}

func isItem(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

// block reads the map or list whose lines have this indent.
func (p *yamlParser) block(indent, depth int) (*node, error) {
	first, _ := p.peek()
	if depth > maxYAMLDepth {
		return nil, &Error{Line: first.number, Err: fmt.Errorf("nested deeper than %d", maxYAMLDepth)}
	}
	n := &node{line: first.number}
	for {
		l, ok := p.peek()
		if !ok || l.indent != indent || isItem(l.text) != isItem(first.text) {
			return n, nil
		}
		var err error
		if isItem(l.text) {
			err = p.item(n, l, depth)
		} else {
			err = p.field(n, l, depth)
		}
		if err != nil {
			return nil, err
		}
	}
}

// item reads one item of a list.
func (p *yamlParser) item(n *node, l yamlLine, depth int) error {
	rest := strings.TrimPrefix(l.text, "-")
	body := strings.TrimLeft(rest, " ")
	if _, _, isMap := cutKey(body); isMap {
		// The item is a map whose first line is this one without its dash.
		p.lines[p.next] = yamlLine{l.number, l.indent + len(l.text) - len(body), body}
		item, err := p.block(p.lines[p.next].indent, depth+1)
		n.items = append(n.items, item)
		return err
	}
	p.next++
	value, err := p.scalar(body, l, l.indent)
	n.items = append(n.items, &node{line: l.number, scalar: value})
	return err
}

// field reads one key of a map.
func (p *yamlParser) field(n *node, l yamlLine, depth int) error {
	key, rest, ok := cutKey(l.text)
	if !ok {
		return &Error{Line: l.number, Err: fmt.Errorf("neither a key nor an item: %.60q", l.text)}
	}
	p.next++
	if n.fields == nil {
		n.fields = make(map[string]*node)
	}
	if n.fields[key] != nil {
		return &Error{Line: l.number, Err: fmt.Errorf("key %q twice", key)}
	}
	var value *node
	var err error
	below, more := p.peek()
	switch {
	case rest != "":
		value = &node{line: l.number}
		value.scalar, err = p.scalar(rest, l, l.indent)
	case more && (below.indent > l.indent || below.indent == l.indent && isItem(below.text)):
		value, err = p.block(below.indent, depth+1)
	default:
		value = &node{line: l.number}
	}
	n.fields[key] = value
	return err
}

// scalar is a value that begins in a line and may go on in deeper ones.
func (p *yamlParser) scalar(begun string, l yamlLine, indent int) (string, error) {
	text := begun
	for {
		below, more := p.peek()
		if !more || below.indent <= indent {
			break
		}
		text += " " + below.text
		p.next++
	}
	switch text[:min(len(text), 1)] {
	case "'", `"`:
		if len(text) < 2 || text[len(text)-1] != text[0] {
			return "", &Error{Line: l.number, Err: fmt.Errorf("a quote that is not closed: %.60q", text)}
		}
		return strings.ReplaceAll(text[1:len(text)-1], "''", "'"), nil
	case "{", "[", "&", "*":
		if text != "[]" && text != "{}" {
			return "", &Error{Line: l.number, Err: fmt.Errorf("not of the form that signatures have: %.60q", text)}
		}
		return "", nil
	}
	return text, nil
}

// cutKey cuts `key: value`.
func cutKey(text string) (key, rest string, ok bool) {
	if text == "" || text[0] == '\'' || text[0] == '"' {
		return "", "", false
	}
	if key, ok = strings.CutSuffix(text, ":"); ok && !strings.Contains(key, ": ") && key != "" {
		return key, "", true
	}
	key, rest, ok = strings.Cut(text, ": ")
	return key, strings.TrimSpace(rest), ok && key != ""
}
