package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// jsonReader reads JSON values and keeps count of the lines.
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	counted int // bytes of data up to which lines were counted
	line    int
	budget  budget
}

func parseJSON(data []byte) ([]*Node, error) {
	r := &jsonReader{data: data, decoder: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.decoder.UseNumber()
	var docs []*Node
	for {
		token, err := r.decoder.Token()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, r.failed(err)
		}
		n, err := r.value(token, r.here(), 0)
		if err != nil {
			return nil, err
		}
		if n.Kind != Null {
			docs = append(docs, n)
		}
	}
}

// here is the line on which the token ends that was read last.
func (r *jsonReader) here() int {
	if offset := int(r.decoder.InputOffset()); offset > r.counted && offset <= len(r.data) {
		r.line += bytes.Count(r.data[r.counted:offset], []byte{'\n'})
		r.counted = offset
	}
	return r.line
}

func (r *jsonReader) failed(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		end := min(max(int(syntax.Offset), 0), len(r.data))
		return errorAt(1+bytes.Count(r.data[:end], []byte{'\n'}), "JSON: %v", err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errorAt(1+bytes.Count(r.data, []byte{'\n'}), "JSON: the file ends within a value")
	}
	return errorAt(r.here(), "JSON: %v", err)
}

// value reads on from the first token of a value.
func (r *jsonReader) value(token json.Token, line, depth int) (*Node, error) {
	if err := r.budget.take(1, line); err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errorAt(line, "values are nested more than %d deep", maxDepth)
	}
	n := &Node{Line: line, Kind: Scalar}
	switch t := token.(type) {
	case nil:
		n.Kind = Null
	case string:
		n.Value, n.Quoted = t, true
	case json.Number:
		n.Value = t.String()
	case bool:
		n.Value = "false"
		if t {
			n.Value = "true"
		}
	case json.Delim:
		n.Kind = List
		if t == '{' {
			n.Kind = Mapping
		}
		return n, r.inside(n, depth)
	}
	return n, nil
}

// inside reads the values of a list or a mapping, and its end.
func (r *jsonReader) inside(n *Node, depth int) error {
	for r.decoder.More() {
		if n.Kind == Mapping {
			key, err := r.decoder.Token()
			if err != nil {
				return r.failed(err)
			}
			n.keys = append(n.keys, key.(string)) // the decoder lets nothing else be a key
		}
		line := r.here()
		token, err := r.decoder.Token()
		if err != nil {
			return r.failed(err)
		}
		if n.Kind == List {
			line = r.here()
		}
		item, err := r.value(token, line, depth+1)
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
	if _, err := r.decoder.Token(); err != nil {
		return r.failed(err)
	}
	return nil
}
