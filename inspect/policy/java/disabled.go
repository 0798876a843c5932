package java

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxProperty bounds the value of a property.
const maxProperty = 64 << 10

// Disabled is a value of one of the two properties.
type Disabled struct {
	entries []entry
}

// entry disables an algorithm: altogether, for keys of some sizes, or for a use that a hello has no part in.
type entry struct {
	name      string // in lower case
	operator  string // of a key size that comes first; empty: none
	size      int
	handshake bool // usage HandshakeSignature (Java 24)
	elsewhere bool // a constraint that only certificates and archives are held to
}

// Reasons for an Error.
var (
	ErrConstraint = errors.New("constraint unknown")
	ErrOperator   = errors.New("is not a legal operator")
	ErrKeySize    = errors.New("is no key size")
	ErrTooLong    = errors.New("too long")
	ErrRelease    = errors.New("release of Java is not known")
)

// Error is a value that Java refuses; JSSE does not start with one.
type Error struct {
	Entry  string // as written, cut where it is long
	Offset int    // in bytes, in the value
	Reason error
}

// Error says what is wrong and where.
func (e *Error) Error() string {
	return fmt.Sprintf("java: disabled algorithms: %q at offset %d: %v", e.Entry, e.Offset, e.Reason)
}

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Reason }

func refuse(text string, offset int, reason error) *Error {
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return &Error{Entry: text, Offset: offset, Reason: reason}
}

// ParseDisabled reads the value of jdk.tls.disabledAlgorithms or jdk.certpath.disabledAlgorithms: entries between commas, each a
// name and constraints joined by "&". Errors are of type *Error.
func ParseDisabled(value string) (Disabled, error) {
	if len(value) > maxProperty {
		return Disabled{}, refuse(value, 0, ErrTooLong)
	}
	at := 0
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		value, at = value[1:n-1], 1
	}
	var d Disabled
	for text := range strings.SplitSeq(value, ",") {
		if trimmed := strings.TrimSpace(text); trimmed != "" {
			e, err := parseEntry(trimmed)
			if err != nil {
				return Disabled{}, refuse(trimmed, at+strings.Index(text, trimmed), err)
			}
			d.entries = append(d.entries, e)
		}
		at += len(text) + 1
	}
	return d, nil
}

func parseEntry(text string) (entry, error) {
	name, rest, _ := strings.Cut(text, " ")
	e := entry{name: strings.ToLower(name)}
	if e.name == "include" { // the named curves of another property, all of them obsolete
		e.elsewhere = true
		return e, nil
	}
	if strings.TrimSpace(rest) == "" {
		return e, nil
	}
	for i, constraint := range strings.Split(rest, "&") {
		words := strings.Fields(constraint)
		switch {
		case len(words) == 0:
			return e, ErrConstraint
		case words[0] == "keySize" && len(words) == 3:
			size, err := strconv.Atoi(words[2])
			switch {
			case !operators(words[1]):
				return e, ErrOperator
			case err != nil:
				return e, ErrKeySize
			case i == 0:
				e.operator, e.size = words[1], size
			}
		case words[0] == "usage" && len(words) > 1:
			for _, use := range words[1:] {
				e.handshake = e.handshake || i == 0 && strings.EqualFold(use, "HandshakeSignature")
			}
		case words[0] == "jdkCA" && len(words) == 1, words[0] == "denyAfter" && len(words) == 2:
		default:
			return e, ErrConstraint
		}
	}
	e.elsewhere = e.operator == "" && !e.handshake
	return e, nil
}

func operators(word string) bool {
	switch word {
	case "<", "<=", ">", ">=", "==", "!=":
		return true
	}
	return false
}

// forbids reports whether a name is disabled altogether.
func (d Disabled) forbids(names ...string) bool {
	for _, e := range d.entries {
		if e.operator != "" || e.elsewhere || e.handshake {
			continue
		}
		for _, name := range names {
			if strings.EqualFold(e.name, name) {
				return true
			}
		}
	}
	return false
}

// forbidsSize reports whether a key of this algorithm and size is disabled. Finite-field Diffie-Hellman has two names.
func (d Disabled) forbidsSize(algorithm string, bits int) bool {
	for _, e := range d.entries {
		same := strings.EqualFold(e.name, algorithm) || algorithm == "DiffieHellman" && e.name == "dh"
		if e.operator == "" || !same {
			continue
		}
		var bad bool
		switch e.operator {
		case "<":
			bad = bits < e.size
		case "<=":
			bad = bits <= e.size
		case ">":
			bad = bits > e.size
		case ">=":
			bad = bits >= e.size
		case "==":
			bad = bits == e.size
		case "!=":
			bad = bits != e.size
		}
		if bad {
			return true
		}
	}
	return false
}

// forbidsHandshake reports whether a scheme is disabled for signatures of the handshake alone.
func (d Disabled) forbidsHandshake(names ...string) bool {
	for _, e := range d.entries {
		for _, name := range names {
			if e.handshake && strings.EqualFold(e.name, name) {
				return true
			}
		}
	}
	return false
}

// forbidsPattern reports whether an entry with "*" in it, which stands for anything, fits a suite. Only names that begin with
// TLS_ are patterns.
func (d Disabled) forbidsPattern(suite string) bool {
	for _, e := range d.entries {
		if strings.HasPrefix(e.name, "tls_") && strings.Contains(e.name, "*") && fits(e.name, strings.ToLower(suite)) {
			return true
		}
	}
	return false
}

// fits compares a name with a pattern in which "*" stands for any characters.
func fits(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
