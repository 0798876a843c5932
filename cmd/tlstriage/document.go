package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// document is an answer that can stand in a ticket, too.
type document interface {
	Text() string
	Markdown() string
}

func documentFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "print `text`, json or markdown")
}

// writeDocument prints an answer in the form that was asked for.
func writeDocument(cmd *cobra.Command, output string, d document) error {
	return writeForms(cmd, output, d, d.Text, d.Markdown)
}

// writeForms prints a value in the form that was asked for.
func writeForms(cmd *cobra.Command, output string, value any, text, markdown func() string) (err error) {
	if err := knownForm(output, "text", "json", "markdown"); err != nil {
		return err
	}
	switch output {
	case "markdown":
		_, err = fmt.Fprint(cmd.OutOrStdout(), markdown())
	case "json":
		err = writeSpelled(cmd.OutOrStdout(), value)
	default:
		_, err = fmt.Fprint(cmd.OutOrStdout(), text())
	}
	return err
}

// knownForm refuses a form that there is not.
func knownForm(output string, forms ...string) error {
	if !slices.Contains(forms, output) {
		return usage(fmt.Errorf("--output: %q is none of text, json and markdown", output))
	}
	return nil
}

// writeSpelled writes a value as a line of JSON in which nothing is left that a terminal obeys or that hides or reorders text:
// encoding/json spells out the control characters of ASCII alone.
func writeSpelled(w io.Writer, value any) error {
	var line bytes.Buffer
	if err := writeLine(&line, value); err != nil {
		return err
	}
	_, err := w.Write(spellOut(line.Bytes()))
	return err
}

// spellOut writes the characters of JSON text that are not printable as escapes. They can only stand in strings.
func spellOut(text []byte) []byte {
	odd := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if !bytes.ContainsFunc(text, odd) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		switch {
		case !odd(r):
			out = utf8.AppendRune(out, r)
		case r < 0x10000:
			out = fmt.Appendf(out, "\\u%04x", r)
		default:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, "\\u%04x\\u%04x", high, low)
		}
	}
	return out
}

// printable spells out in each line what a terminal would obey: names in it stand in a file that somebody else wrote. A value that
// may hold a line's end goes through shown first.
func printable(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(shown(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}

// shown is a stranger's value as one line without anything that a terminal obeys, and bounded.
func shown(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "\\x%02X", s[i])
		case unicode.IsPrint(r):
			b.WriteString(s[i : i+size])
		default:
			fmt.Fprintf(&b, "\\u%04X", r)
		}
		i += size
		if b.Len() > maxErrorLine {
			b.WriteString("…")
			break
		}
	}
	return b.String()
}
