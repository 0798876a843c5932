package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy/imported"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
)

// importView is what `policy import` prints.
type importView struct {
	File      string             `json:"file"`
	Kind      string             `json:"kind"`
	Endpoints []endpointView     `json:"endpoints"`
	Problems  []imported.Problem `json:"problems"`

	short bool // a line for every endpoint
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
	var output, kind, fileBytes string
	var o imported.Options
	var problemsFail, short bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Read the policy out of a server's or load balancer's own configuration",
		Long: `Reads a configuration and prints each TLS endpoint in it with its policy, the file and line of every setting that the policy
rests on, and the defaults of the version where nothing is set. What is not understood is listed with file and line. The file "-" is
the standard input.

The kind is told by the file; --kind forces it:
` + kindTable() + `
Wherever a policy REF is asked for, the file can stand itself: nginx.conf#server_name=api.example.com. Behind # stand, with &
between them, server_name, listen, endpoint, side=client (the connections to backends), kind, version, openssl, certificates,
max_file_bytes.`,
		Example: `  tlstriage policy import /etc/nginx/nginx.conf
  tlstriage policy import haproxy.cfg --version 2.6 -o json
  aws elbv2 describe-ssl-policies | tlstriage policy import -
  kubectl get ingress,configmap,secret -A -o yaml | tlstriage policy import - --summary
  tlstriage policy show nginx.conf#server_name=api.example.com`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if cmd.Flags().Changed("max-file-bytes") {
				if o.MaxFileBytes, err = importer.ParseFileBytes(fileBytes); err != nil {
					return usage(fmt.Errorf("--max-file-bytes: %w", err))
				}
			}
			result, err := importer.Import(newUserFiles(cmd), args[0], kind, o)
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
			v.short = short || !cmd.Flags().Changed("summary") && len(v.Endpoints) > manyEndpoints
			if err := writeForms(cmd, output, v, v.text, v.markdown); err != nil {
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
	cmd.Flags().StringVar(&fileBytes, "max-file-bytes", "", "read files of nginx, HAProxy and httpd of up to `N` bytes, and sixteen times as much of all that one includes; default: 1048576")
	cmd.Flags().BoolVar(&problemsFail, "strict", false, "exit with 1 when something was not understood")
	cmd.Flags().BoolVar(&short, "summary", false, fmt.Sprintf("a line for every endpoint; the default where there are more than %d (JSON always has everything)", manyEndpoints))
	documentFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}

// manyEndpoints is how many are printed whole.
const manyEndpoints = 20

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
	if v.short {
		v.lines(&b)
	} else {
		for i, e := range v.Endpoints {
			if i > 0 {
				b.WriteString("\n")
			}
			e.text(&b)
		}
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

// lines are the endpoints in short.
func (v importView) lines(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ENDPOINT\tSIDE\tLISTENS ON, CONNECTS TO\tVERSIONS\tSUITES\tCERTIFICATES")
	for _, e := range v.Endpoints {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", shown(e.Name), e.Side, shown(strings.Join(e.Listen, ", ")), versionRange(e.Policy.Versions), len(e.Policy.Ciphers), strings.Join(e.Policy.Certificates, ", "))
	}
	_ = w.Flush() // into memory
	fmt.Fprintf(b, "%d endpoints; --summary=false prints each with its policy, %s#endpoint=NAME is one of them as a REF\n", len(v.Endpoints), shown(v.File))
}

// what an endpoint is and does, in words.
func (e endpointView) what() string {
	if e.Side == imported.Client {
		return e.System + " client"
	}
	return e.System + " server"
}

func (e endpointView) text(b *strings.Builder) {
	what := "listens on"
	if e.Side == imported.Client {
		what = "connects to"
	}
	fmt.Fprintf(b, "%s %s (%s)", e.System, shown(e.Name), e.Side)
	if len(e.Listen) > 0 {
		fmt.Fprintf(b, " %s %s", what, shown(strings.Join(e.Listen, ", ")))
	}
	if e.Default {
		b.WriteString(", answers every other name")
	}
	b.WriteString("\n")
	for line := range strings.Lines(e.Policy.text()) {
		b.WriteString("  " + line)
	}
	b.WriteString("  rests on\n")
	w := tabwriter.NewWriter(b, 0, 8, 2, ' ', 0)
	for _, f := range e.Facts {
		fmt.Fprintf(w, "    %s\t%s\t%s\n", shown(f.Setting), shown(f.Value), shown(origin(f)))
	}
	_ = w.Flush() // into memory
}

// origin is where a setting is from.
func origin(f imported.Fact) string {
	switch {
	case f.File != "" && f.Line > 0:
		return fmt.Sprintf("%s:%d", f.File, f.Line)
	case f.File != "":
		return f.File
	case f.Source != "":
		return "default: " + f.Source
	}
	return "default"
}

// placed is a problem behind its place.
func placed(p imported.Problem) string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}
