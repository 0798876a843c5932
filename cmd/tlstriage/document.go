package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/wire"
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

// printable spells out in each line what a terminal would obey: names in it stand in a file that somebody else wrote.
func printable(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(wire.FirstLine([]byte(strings.TrimSuffix(line, "\n")), maxErrorLine) + "\n")
	}
	return b.String()
}
