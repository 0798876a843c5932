package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"unicode/utf8"
)

// Read reads the documents of a file: JSON values one after the other, or YAML documents. Empty ones are left out. The error is
// an *Error.
func Read(fsys fs.FS, file string) ([]*Node, error) {
	data, err := ReadFile(fsys, file, MaxBytes)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// ReadFile reads a file of at most limit bytes. The error is an *Error.
func ReadFile(fsys fs.FS, file string, limit int64) ([]byte, error) {
	if fsys == nil {
		return nil, errorAt(0, "no files can be read here")
	}
	f, err := fsys.Open(file)
	if err != nil {
		var inPath *fs.PathError
		if errors.As(err, &inPath) {
			err = inPath.Err // the file is named beside the reason
		}
		return nil, errorAt(0, "%v", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errorAt(0, "%v", err)
	}
	if int64(len(data)) > limit {
		return nil, errorAt(0, "the file exceeds %d bytes", limit)
	}
	return data, nil
}

// Parse reads the documents in data. The error is an *Error.
func Parse(data []byte) ([]*Node, error) {
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if len(data) > MaxBytes {
		return nil, errorAt(0, "%d bytes exceed %d", len(data), MaxBytes)
	}
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, errorAt(0, "the file is empty")
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, errorAt(1+bytes.Count(data[:i], []byte{'\n'}), "a NUL byte: this is neither JSON nor YAML")
	}
	if trimmed[0] != '{' && trimmed[0] != '[' {
		return parseYAML(data)
	}
	docs, err := parseJSON(data)
	if err == nil {
		return docs, nil
	}
	// YAML has mappings in braces, too, whose keys need no quotes; but a config dump that was cut short is JSON.
	if len(data) <= maxFlowYAML {
		if docs, yamlErr := parseYAML(data); yamlErr == nil {
			return docs, nil
		}
	}
	return nil, err
}

// maxFlowYAML is up to where a file that begins like JSON but is none is tried as YAML.
const maxFlowYAML = 1 << 20

// budget counts what the documents of one file hold.
type budget struct{ nodes int }

func (b *budget) take(n, line int) error {
	if b.nodes += n; b.nodes > maxNodes || b.nodes < 0 {
		return errorAt(line, "more than %d values", maxNodes)
	}
	return nil
}

// Quote is s in quotes, cut where it is long, as messages show what a stranger wrote.
func Quote(s string) string {
	const limit = 120
	if len(s) > limit {
		s = s[:limit]
		for !utf8.ValidString(s) && len(s) > limit-utf8.UTFMax {
			s = s[:len(s)-1]
		}
		return fmt.Sprintf("%q…", s)
	}
	return fmt.Sprintf("%q", s)
}

// ParseJSON reads JSON values one after the other, and nothing else. The error is an *Error.
func ParseJSON(data []byte) ([]*Node, error) {
	if len(data) > MaxBytes {
		return nil, errorAt(0, "%d bytes exceed %d", len(data), MaxBytes)
	}
	return parseJSON(data)
}

// NewMapping is an empty mapping, for a format that is turned into such a tree.
func NewMapping(line int) *Node { return &Node{Kind: Mapping, Line: line} }

// NewList is a list of items.
func NewList(line int, items ...*Node) *Node { return &Node{Kind: List, Line: line, items: items} }

// NewText is a text.
func NewText(line int, value string) *Node {
	return &Node{Kind: Scalar, Line: line, Value: value, Quoted: true}
}

// NewTexts is a list of texts on one line.
func NewTexts(line int, values ...string) *Node {
	n := NewList(line)
	for _, value := range values {
		n.items = append(n.items, NewText(line, value))
	}
	return n
}

// Set gives a key of a mapping its value.
func (n *Node) Set(key string, value *Node) {
	for i, own := range n.keys {
		if own == key {
			n.items[i] = value
			return
		}
	}
	n.keys, n.items = append(n.keys, key), append(n.items, value)
}

// Append adds an item to a list.
func (n *Node) Append(item *Node) { n.items = append(n.items, item) }
