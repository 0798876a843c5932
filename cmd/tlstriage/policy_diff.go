package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy/trial"
)

func newPolicyDiff() *cobra.Command {
	var output, failOnLoss string
	var files []string
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Say what policy B takes away from policy A, and what it gives",
		Long: `Compares two policies: versions, suites and their order, groups, signature algorithms, protocols, names. With --from, says
which of the recorded clients fall between the two: accepted by A and refused by B, or the other way round, or served by both
in another way.`,
		Example: `  tlstriage policy diff aws/ELBSecurityPolicy-2016-08 aws/ELBSecurityPolicy-TLS13-1-2-2021-06
  tlstriage policy diff old/nginx.conf#server_name=a.example new/nginx.conf#server_name=a.example --from hellos.ndjson`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := loadPolicy(cmd, args[0])
			if err != nil {
				return usage(err)
			}
			b, err := loadPolicy(cmd, args[1])
			if err != nil {
				return usage(err)
			}
			if len(files) == 0 {
				if cmd.Flags().Changed("fail-on-loss") {
					return usage(fmt.Errorf("--fail-on-loss needs --from FILE"))
				}
				return writeDocument(cmd, output, trial.Diff(a, b))
			}
			var threshold *trial.Threshold
			if cmd.Flags().Changed("fail-on-loss") {
				t, err := trial.ParseThreshold(failOnLoss)
				if err != nil {
					return usage(fmt.Errorf("--fail-on-loss: %w", err))
				}
				threshold = &t
			}
			t, err := tally(cmd, files)
			if err != nil {
				return err
			}
			d := trial.DiffClients(a, b, t)
			if err := writeDocument(cmd, output, d); err != nil {
				return err
			}
			return lossCode(threshold, d.Clients.Lost.Connections, d.Clients.Connections)
		},
	}
	fromFlag(cmd, &files)
	cmd.Flags().StringVar(&failOnLoss, "fail-on-loss", "", "exit with 1 when B loses more than this of what A accepts: `N` connections, or N% of all")
	documentFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}
