package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/export"
)

// exportView is what `policy export -o json` prints.
type exportView struct {
	Policy string `json:"policy"`
	*export.Snippet
	Lossless bool `json:"lossless"` // no loss that differs from what the policy says
}

func newPolicyExport() *cobra.Command {
	var to, output string
	var o export.Options
	var strict bool
	cmd := &cobra.Command{
		Use:   "export REF --to SYSTEM",
		Short: "Write a policy in the language of a server or load balancer",
		Long: `Prints a snippet of configuration that makes the system do what the policy says, below comments with the command that
applies it. Where ` + "`tlstriage policy import`" + ` reads the form the snippet gives the same policy again; the others, go, java and
openssl, are written and not read back (below: "write only").

What a system cannot say is never left out silently: it stands in the comments and on standard error, and with --strict the
exit code is 1. "differs" means that clients are treated otherwise than the policy says; "unstated" that the policy says nothing
and the system's own default holds. A provider with named policies only gets the nearest one.

The systems:
` + systemTable(),
		Example: `  tlstriage policy export mozilla/intermediate-5.7 --to nginx --version 1.22
  tlstriage policy export 'nginx.conf#server_name=api.example.com' --to envoy --strict > envoy.yaml
  tlstriage policy export aws/ELBSecurityPolicy-TLS13-1-2-2021-06 --to haproxy -o json
  tlstriage policy export haproxy.cfg --to aws`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usage(errors.New("policy export needs --to SYSTEM"))
			}
			p, err := loadPolicy(cmd, args[0])
			if err != nil {
				return usage(err)
			}
			s, err := export.Export(p, to, o)
			var unsayable *export.UnsayableError
			switch {
			case errors.As(err, &unsayable):
				return failed(err)
			case err != nil:
				return usage(err)
			}
			v := exportView{p.Name, s, s.Lossless()}
			if err := writeForms(cmd, output, v, s.WithComments, v.markdown); err != nil {
				return err
			}
			tellExport(cmd, p, s)
			if strict && !s.Lossless() {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the `SYSTEM` to write for")
	cmd.Flags().StringVar(&o.Version, "version", "", "`VERSION` of the system; default: the newest known")
	cmd.Flags().StringVar(&o.OpenSSL, "openssl", "", "`VERSION` of the OpenSSL below it; default: 3.0, or what the system brings")
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 when the system treats clients otherwise than the policy says")
	documentFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}

// tellExport says on standard error what the snippet loses and how it is applied: its own comments may be gone, in a format
// that has none or in a pipe.
func tellExport(cmd *cobra.Command, p *policy.Policy, s *export.Snippet) {
	say := func(format string, args ...any) {
		fmt.Fprint(cmd.ErrOrStderr(), printable("tlstriage: "+fmt.Sprintf(format, args...)+"\n"))
	}
	for _, l := range s.Losses {
		if l.Weight != export.Idle {
			say("%s for %s: %s: %v", p.Name, s.System, l.Weight, l)
		}
	}
	if s.HasComments() {
		return
	}
	for _, n := range s.Notes {
		say("note: %s", n)
	}
	for _, a := range s.Apply {
		say("apply: %s", a)
	}
}

// told is what the snippet loses, what it rests on and how it is applied, each in a line.
func (v exportView) told() []string {
	var lines []string
	for _, l := range v.Losses {
		if l.Weight != export.Idle {
			lines = append(lines, fmt.Sprintf("%s: %v", l.Weight, l))
		}
	}
	for _, n := range v.Notes {
		lines = append(lines, "note: "+n)
	}
	for _, a := range v.Apply {
		lines = append(lines, "apply: "+a)
	}
	return lines
}

func systemTable() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, s := range export.Systems() {
		title := s.Title
		if s.Importer == "" {
			title += " (write only)"
		}
		fmt.Fprintf(w, "  %s\t%s\n", s.Name, title)
	}
	_ = w.Flush() // into memory
	return b.String()
}
