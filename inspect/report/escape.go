package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxValue bounds one value in a line of text, in bytes before escaping.
const maxValue = 1024

// clean makes a string fit for a terminal: one line, printable, bounded. Control characters (ANSI sequences begin with one),
// line breaks, C1 controls, invalid UTF-8, and the invisible characters that reorder or hide text are spelled out.
func clean(s string) string { return cleanTo(s, maxValue) }

func cleanTo(s string, bound int) string {
	cut := false
	if len(s) > bound {
		for bound > 0 && !utf8.RuneStart(s[bound]) {
			bound--
		}
		s, cut = s[:bound], true
	}
	if !cut && harmless(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case !visible(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	if cut {
		b.WriteString("…")
	}
	return b.String()
}

// visible reports whether a rune prints and takes its place in the line: no C1 control, no format character (which bidi
// controls and zero-width ones are), no separator but the plain space, nothing unassigned.
func visible(r rune) bool { return r == ' ' || unicode.IsPrint(r) }

// harmless reports whether s needs no escaping, which is nearly always.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
