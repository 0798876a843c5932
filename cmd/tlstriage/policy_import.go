package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
)

// importView is what `policy import` prints.
type importView struct {
	File      string             `json:"file"`
	Kind      string             `json:"kind"`
	Endpoints []endpointView     `json:"endpoints"`
	Problems  []imported.Problem `json:"problems"`
}

type endpointView struct {
	System  string          `json:"system"`
	Version string          `json:"version,omitempty"`
	Side    imported.Side   `json:"side"`
	Name    string          `json:"name"`
	Listen  []string        `json:"listen,omitempty"`
	Default bool            `json:"default,omitempty"`
	Policy  policyView      `json:"policy"`
	Facts   []imported.Fact `json:"facts"`
}

func newPolicyImport() *cobra.Command {
	var output, kind string
	var o imported.Options
	var problemsFail bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Read the policy out of a server's or load balancer's own configuration",
		Long: `Reads a configuration and prints each TLS endpoint in it with its policy, the file and line of every setting that the policy
rests on, and the defaults of the version where nothing is set. What is not understood is listed with file and line.

The kind is told by the file; --kind forces it:
` + kindTable() + `
Wherever a policy REF is asked for, the file can stand itself: nginx.conf#server_name=api.example.com. Behind # stand, with &
between them, server_name, listen, endpoint, side=client (the connections to backends), kind, version, openssl.`,
		Example: `  tlstriage policy import /etc/nginx/nginx.conf
  tlstriage policy import haproxy.cfg --version 2.6 -o json
  aws elbv2 describe-ssl-policies > p.json; tlstriage policy import p.json
  tlstriage policy show nginx.conf#server_name=api.example.com`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			result, err := importer.Import(osFiles{}, args[0], kind, o)
			if err != nil {
				return usage(err)
			}
			v := importView{File: args[0], Kind: result.Kind, Endpoints: []endpointView{}, Problems: result.Problems}
			if v.Problems == nil {
				v.Problems = []imported.Problem{}
			}
			for _, e := range result.Endpoints {
				v.Endpoints = append(v.Endpoints, endpointView{e.System, e.Version, e.Side, e.Name, e.Listen, e.Default, viewPolicy(e.Policy), e.Facts})
			}
			if err := write(cmd, output, v, v.text); err != nil {
				return err
			}
			if err := importer.Refused(result.Problems); err != nil {
				return usage(err)
			}
			if problemsFail && len(v.Problems) > 0 {
				return &exitError{code: exitFindings}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "the `KIND` of the configuration, instead of telling it by the file")
	cmd.Flags().StringVar(&o.Version, "version", "", "`VERSION` of the system, whose defaults hold; default: the newest known")
	cmd.Flags().StringVar(&o.OpenSSL, "openssl", "", "`VERSION` of the OpenSSL below it; default: 3.0")
	cmd.Flags().BoolVar(&problemsFail, "strict", false, "exit with 1 when something was not understood")
	outputFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}

func kindTable() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, k := range importer.Kinds() {
		fmt.Fprintf(w, "  %s\t%s\n", k.Name, k.Title)
	}
	_ = w.Flush() // into memory
	return b.String()
}

func (v importView) text() string {
	var b strings.Builder
	for i, e := range v.Endpoints {
		if i > 0 {
			b.WriteString("\n")
		}
		what := "listens on"
		if e.Side == imported.Client {
			what = "connects to"
		}
		fmt.Fprintf(&b, "%s %s (%s) %s %s", e.System, shown(e.Name), e.Side, what, shown(strings.Join(e.Listen, ", ")))
		if e.Default {
			b.WriteString(", answers every other name")
		}
		b.WriteString("\n")
		for line := range strings.Lines(e.Policy.text()) {
			b.WriteString("  " + line)
		}
		b.WriteString("  rests on\n")
		w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
		for _, f := range e.Facts {
			where := "default"
			if f.File != "" {
				where = fmt.Sprintf("%s:%d", f.File, f.Line)
			} else if f.Source != "" {
				where = "default: " + f.Source
			}
			fmt.Fprintf(w, "    %s\t%s\t%s\n", shown(f.Setting), shown(f.Value), shown(where))
		}
		_ = w.Flush() // into memory
	}
	if len(v.Endpoints) == 0 {
		fmt.Fprintf(&b, "%s: no TLS endpoint in it (read as %s)\n", v.File, v.Kind)
	}
	if len(v.Problems) > 0 {
		b.WriteString("\nnot understood, or beyond what a policy says:\n")
		for _, p := range v.Problems {
			b.WriteString("  " + shown(placed(p)) + "\n")
		}
	}
	return printable(b.String())
}

// placed is a problem behind its place.
func placed(p imported.Problem) string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// loadPolicy finds the policy that a REF names: a built-in one, a file, or an endpoint of a configuration. What of a
// configuration was not understood is said on standard error.
func loadPolicy(cmd *cobra.Command, ref string) (*policy.Policy, error) {
	loaded, err := loadReference(cmd, ref)
	if err != nil {
		return nil, err
	}
	return loaded.Policy, nil
}

func loadReference(cmd *cobra.Command, ref string) (*importer.Loaded, error) {
	loaded, err := importer.Load(osFiles{}, ref)
	if err != nil {
		return nil, err
	}
	for _, p := range loaded.Problems {
		fmt.Fprint(cmd.ErrOrStderr(), printable("tlstriage: "+shown(placed(p))))
	}
	return loaded, nil
}

// osFiles is the file system by the names that a user types, absolute ones and those with .. too.
type osFiles struct{}

// Open opens a regular file, or what a shell hands over as one (<(command)). A pipe without a writer would never open.
func (osFiles) Open(name string) (fs.File, error) {
	if info, err := os.Stat(name); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeDevice|fs.ModeSocket) != 0 && !strings.HasPrefix(name, "/dev/fd/") && !strings.HasPrefix(name, "/proc/self/fd/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is no regular file")}
	}
	return os.Open(name)
}
