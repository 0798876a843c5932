package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/tlstriage/tlstriage/inspect"
)

// Records reads the whole records of a recording, in order; a ClientHello without a record gets one. file names the recording in
// errors. It is slower than Each, which reads of a record only what a hello needs.
//
// An error is an *Error for an entry that is no record, or of no client (OfCanary), behind which reading goes on; anything else is the last.
func Records(r io.Reader, file string) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		if err := records(r, file, yield); err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

func records(r io.Reader, file string, yield func(*Record, error) bool) error {
	in, form, err := open(r)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	s := stream{file: file, yield: func(c *Client, err error) bool {
		if err != nil {
			return yield(nil, err)
		}
		return yield(recordOf(c), nil)
	}}
	if form != FormRecords {
		return s.readForm(in, form)
	}
	return s.lines(in, func(line []byte, number, offset int64) error {
		switch {
		case blank(line):
			return nil
		case ofCanary(line):
			if !yield(nil, &Error{File: file, Line: number, Offset: offset, Index: s.index, Reason: OfCanary}) {
				return errStopped
			}
			return nil
		}
		record := new(Record)
		if err := json.Unmarshal(line, record); err != nil {
			return s.refuse(Malformed, err, number, offset)
		}
		if record.Schema != inspect.SchemaVersion {
			return s.refuse(Malformed, &SchemaError{Schema: record.Schema}, number, offset)
		}
		s.index++
		if !yield(record, nil) {
			return errStopped
		}
		return nil
	})
}

// recordOf is a record of a hello that came without one.
func recordOf(c *Client) *Record {
	r := &Record{}
	r.Schema, r.Transport = inspect.SchemaVersion, inspect.TransportTCP
	r.Event = inspect.Event{Source: SourceRecording, Outcome: inspect.Unknown}
	r.ClientLeg = &inspect.Leg{TLS: &inspect.TLS{Client: inspect.DescribeHello(c.Hello, 0, inspect.TransportTCP)}}
	return r
}
