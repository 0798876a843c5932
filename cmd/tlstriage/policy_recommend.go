package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/export"
	"github.com/tlstriage/tlstriage/inspect/policy/importer"
	"github.com/tlstriage/tlstriage/inspect/policy/trial"
)

// recommendFlags are what `policy recommend` is asked.
type recommendFlags struct {
	provider, maxLoss, certificates, output string
	systems                                 []string
	from                                    recordings
	written                                 export.Options
}

func newPolicyRecommend() *cobra.Command {
	var f recommendFlags
	cmd := &cobra.Command{
		Use:   "recommend --provider P --from FILE...",
		Short: "Find the strictest policy of a provider that loses nobody",
		Long: `Tries every policy that a provider lets its users choose on the recorded clients, and takes the strictest that loses nobody,
or no more than --max-loss; beside it what the stricter ones would cost, and the shortest lists of versions and suites that
these clients need of nginx, HAProxy, Envoy and Go.

With --for, the list for a system comes as a snippet of its configuration, to be pasted: without --provider it is all that is
printed, below comments that say whom it loses. What it is said to lose is what the system makes of the snippet, with the rules of
its own: --version and --openssl say which release.

Policies are compared in this order: lowest version, clients that have TLS 1.3 and would not get it, broken suites, suites without
forward secrecy, suites without authenticated encryption, SHA-1 signatures, weak groups, highest version, post-quantum groups,
number of suites.

Exit codes: 1 when everything that was tried loses more than --max-loss, 2 for what cannot be asked, 3 when a recording cannot be
read or more of it is damaged than --max-damaged accepts.`,
		Example: `  tlstriage policy recommend --provider aws/alb --from hellos.ndjson
  tlstriage policy recommend --provider mozilla --from hellos.ndjson --max-loss 0.05% -o markdown
  tlstriage policy recommend --provider aws/alb --from hellos.ndjson --certificates rsa
  tlstriage policy recommend --from hellos.ndjson --for nginx --version 1.26 > tls.conf`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	cmd.Flags().StringVar(&f.provider, "provider", "", "whose policies to choose from: `P` is aws, aws/alb, aws/clb, gcp, azure, mozilla, …")
	f.from.flags(cmd)
	cmd.Flags().StringVar(&f.maxLoss, "max-loss", "0", "accept this loss: `N` connections, or N% of them")
	cmd.Flags().StringVar(&f.certificates, "certificates", "", "what the endpoint serves: `KINDS` are rsa, ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519; default: not known, and for --for rsa")
	cmd.Flags().StringSliceVar(&f.systems, "for", nil, "write a snippet for `SYSTEM`: nginx, haproxy, envoy or go")
	cmd.Flags().StringVar(&f.written.Version, "version", "", "`VERSION` of the system of --for; default: the newest known")
	cmd.Flags().StringVar(&f.written.OpenSSL, "openssl", "", "`VERSION` of the OpenSSL below the system of --for; default: 3.0, or what the system brings")
	documentFlag(cmd, &f.output)
	cmd.Flags().SortFlags = false
	return cmd
}

func (f *recommendFlags) run(cmd *cobra.Command) error {
	if len(f.from.files) == 0 {
		return usage(errors.New("policy recommend needs --from FILE"))
	}
	if f.provider == "" && len(f.systems) == 0 {
		return usage(errors.New("policy recommend needs --provider P or --for SYSTEM"))
	}
	if err := knownForm(f.output, "text", "json", "markdown"); err != nil {
		return err
	}
	if err := f.from.parse(); err != nil {
		return err
	}
	o, err := f.options()
	if err != nil {
		return usage(err)
	}
	candidates, err := f.candidates(o.Certificates)
	if err != nil {
		return usage(err)
	}
	t, err := f.from.tally(cmd)
	if err != nil {
		return err
	}
	r, err := trial.Recommend(candidates, t, o)
	var unsayable *export.UnsayableError
	switch {
	case errors.As(err, &unsayable):
		return failed(err)
	case err != nil:
		return usage(err)
	}
	if f.provider == "" && len(o.Systems) == 1 && f.output == "text" {
		_, err = fmt.Fprint(cmd.OutOrStdout(), r.Tailored[0].Snippet)
	} else {
		err = writeDocument(cmd, f.output, r)
	}
	if err != nil {
		return err
	}
	if err := f.from.damage(t.Skipped, t.Connections); err != nil {
		return err
	}
	if r.TooMuch() {
		return &exitError{code: exitFindings}
	}
	return nil
}

// options are what Recommend is to keep to.
func (f *recommendFlags) options() (o trial.Options, err error) {
	if o.MaxLoss, err = trial.ParseThreshold(f.maxLoss); err != nil {
		return o, fmt.Errorf("--max-loss: %w", err)
	}
	if f.certificates != "" {
		if o.Certificates, err = importer.ParseCertificates(f.certificates); err != nil {
			return o, fmt.Errorf("--certificates: %w", err)
		}
	}
	if len(f.systems) == 0 {
		if f.written != (export.Options{}) {
			return o, errors.New("--version and --openssl are of the system of --for")
		}
		o.Systems = trial.Systems()
		return o, nil
	}
	for _, s := range f.systems {
		if !slices.Contains(trial.Systems(), trial.System(s)) {
			return o, fmt.Errorf("--for: no system %q; there are: %s", s, strings.Trim(fmt.Sprint(trial.Systems()), "[]"))
		}
		if !slices.Contains(o.Systems, trial.System(s)) {
			o.Systems = append(o.Systems, trial.System(s))
		}
	}
	if f.written.Version != "" && len(o.Systems) > 1 {
		return o, errors.New("--version is of one system; --for names several")
	}
	o.Write = f.write
	return o, nil
}

// candidates are the policies to choose from; nil: only something tailored is asked for.
func (f *recommendFlags) candidates(certificates []policy.CertificateType) ([]*policy.Policy, error) {
	if f.provider == "" {
		return nil, nil
	}
	candidates, err := trial.Candidates(f.provider)
	if err != nil || certificates == nil {
		return candidates, err
	}
	for i, p := range candidates {
		candidates[i] = p.Clone()
		candidates[i].Certificates = certificates
	}
	return candidates, nil
}

// write says a tailored policy in the words of its system.
func (f *recommendFlags) write(p *policy.Policy, s trial.System) (*trial.Written, error) {
	snippet, err := export.Export(p, string(s), f.written)
	if err != nil {
		return nil, err
	}
	made := snippet.Policy.Clone()
	made.Name, made.Certificates = p.Name, p.Certificates // what is served is no matter of the snippet
	return &trial.Written{Text: snippet.WithComments(), Apply: snippet.Apply, Policy: made, Comment: commentOf(s)}, nil
}

// commentOf begins a comment in the language of a system.
func commentOf(s trial.System) string {
	if s == trial.SystemGo {
		return "//"
	}
	return "#"
}
