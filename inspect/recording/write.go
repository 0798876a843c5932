package recording

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"unicode/utf8"

	"github.com/tlstriage/tlstriage/inspect"
)

// SourceRecording is the eye of a record that was written from other records or from hellos, and not by an eye of ours.
const SourceRecording inspect.Source = "recording"

// Record is a record as recordings hold it: what an eye saw, and what it stands for.
type Record struct {
	inspect.Connection
	Compacted *Compacted `json:"compacted,omitempty"`
	Origin    *Origin    `json:"origin,omitempty"`
}

// Record is the compacted record of a kind.
func (k *Collected) Record() *Record {
	hello := inspect.DescribeHello(k.Hello, k.RecordVersion, k.Transport)
	if k.Rebuilt {
		hello.Message.Size, hello.Message.Raw = 0, nil
		hello.Shape, hello.JA4, hello.JA3, hello.JA3String, hello.JA4Raw = k.Name, "", "", "", ""
	}
	hello.Message.Records = k.Records
	r := &Record{Origin: k.Origin}
	r.Schema, r.Timestamp, r.Transport = inspect.SchemaVersion, k.First, k.Transport
	r.Event = inspect.Event{ID: k.EventID, Source: SourceRecording, Outcome: inspect.Unknown}
	r.ClientLeg = &inspect.Leg{TLS: &inspect.TLS{Client: hello}}
	r.Compacted = &Compacted{Connections: k.Connections, First: k.First, Last: k.Last, OtherNames: k.OtherNames, Addresses: k.Addresses}
	for _, n := range k.Names {
		r.Compacted.Names = append(r.Compacted.Names, Named(n))
	}
	if len(k.Addresses) == 1 {
		if a, err := netip.ParseAddr(k.Addresses[0]); err == nil {
			r.Client.Address = a.String()
		}
	}
	return r
}

// Writer writes records as NDJSON.
type Writer struct {
	w   io.Writer
	buf bytes.Buffer
}

// NewWriter returns a writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes one record, in ASCII: what a stranger called itself does not act on a terminal.
func (w *Writer) Write(r *Record) error {
	if err := w.Encode(r); err != nil {
		return fmt.Errorf("record %q: %w", r.Event.ID, err)
	}
	return nil
}

// Encode writes a record that has more to say than a Record, as Write does.
func (w *Writer) Encode(record any) error {
	w.buf.Reset()
	encoder := json.NewEncoder(&w.buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(record); err != nil {
		return err
	}
	_, err := w.w.Write(ascii(w.buf.Bytes()))
	return err
}

// ascii writes all that is not printable ASCII as \u escapes. It stands inside of strings only.
func ascii(line []byte) []byte {
	if !bytes.ContainsFunc(line, func(r rune) bool { return r >= 0x7f }) {
		return line
	}
	out := make([]byte, 0, len(line)+64)
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		line = line[n:]
	}
	return out
}
