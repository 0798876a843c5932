package trial

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxValue bounds one value in a line, in bytes before escaping.
const maxValue = 256

// clean makes a value fit for a line of a terminal: printable and bounded. Control characters, line breaks, what reorders or hides
// text, and bytes that are no UTF-8 are spelled out.
func clean(s string) string {
	cut := ""
	if len(s) > maxValue {
		n := maxValue
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s, cut = s[:n], "…"
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		s = s[n:]
	}
	return b.String() + cut
}

// codeSpan is a value as a code span of Markdown that also fits into a table. A code span knows no escapes, so that what would end it
// or the cell is spelled out, too.
func codeSpan(s string) string {
	s = strings.NewReplacer("`", `\x60`, "|", `\x7c`).Replace(clean(s))
	if strings.TrimSpace(s) == "" {
		return "(empty)"
	}
	return "`" + s + "`"
}
