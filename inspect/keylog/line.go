package keylog

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

const (
	randomSize = 32
	maxSecret  = 64      // no hash of TLS is longer
	maxConfig  = 4 << 10 // an ECHConfig is kept as little as an ECH secret, but it may be long
)

// LineError says what is wrong with a line. It names no part of it: a secret may be among it.
type LineError struct {
	Number int // of the line, from 1
	Kind   LineErrorKind
	Got    int
	Want   int
}

// LineErrorKind is the kind of a LineError.
type LineErrorKind uint8

// Kinds of line errors.
const (
	ErrLabel  LineErrorKind = iota // what the line begins with is no label. Got: its characters
	ErrFields                      // not label, client random and secret
	ErrRandom                      // the client random is not 32 bytes in hexadecimal. Got: its characters
	ErrSecret                      // the secret is not hexadecimal, empty or too long. Got: its characters
)

// Error gives the line's number and both counts.
func (e *LineError) Error() string {
	head := fmt.Sprintf("keylog: line %d: ", e.Number)
	switch e.Kind {
	case ErrLabel:
		return fmt.Sprintf("%sbegins with %d characters that are no label", head, e.Got)
	case ErrFields:
		return fmt.Sprintf("%s%d fields, want %d: label, client random, secret", head, e.Got, e.Want)
	case ErrRandom:
		return fmt.Sprintf("%sclient random of %d characters, want %d hexadecimal digits", head, e.Got, e.Want)
	}
	return fmt.Sprintf("%ssecret of %d characters, want an even number of hexadecimal digits, at most %d", head, e.Got, e.Want)
}

// lineKind is what a line is.
type lineKind uint8

const (
	lineEmpty   lineKind = iota // nothing, or a comment
	lineSecret                  // one that is kept
	lineLegacy                  // "RSA ...": found by the encrypted premaster secret or by the session id
	lineUnknown                 // a label that is not known
)

// secretLine is a line that holds a secret.
type secretLine struct {
	label  Label
	random [randomSize]byte
	secret []byte
}

// parseLine reads a line without its number: label, client random and secret, in hexadecimal and with spaces between.
func parseLine(b []byte) (s secretLine, kind lineKind, err *LineError) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] == '#' {
		return s, lineEmpty, nil
	}
	var fields [4][]byte
	n := 0
	for rest := b; len(rest) > 0 && n < len(fields); n++ {
		end := bytes.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		fields[n] = rest[:end]
		rest = bytes.TrimLeft(rest[end:], " \t")
	}
	if string(fields[0]) == "RSA" {
		return s, lineLegacy, nil
	}
	label, known := labelOf(fields[0])
	switch {
	case !known && !looksLikeLabel(fields[0]):
		return s, lineUnknown, &LineError{Kind: ErrLabel, Got: len(fields[0])}
	case n != 3:
		return s, lineUnknown, &LineError{Kind: ErrFields, Got: n, Want: 3}
	case !known:
		return s, lineUnknown, nil
	}
	if len(fields[1]) != 2*randomSize || !decode(s.random[:], fields[1]) {
		return s, lineSecret, &LineError{Kind: ErrRandom, Got: len(fields[1]), Want: 2 * randomSize}
	}
	bound := maxSecret
	if label == ECHConfig {
		bound = maxConfig
	}
	digits := bytes.TrimRight(fields[2], `\`) // lines that came through a shell may end with one
	if len(digits) == 0 || len(digits)%2 != 0 || len(digits) > 2*bound {
		return s, lineSecret, &LineError{Kind: ErrSecret, Got: len(digits), Want: 2 * bound}
	}
	s.secret = make([]byte, len(digits)/2)
	if !decode(s.secret, digits) {
		return s, lineSecret, &LineError{Kind: ErrSecret, Got: len(digits), Want: 2 * bound}
	}
	s.label = label
	return s, lineSecret, nil
}

func decode(to, digits []byte) bool {
	_, err := hex.Decode(to, digits)
	return err == nil
}
