package wire

import "strconv"

// ParseError says where a message does not have the form that its RFC draws. It is made only when there is something to
// say, so a good message costs no allocation.
type ParseError struct {
	Path string // message, field: "client_hello: extensions: key_share"
	Kind ParseErrorKind
	Got  int // the number that is wrong: a length, a type
	Want int // the number that it was measured against: what remains, the least length, the expected type
}

// ParseErrorKind is the kind of a ParseError.
type ParseErrorKind uint8

// Kinds of parse errors.
const (
	ErrLength   ParseErrorKind = iota // a length field points past the end of what encloses it
	ErrShort                          // fewer bytes left than a field of fixed size takes
	ErrTrailing                       // bytes left over after the last field
	ErrUneven                         // a vector's length is no multiple of its elements' size
	ErrBound                          // a vector is longer than its RFC allows
	ErrEmpty                          // a vector that must not be empty is
	ErrType                           // another message or value than the one asked for
)

// Error gives the path and both numbers.
func (e *ParseError) Error() string {
	got, want := strconv.Itoa(e.Got), strconv.Itoa(e.Want)
	head := "wire: " + e.Path + ": "
	switch e.Kind {
	case ErrLength:
		return head + "length " + got + " exceeds remaining " + want
	case ErrShort:
		return head + "needs " + want + " bytes, has " + got
	case ErrTrailing:
		return head + got + " bytes after the end"
	case ErrUneven:
		return head + "length " + got + " is no multiple of " + want
	case ErrBound:
		return head + "length " + got + " exceeds the bound " + want
	case ErrEmpty:
		return head + "empty"
	case ErrType:
		return head + "type " + got + ", want " + want
	}
	return head + "malformed"
}
