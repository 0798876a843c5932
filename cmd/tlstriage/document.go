package main

import (
	"fmt"
	"strings"
	"unicode"
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
	switch output {
	case "markdown":
		_, err := fmt.Fprint(cmd.OutOrStdout(), d.Markdown())
		return err
	case "text", "json":
		return write(cmd, output, d, d.Text)
	}
	return usage(fmt.Errorf("--output: %q is none of text, json and markdown", output))
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
