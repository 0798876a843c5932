package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

// fixView is what `certs fix` prints.
type fixView struct {
	Bundles  []bundleView  `json:"bundles"`
	LeftOut  []leftOutView `json:"left_out"`
	Problems []problemView `json:"problems"`
	Notes    []noteView    `json:"notes"`
	Files    []string      `json:"files"` // written
	Use      []string      `json:"use"`   // what to do with them
	Warnings []string      `json:"warnings,omitempty"`
}

type bundleView struct {
	Name     string    `json:"name"`
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
	Key      string    `json:"key,omitempty"` // where it was found; empty: it was not
	Chain    []string  `json:"chain"`         // subjects, the leaf first
	Root     string    `json:"root,omitempty"`
	Fetched  []string  `json:"fetched,omitempty"`
}

type leftOutView struct {
	Subject string `json:"subject"`
	Source  string `json:"source"`
	Reason  string `json:"reason"`
	Detail  string `json:"detail"`
}

type problemView struct {
	ID     string `json:"id"`
	Bundle string `json:"bundle,omitempty"`
	Fatal  bool   `json:"fatal"`
	Detail string `json:"detail"`
}

type noteView struct {
	Kind   string `json:"kind"`
	Source string `json:"source"`
	Detail string `json:"detail"`
}

// certsFix is one run of `certs fix`.
type certsFix struct {
	target, out, name, ca, namespace, passwordFile, output string
	fetch, overwrite                                       bool
	allow                                                  []string
}

