package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/report"
)

// scanPrinter prints results in one form. junit and sarif are one document about all targets, which is written at the end.
type scanPrinter struct {
	cmd     *cobra.Command
	form    string
	verbose bool
	results []*scanned // of the forms that are one document
	n       int
}

func newScanPrinter(cmd *cobra.Command, form string, verbose bool) *scanPrinter {
	return &scanPrinter{cmd: cmd, form: form, verbose: verbose}
}

func (p *scanPrinter) write(s *scanned) error {
	p.n++
	out := p.cmd.OutOrStdout()
	switch p.form {
	case "json":
		return writeSpelled(out, s)
	case "junit", "sarif":
		s.release()
		p.results = append(p.results, s)
		return nil
	case "markdown":
		_, err := fmt.Fprint(out, s.markdown())
		return err
	}
	if p.n > 1 {
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	record := s.shownRecord(p.verbose)
	if record == nil || len(record.Findings) == 0 {
		if _, err := fmt.Fprint(out, printable(s.head())); err != nil {
			return err
		}
	} else {
		options := report.Options{Color: colored(out), Width: terminalWidth(out), Verbose: p.verbose, Alone: true}
		if err := report.NewText(out, options).Write(record); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(out, printable(s.table(p.verbose)))
	return err
}

func (p *scanPrinter) close() error {
	switch p.form {
	case "junit":
		return writeJUnit(p.cmd.OutOrStdout(), p.results)
	case "sarif":
		return writeSARIF(p.cmd.OutOrStdout(), p.results)
	}
	return nil
}

// head is the first line about a target with which nothing is wrong.
func (s *scanned) head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", shown(s.Target))
	if s.Address != "" && s.Address != s.Target {
		fmt.Fprintf(&b, "  at %s", s.Address)
	}
	fmt.Fprintf(&b, "  %s", s.Verdict)
	if s.Cause != "" {
		fmt.Fprintf(&b, "  %s", s.Cause)
	}
	b.WriteString("\n")
	return b.String()
}

// release lets go of what no document needs.
func (s *scanned) release() { s.record = nil }
