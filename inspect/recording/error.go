package recording

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Reason says why an entry of a recording gives no client.
type Reason uint8

// Reasons. All but the first are honest records of connections that no policy can be tried on.
const (
	Malformed     Reason = iota + 1 // no record, or no ClientHello: the recording is damaged here
	NoHello                         // a record of a connection on which no TLS came
	Incomplete                      // a record of a hello that never was whole
	BrokenHello                     // a record of a hello that does not parse
	OfCanary                        // a record of what a proxy sent to its canary: the client's own record is another one
	entryAccepted Reason = 0
)

// String is the reason in a word or two.
func (r Reason) String() string {
	switch r {
	case Malformed:
		return "malformed"
	case NoHello:
		return "no ClientHello"
	case Incomplete:
		return "incomplete ClientHello"
	case BrokenHello:
		return "ClientHello that does not parse"
	case OfCanary:
		return "sent to a canary"
	}
	return "none"
}

// Error is an entry that gives no client. Reading goes on behind it.
type Error struct {
	File   string // as the caller named it
	Line   int64  // 1-based; 0: the form has no lines
	Offset int64  // where in the (decompressed) stream the entry begins
	Index  int64  // of the entry, as in Client
	Reason Reason
	Err    error // what is wrong, where there is more to say
}

// Error is the place, then the fact.
func (e *Error) Error() string {
	place := e.File
	if place == "" {
		place = "recording"
	}
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d", place, e.Line)
	} else {
		place = fmt.Sprintf("%s: byte %d", place, e.Offset)
	}
	if e.Err == nil {
		return place + ": " + e.Reason.String()
	}
	return fmt.Sprintf("%s: %s: %v", place, e.Reason, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// FormError says that a file is no recording of a form that can be read here. It ends the reading.
type FormError struct {
	File string
	Form Form
}

func (e *FormError) Error() string {
	file := e.File
	if file == "" {
		file = "recording"
	}
	switch e.Form {
	case FormCapture:
		return file + ": a packet capture, not a recording of hellos (tlstriage pcap FILE -o json makes one of it)"
	case FormArray:
		return file + ": a JSON array; a recording has one record a line (jq -c '.[]')"
	}
	return file + ": neither records (NDJSON) nor ClientHellos in hexadecimal, base64 or raw bytes"
}

// What is wrong with a line, beside what encoding/json says.
var (
	errTooLong  = errors.New("longer than a record can be")
	errSchema   = errors.New("no record: \"schema\" is missing")
	errTime     = errors.New("\"@timestamp\" is no time of RFC 3339")
	errNoRecord = errors.New("a record is an object")
	errCut      = errors.New("ends in the middle of a ClientHello")
	errNoHello  = errors.New("begins no ClientHello")
	errDigits   = errors.New("neither hexadecimal nor base64")
	errHelloMax = errors.New("longer than a ClientHello can be")
)

// inWords is an error of encoding/json in words about the record, and none of the types that it was read into.
func inWords(err error) error {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong):
		what := "the record"
		if wrong.Field != "" {
			what = fmt.Sprintf("%q", wrong.Field)
		}
		return fmt.Errorf("%s cannot be a JSON %s", what, wrong.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("no JSON: %w at byte %d of the line", err, syntax.Offset)
	case errors.As(err, new(base64.CorruptInputError)):
		return errors.New("\"raw\" is no base64")
	}
	return err
}

// SchemaError is a record of a schema that this release does not know.
type SchemaError struct{ Schema int }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("schema %d: this release reads schema 1", e.Schema)
}
