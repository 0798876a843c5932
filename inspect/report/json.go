package report

import (
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/tlstriage/tlstriage/inspect"
)

// Raw says which records keep the bytes that were seen: hellos, certificates, first bytes of what was no TLS.
type Raw string

// What is kept.
const (
	RawAll      Raw = "all"      // of every connection: what replay and policy check need
	RawFailures Raw = "failures" // only of connections whose verdict is failed
	RawNone     Raw = "none"     // of none
)

// ParseRaw reads the configuration's word.
func ParseRaw(s string) (Raw, error) {
	switch r := Raw(s); r {
	case RawAll, RawFailures, RawNone:
		return r, nil
	}
	return "", fmt.Errorf("record.raw: %q is none of all, failures, none", s)
}

// JSON writes records as NDJSON: one line each (docs/record.md). It is safe for concurrent use.
type JSON struct {
	mu  sync.Mutex
	w   io.Writer
	raw Raw
	buf []byte
	enc encoder
}

// NewJSON returns a writer of records to w; an empty raw means RawAll.
func NewJSON(w io.Writer, raw Raw) *JSON {
	return &JSON{w: w, raw: raw}
}

// Write writes one record. The connection is not changed.
func (j *JSON) Write(c *inspect.Connection) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	line, err := j.encode(c)
	if err != nil {
		return err
	}
	_, err = j.w.Write(line)
	return err
}

// encode is the line of a record; it is valid until the next one.
func (j *JSON) encode(c *inspect.Connection) ([]byte, error) {
	if j.raw == RawNone || j.raw == RawFailures && c.Verdict != inspect.Failed {
		c = withoutBytes(c)
	}
	line, err := j.enc.append(j.buf[:0], c)
	if err != nil {
		return nil, fmt.Errorf("record %q: %w", c.Event.ID, err)
	}
	j.buf = append(line, '\n')
	return j.buf, nil
}

// Encode is one record as JSON writes it, with its line feed, for whoever sends it elsewhere.
func Encode(c *inspect.Connection, raw Raw) ([]byte, error) { return NewJSON(nil, raw).encode(c) }

// spellOut writes what encoding/json leaves as it is, but a terminal or an eye would obey, as \u escapes: DEL, C1 controls,
// and the invisible characters that reorder or hide text. All of them stand inside strings, so the value stays the same.
func spellOut(line []byte) []byte {
	var out []byte
	done := 0 // what is before it is in out
	for i := 0; i < len(line); {
		if c := line[i]; c >= 0x20 && c < 0x7f || c == '\n' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(line[i:])
		if r < 0x20 || !visible(r) {
			out = append(out, line[done:i]...)
			if r > 0xffff {
				r -= 0x10000
				out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
			} else {
				out = fmt.Appendf(out, `\u%04x`, r)
			}
			done = i + n
		}
		i += n
	}
	if done == 0 {
		return line
	}
	return append(out, line[done:]...)
}
