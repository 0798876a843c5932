package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy/trial"
)

func newPolicyDiff() *cobra.Command {
	var output string
	var from recordings
	var gate lossGate
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Say what policy B takes away from policy A, and what it gives",
		Long: `Compares two policies: versions, suites and their order, groups, signature algorithms, protocols, names. With --from, says
which of the recorded clients fall between the two: accepted by A and refused by B, or the other way round, or served by both
in another way.

Of whole listeners (nginx.conf, nginx.conf#listen=:443) the blocks are compared by their names, and each client is tried on the
block that its server name selects.`,
		Example: `  tlstriage policy diff aws/ELBSecurityPolicy-2016-08 aws/ELBSecurityPolicy-TLS13-1-2-2021-06
  tlstriage policy diff old/nginx.conf#server_name=a.example new/nginx.conf#server_name=a.example --from hellos.ndjson`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := gate.parse(cmd); err != nil {
				return err
			}
			if err := from.parse(args...); err != nil {
				return err
			}
			if err := knownForm(output, "text", "json", "markdown"); err != nil {
				return err
			}
			a, err := loadTarget(cmd, args[0])
			if err != nil {
				return usage(err)
			}
			b, err := loadTarget(cmd, args[1])
			if err != nil {
				return usage(err)
			}
			if len(from.files) == 0 {
				if gate.threshold != nil {
					return usage(errors.New("--fail-on-loss needs --from FILE"))
				}
				return writeDocument(cmd, output, trial.Diff(a, b))
			}
			t, err := from.tally(cmd)
			if err != nil {
				return err
			}
			d := trial.DiffClients(a, b, t)
			if err := writeDocument(cmd, output, d); err != nil {
				return err
			}
			if err := from.damage(t.Skipped, t.Connections); err != nil {
				return err
			}
			return gate.code(d.Clients.Lost.Connections, d.Clients.AtRisk.Connections, d.Clients.Connections)
		},
	}
	from.flags(cmd)
	gate.flags(cmd, "exit with 1 when B loses, or may lose, more than this of what A accepts: `N` connections, or N% of all")
	documentFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}
