package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy/trial"
)

func newPolicyRecommend() *cobra.Command {
	var provider, maxLoss, output string
	var files, systems []string
	cmd := &cobra.Command{
		Use:   "recommend --provider P --from FILE...",
		Short: "Find the strictest policy of a provider that loses nobody",
		Long: `Tries every policy that a provider lets its users choose on the recorded clients, and takes the strictest that loses nobody,
or no more than --max-loss; beside it what the stricter ones would cost, and the shortest lists of versions and suites that
these clients need of nginx, HAProxy, Envoy and Go.

Strictness is compared in this order: lowest version, broken suites, suites without forward secrecy, suites without
authenticated encryption, SHA-1 signatures, weak groups, highest version, post-quantum groups, number of suites.`,
		Example: `  tlstriage policy recommend --provider aws/alb --from hellos.ndjson
  tlstriage policy recommend --provider mozilla --from hellos.ndjson --max-loss 0.05% -o markdown
  tlstriage policy recommend --from hellos.ndjson --for nginx`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return usage(errors.New("policy recommend needs --from FILE"))
			}
			if provider == "" && len(systems) == 0 {
				return usage(errors.New("policy recommend needs --provider P or --for SYSTEM"))
			}
			var threshold trial.Threshold
			if maxLoss != "" {
				var err error
				if threshold, err = trial.ParseThreshold(maxLoss); err != nil {
					return usage(fmt.Errorf("--max-loss: %w", err))
				}
			}
			wanted := trial.Systems()
			if len(systems) > 0 {
				wanted = nil
			}
			for _, s := range systems {
				if !slices.Contains(trial.Systems(), trial.System(s)) {
					return usage(fmt.Errorf("--for: no system %q; there are: %v", s, trial.Systems()))
				}
				wanted = append(wanted, trial.System(s))
			}
			candidates, err := trial.Candidates(provider)
			if provider != "" && err != nil {
				return usage(err)
			}
			if provider == "" {
				candidates = nil
			}
			t, err := tally(cmd, files)
			if err != nil {
				return err
			}
			return writeDocument(cmd, output, trial.Recommend(candidates, t, threshold, wanted...))
		},
	}
	cmd.Flags().StringVar(&provider, "provider", "", "whose policies to choose from: `P` is aws, aws/alb, aws/clb, gcp, azure, mozilla, …")
	fromFlag(cmd, &files)
	cmd.Flags().StringVar(&maxLoss, "max-loss", "", "accept this loss: `N` connections, or N% of them")
	cmd.Flags().StringSliceVar(&systems, "for", nil, "make tailored lists for these only: `SYSTEM` is nginx, haproxy, envoy or go")
	documentFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}
