// Package document reads structured configurations, JSON and YAML, into one kind of tree in which every value knows its line.
// It bounds what a file may hold: bytes, depth, values and what aliases of YAML unfold to. It gives no value a meaning; it is
// for the importers of the packages beside it.
package document

import (
	"fmt"
	"strings"
)

// Bounds of a file.
const (
	MaxBytes = 64 << 20
	maxDepth = 200
	maxNodes = 4 << 20 // values, aliases counted as often as they are used
)

// Kind is what a Node is.
type Kind uint8

// Kinds.
const (
	Null Kind = iota
	Scalar
	List
	Mapping
)

// Node is a value of a document. The methods of a nil Node answer as those of an absent value.
type Node struct {
	Kind   Kind
	Line   int    // from 1: of the key in a mapping, else of the value
	Value  string // of a scalar, as text: "true", "443"
	Quoted bool   // of a scalar: written as a string, not as a number or a truth value
	items  []*Node
	keys   []string // of a mapping, beside items
}

// Error is a document that cannot be read.
type Error struct {
	Line int // 0: unknown
	Text string
}

// Error is the reason, without the line.
func (e *Error) Error() string { return e.Text }

// Present reports whether there is a value, be it null.
func (n *Node) Present() bool { return n != nil }

// Get is the value of a key, the last one where it stands twice; nil: there is none, or n is no mapping.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != Mapping {
		return nil
	}
	for i := len(n.keys) - 1; i >= 0; i-- {
		if n.keys[i] == key {
			return n.items[i]
		}
	}
	return nil
}

// At follows keys down: n.At("spec", "tls") is n.Get("spec").Get("tls").
func (n *Node) At(path ...string) *Node {
	for _, key := range path {
		n = n.Get(key)
	}
	return n
}

// Text is the value of a scalar; empty for everything else.
func (n *Node) Text() string {
	if n == nil || n.Kind != Scalar {
		return ""
	}
	return n.Value
}

// True reports whether n is the truth value true.
func (n *Node) True() bool { return strings.EqualFold(n.Text(), "true") }

// Empty reports whether n says nothing: absent, null, an empty text, list or mapping.
func (n *Node) Empty() bool {
	switch {
	case n == nil, n.Kind == Null:
		return true
	case n.Kind == Scalar:
		return n.Value == ""
	}
	return len(n.items) == 0
}

// Position is the line on which n stands; 0 where it is absent.
func (n *Node) Position() int {
	if n == nil {
		return 0
	}
	return n.Line
}

// Items are the values of a list; a mapping, a scalar and an absent value have none.
func (n *Node) Items() []*Node {
	if n == nil || n.Kind != List {
		return nil
	}
	return n.items
}

// Texts are the scalars of a list; a lone scalar counts as a list of one, as many systems take it.
func (n *Node) Texts() []string {
	if n == nil {
		return nil
	}
	if n.Kind == Scalar {
		return []string{n.Value}
	}
	var out []string
	for _, item := range n.Items() {
		if item.Kind == Scalar {
			out = append(out, item.Value)
		}
	}
	return out
}

// All yields the keys and values of a mapping, in its order.
func (n *Node) All() func(yield func(string, *Node) bool) {
	return func(yield func(string, *Node) bool) {
		if n == nil || n.Kind != Mapping {
			return
		}
		for i, key := range n.keys {
			if !yield(key, n.items[i]) {
				return
			}
		}
	}
}

// Summary is the value on one line, cut where it is long: what a fact shows of it.
func (n *Node) Summary() string {
	var b strings.Builder
	n.summarize(&b, 0)
	if b.Len() > maxSummary {
		return strings.ToValidUTF8(b.String()[:maxSummary], "") + "…"
	}
	return b.String()
}

const maxSummary = 400

func (n *Node) summarize(b *strings.Builder, depth int) {
	switch {
	case n == nil || b.Len() > maxSummary || depth > 4:
	case n.Kind == Scalar:
		b.WriteString(n.Value)
	case n.Kind == List:
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			item.summarize(b, depth+1)
		}
	case n.Kind == Mapping:
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(n.keys[i] + ": ")
			item.summarize(b, depth+1)
		}
	}
}

func errorAt(line int, format string, args ...any) *Error {
	return &Error{Line: line, Text: fmt.Sprintf(format, args...)}
}
