package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Bounds on what is read at once.
const (
	blockBytes = 1 << 20 // lines are handed on in blocks of about this size
	maxLine    = 8 << 20 // a record with the longest chains and hellos that a proxy keeps is a tenth of it
)

// block is a run of whole lines.
type block struct {
	text    []byte
	line    int64 // number of its first line, from 1
	offset  int64 // where in the stream it begins
	tooLong bool  // in place of its one line, whose beginning the text is
}

// blocks cuts a stream into blocks.
type blocks struct {
	r      io.Reader
	rest   []byte // begun, of the next block
	line   int64
	offset int64
	ended  bool
	err    error // what reading ended with, for after the lines before it
}

// next fills b, whose memory it uses, with the next lines; io.EOF: there are none. The last line needs no line feed. A line
// longer than maxLine is skipped and handed on as one that is too long.
func (l *blocks) next(b *block) error {
	text := append(b.text[:0], l.rest...)
	l.rest = l.rest[:0]
	*b = block{line: l.line + 1, offset: l.offset}
	scanned := 0
	for !l.ended {
		if cap(text)-len(text) < blockBytes/2 {
			text = append(make([]byte, 0, max(blockBytes, 2*cap(text))), text...)
		}
		n, err := l.r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err != nil {
			l.end(err)
			break
		}
		if len(text) < blockBytes/2 {
			continue // more lines are worth waiting for
		}
		end := bytes.LastIndexByte(text[scanned:], '\n')
		if end >= 0 {
			end += scanned + 1
			l.rest = append(l.rest, text[end:]...)
			return l.hand(b, text[:end])
		}
		if scanned = len(text); scanned > maxLine {
			return l.skip(b, text)
		}
	}
	b.text = text
	if len(text) == 0 {
		return l.err
	}
	return l.hand(b, text)
}

func (l *blocks) end(err error) {
	l.ended, l.err = true, err
	if errors.Is(err, io.EOF) {
		l.err = io.EOF
	}
}

func (l *blocks) hand(b *block, text []byte) error {
	b.text = text
	l.line += int64(bytes.Count(text, []byte{'\n'}))
	l.offset += int64(len(text))
	return nil
}

// skip reads to the end of a line that is too long.
func (l *blocks) skip(b *block, text []byte) error {
	b.tooLong, b.text = true, text[:80]
	l.line++
	l.offset += int64(len(text))
	buf := text[80:]
	for {
		n, err := l.r.Read(buf)
		if end := bytes.IndexByte(buf[:n], '\n'); end >= 0 {
			l.offset += int64(end + 1)
			l.rest = append(l.rest, buf[end+1:n]...)
			return nil
		}
		l.offset += int64(n)
		if err != nil {
			l.end(err)
			return nil
		}
	}
}

// cutLine takes the first line off text, without its line feed.
func cutLine(text []byte) (line, rest []byte) {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return text[:end], text[end+1:]
	}
	return text, nil
}

// canaryKey is what a record that a proxy's shadow wrote has.
var canaryKey = []byte(`"canary":`)

// ofCanary reports whether a line is the record of what a proxy sent to its canary: its client was recorded when it came, and is not to be
// counted once more.
func ofCanary(line []byte) bool {
	if !bytes.Contains(line, canaryKey) {
		return false
	}
	var record struct {
		Canary *json.RawMessage `json:"canary"`
	}
	return json.Unmarshal(line, &record) == nil && record.Canary != nil
}

// blank reports whether a line is nothing but white space.
func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