func newCertsFix() *cobra.Command {
	f := &certsFix{}
	cmd := &cobra.Command{
		Use:   "fix FILE|-...",
		Short: "Write the right bundle, in the right order and form, from a pile of certificates and keys",
		Long: `Reads whatever there is (PEM in any state, DER, PKCS #7, PKCS #12, Java key stores, Kubernetes Secrets), matches certificates
with their keys, puts each chain in order, and writes the files that the system asked for wants. What is left out, and why, and
what lacks, is said. Without --for nothing is written.

Targets: ` + targetList() + `. The files are for their owner only; existing ones are kept unless --overwrite is given.`,
		Example: `  tlstriage certs fix leaf.crt chain.p7b site.key --for nginx --out ./tls
  tlstriage certs fix export.pfx --password-file pass.txt --for haproxy --out ./tls
  tlstriage certs fix leaf.pem site.key --fetch --for ingress --out ./tls
  tlstriage certs fix *.pem    # only say what is in them`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	cmd.Flags().StringVar(&f.target, "for", "", "the `SYSTEM` that the files are for: "+targetList())
	cmd.Flags().StringVar(&f.out, "out", ".", "the `DIR` to write to")
	cmd.Flags().StringVar(&f.name, "name", "", "the `NAME` to serve; default: every server certificate that there is")
	cmd.Flags().StringVar(&f.ca, "ca", "", "`FILE` with the roots that clients trust; default: the system's")
	cmd.Flags().StringVar(&f.passwordFile, "password-file", "", "`FILE` with the passwords of encrypted keys and key stores, one a line")
	cmd.Flags().BoolVar(&f.fetch, "fetch", false, "fetch intermediates that lack from the addresses in the certificates")
	cmd.Flags().StringSliceVar(&f.allow, "fetch-host", nil, "`HOST` (host:port, address, network) that may be fetched from although it is not public")
	cmd.Flags().StringVar(&f.namespace, "namespace", "", "`NAMESPACE` of the Secret (ingress)")
	cmd.Flags().BoolVar(&f.overwrite, "overwrite", false, "replace files that exist")
	outputFlag(cmd, &f.output)
	cmd.Flags().SortFlags = false
	return cmd
}

func targetList() string {
	var names []string
	for _, t := range bundle.Targets() {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

func (f *certsFix) run(cmd *cobra.Command, args []string) error {
	var target bundle.Target
	if f.target != "" {
		var err error
		if target, err = bundle.ParseTarget(f.target); err != nil {
			return usage(fmt.Errorf("--for: %w", err))
		}
	}
	passwords, err := readPasswords(f.passwordFile)
	if err != nil {
		return usage(err)
	}
	options := bundle.Options{Time: time.Now(), Name: f.name}
	if f.ca != "" {
		if options.Roots, _, err = certs.LoadCABundle(f.ca); err != nil {
			return usage(err)
		}
	}
	if f.fetch {
		fetcher, err := revocation.NewFetcher(revocation.FetchOptions{AllowHosts: f.allow})
		if err != nil {
			return usage(fmt.Errorf("--fetch-host: %w", err))
		}
		defer fetcher.Close()
		options.FetchIntermediate = func(ctx context.Context, below *x509.Certificate) ([]*x509.Certificate, error) {
			return fetcher.Intermediate(ctx, below)
		}
	}
	var inputs []bundle.Input
	var unread []error
	for _, name := range args[:min(len(args), bundle.MaxFiles+1)] { // one too many is said
		data, err := readInput(cmd, name)
		if cmd.Context().Err() != nil {
			return err
		}
		if err != nil {
			unread = append(unread, err)
		}
		if name == "-" {
			name = "standard input"
		}
		inputs = append(inputs, bundle.Input{Name: name, Data: data})
	}
	if len(unread) > 0 {
		return usage(errors.Join(unread...))
	}
	pile := bundle.Read(inputs, passwords...)
	result := bundle.Build(cmd.Context(), pile, options)
	view := viewFix(result)
	if target != "" && len(result.Bundles) > 0 {
		if err := f.write(result, target, &view); err != nil {
			return err
		}
	}
	if err := write(cmd, f.output, view, view.text); err != nil {
		return err
	}
	for _, p := range result.Problems {
		if p.Fatal {
			return &exitError{code: exitFindings}
		}
	}
	return nil
}

func (f *certsFix) write(result *bundle.Result, target bundle.Target, view *fixView) error {
	output, err := result.Output(target, bundle.OutputOptions{Namespace: f.namespace})
	if err != nil {
		return failed(err)
	}
	if view.Files, err = output.Write(f.out, f.overwrite); err != nil {
		if errors.Is(err, os.ErrExist) {
			return usage(fmt.Errorf("%w; --overwrite replaces it", err))
		}
		return failed(err)
	}
	view.Use, view.Warnings = output.Use, output.Warnings
	return nil
}

// readPasswords reads one password a line; without a file there is none.
func readPasswords(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var passwords []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if line := lines.Text(); line != "" {
			passwords = append(passwords, line)
		}
	}
	if len(passwords) == 0 {
		return nil, fmt.Errorf("%s: no password in it", file)
	}
	return passwords, nil
}

func viewFix(r *bundle.Result) fixView {
	v := fixView{Bundles: []bundleView{}, LeftOut: []leftOutView{}, Problems: []problemView{}, Notes: []noteView{}, Files: []string{}, Use: []string{}}
	for _, b := range r.Bundles {
		x := bundleView{Name: b.Name, Subject: b.Leaf.Subject.String(), NotAfter: b.Leaf.NotAfter, Chain: []string{}, Fetched: b.Fetched}
		if b.Key != nil {
			x.Key = b.Key.Source.String()
		}
		for _, c := range b.Chain {
			x.Chain = append(x.Chain, c.Subject.String())
		}
		if b.Root != nil {
			x.Root = b.Root.Subject.String()
		}
		v.Bundles = append(v.Bundles, x)
	}
	for _, l := range r.LeftOut {
		v.LeftOut = append(v.LeftOut, leftOutView{l.Certificate.Subject.String(), l.Certificate.Source.String(), string(l.Reason), l.Detail})
	}
	for _, p := range r.Problems {
		v.Problems = append(v.Problems, problemView{string(p.ID), p.Bundle, p.Fatal, p.Detail})
	}
	for _, n := range r.Notes {
		v.Notes = append(v.Notes, noteView{string(n.Kind), n.Source.String(), n.Detail})
	}
	return v
}

func (v fixView) text() string {
	var b strings.Builder
	for _, x := range v.Bundles {
		fmt.Fprintf(&b, "%s\n", shown(x.Name))
		for i, subject := range x.Chain {
			fmt.Fprintf(&b, "  %d  %s\n", i, shown(subject))
		}
		if x.Root != "" {
			fmt.Fprintf(&b, "     %s (the root: not sent)\n", shown(x.Root))
		}
		key := x.Key
		if key == "" {
			key = "none that fits"
		}
		fmt.Fprintf(&b, "  key    %s\n  until  %s\n", shown(key), x.NotAfter.UTC().Format("2006-01-02 15:04 MST"))
		for _, f := range x.Fetched {
			fmt.Fprintf(&b, "  fetched  %s\n", shown(f))
		}
	}
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		b.WriteString(title + "\n")
		for _, line := range lines {
			b.WriteString("  " + shown(line) + "\n")
		}
	}
	var problems, left, notes []string
	for _, p := range v.Problems {
		grave := ""
		if p.Fatal {
			grave = " (clients or the server will refuse it)"
		}
		problems = append(problems, fmt.Sprintf("%s: %s%s", p.ID, p.Detail, grave))
	}
	for _, l := range v.LeftOut {
		left = append(left, fmt.Sprintf("%s (%s): %s: %s", l.Subject, l.Source, l.Reason, l.Detail))
	}
	for _, n := range v.Notes {
		notes = append(notes, fmt.Sprintf("%s: %s: %s", n.Source, n.Kind, n.Detail))
	}
	section("wrong", problems)
	section("left out", left)
	section("notes", notes)
	section("warnings", v.Warnings)
	section("written", v.Files)
	section("use", v.Use)
	return printable(b.String())
}
