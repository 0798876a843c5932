package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/diagnose"
)

func newExplain() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "explain TEXT...",
		Short: "Say what a finding, an alert or an error message means, and where to look",
		Long: `Takes the id of a finding, the name or number of a TLS alert, or an error message as a program printed it (OpenSSL, Go, Java,
Firefox, Chrome, curl, Schannel, GnuTLS, Python, Node.js, nginx, HAProxy, Envoy, or an HTTP status of a load balancer), and says
what it means, which side speaks, what may be the cause, and what to look at next.`,
		Example: `  tlstriage explain chain-missing-intermediate
  tlstriage explain handshake_failure
  tlstriage explain "error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure"
  tlstriage explain SSL_ERROR_RX_RECORD_TOO_LONG
  tlstriage explain HTTP 526`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			explanations := diagnose.Explain(text)
			if err := write(cmd, output, explanations, func() string { return explanationText(explanations) }); err != nil {
				return err
			}
			if !explanations[0].Known {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// explanationText prints explanations for a person: what it means, who says it, what may stand behind it, where to look.
func explanationText(explanations []diagnose.Explanation) string {
	var b strings.Builder
	for i, e := range explanations {
		if i > 0 {
			b.WriteString("\n")
		}
		row := func(name, value string) {
			if value != "" {
				fmt.Fprintf(&b, "%-9s %s\n", name, value)
			}
		}
		head := e.Match
		if e.Source != "" {
			head += " (" + e.Source + ")"
		}
		if e.Match != "" {
			fmt.Fprintln(&b, head)
		}
		row("means", e.Meaning)
		row("says it", e.Speaker)
		for n, id := range e.Findings {
			name := ""
			if n == 0 {
				name = "may be"
			}
			title := ""
			if rule, ok := diagnose.Lookup(id); ok {
				title = rule.Title
			}
			fmt.Fprintf(&b, "%-9s %-32s %s\n", name, id, title)
		}
		row("look at", e.Look)
		row("run", e.Command)
		row("source", e.Citation)
	}
	return b.String()
}
