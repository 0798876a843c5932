package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Error is one thing that is wrong with a configuration.
type Error struct {
	Source  string // the file, "--FLAG" or the environment variable; empty when nothing set the value
	Line    int    // in a file, from 1; 0: not known, or no file
	Column  int    // in a file, from 1
	Path    string // key, as listeners[0].routes[1].backend.url; empty when the error is not about one key
	Message string // what is wrong, with the value and what would be right
}

// Error is source, place, path and fact: "proxy.yaml:3:14: listeners[0].address: …".
func (e *Error) Error() string {
	var b strings.Builder
	for _, part := range []string{e.Where(), e.Path} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Message)
	return b.String()
}

// Where is the place of the error: "proxy.yaml:3:14", "--listen", "TLSTRIAGE_LISTEN", or empty.
func (e *Error) Where() string {
	if e.Line == 0 {
		return e.Source
	}
	return e.Source + ":" + strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column)
}

// fileOrder sorts errors of the file by line, and others behind them.
func (e *Error) fileOrder() int {
	if e.Line == 0 {
		return math.MaxInt
	}
	return e.Line
}

// Errors is everything that is wrong with a configuration: first what the file says, in its order, then the rest.
type Errors []*Error

// Error has one line an error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single errors to errors.As and errors.Is.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, err := range e {
		all[i] = err
	}
	return all
}

// orNil avoids the error that is not nil though nothing is wrong.
func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// maxErrors bounds what a hopeless file makes us say.
const maxErrors = 100

// origin is where a value was set.
type origin struct {
	source       string
	line, column int
}

// errorAt makes an error about the key at path, with the place where its value, or the nearest key around it, was set.
func (c *Config) errorAt(path, format string, args ...any) *Error {
	e := &Error{Path: path, Message: fmt.Sprintf(format, args...)}
	for at := path; at != ""; at = parentPath(at) {
		if o, ok := c.origins[at]; ok {
			e.Source, e.Line, e.Column = o.source, o.line, o.column
			break
		}
	}
	return e
}

// parentPath is the path of the key around a key: "a[0].b" -> "a[0]" -> "a" -> "".
func parentPath(path string) string {
	cut := strings.LastIndexAny(path, ".[")
	if cut < 0 {
		return ""
	}
	return path[:cut]
}
