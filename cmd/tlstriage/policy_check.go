package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy/trial"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

func newPolicyCheck() *cobra.Command {
	var ref, output string
	var from recordings
	var gate lossGate
	var each bool
	cmd := &cobra.Command{
		Use:   "check --policy REF --from FILE...",
		Short: "Say whom a policy would lose of the clients that were recorded",
		Long: `Holds every recorded ClientHello against a policy and says how many connections, and how many distinct kinds of clients,
it would lose: which, why, with which alert, and what would be negotiated with the others. Each kind of client is judged once
and counted by its connections, so a recording of millions takes as long as reading it.

Where the policy is a whole listener (nginx.conf, nginx.conf#listen=:443), every client gets to the block that its server name
selects, as there, and the answer is given for all and for each block. With #server_name= it is one block that all are tried on;
how many would never get to it is said.

A recording is what ` + "`tlstriage proxy --record FILE`" + ` writes, ClientHellos in hexadecimal, base64 or as bytes, or
a capture (pcap, pcapng), of which every connection that tlstriage pcap tells of counts.

Exit codes: 1 when --fail-on-loss is exceeded, 2 for what cannot be asked, 3 when a recording cannot be read or more of it is
damaged than --max-damaged accepts.`,
		Example: `  tlstriage policy check --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06 --from hellos.ndjson
  tlstriage policy check --policy nginx.conf#listen=:443 --from hellos.ndjson --fail-on-loss 0.1%
  tlstriage policy check --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06#certificates=rsa --from hellos.ndjson
  tlstriage policy check --policy new.yaml --from monday.ndjson.gz --from tuesday.ndjson.zst -o markdown
  tlstriage policy check --policy mozilla/mozilla-modern-5.7 --from hellos.ndjson --each | jq 'select(.policy.accepted | not)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ref == "" || len(from.files) == 0 {
				return usage(errors.New("policy check needs --policy REF and --from FILE"))
			}
			if err := gate.parse(cmd); err != nil {
				return err
			}
			if err := from.parse(ref); err != nil {
				return err
			}
			if err := knownForm(output, "text", "json", "markdown"); err != nil {
				return err
			}
			if each && output == "markdown" {
				return usage(errors.New("--each prints a line for every connection: -o json (the default) or text; a ticket wants the summary"))
			}
			target, err := loadTarget(cmd, ref)
			if err != nil {
				return usage(err)
			}
			if each {
				return checkEach(cmd, target, &from, &gate, output == "text" && cmd.Flags().Changed("output"))
			}
			t, err := from.tally(cmd)
			if err != nil {
				return err
			}
			report := trial.Check(t, target)
			if err := writeDocument(cmd, output, report); err != nil {
				return err
			}
			if err := from.damage(t.Skipped, t.Connections); err != nil {
				return err
			}
			return gate.code(report.Lost.Connections, report.AtRisk.Connections, report.Connections)
		},
	}
	cmd.Flags().StringVar(&ref, "policy", "", "the policy: `REF`, a name, a policy file, or a configuration (nginx.conf#server_name=NAME, nginx.conf#listen=:443)")
	from.flags(cmd)
	cmd.Flags().BoolVar(&each, "each", false, "one line for every connection (of a compacted recording: for every name of a kind) instead of the summary: JSON, or with -o text one to read")
	gate.flags(cmd, "exit with 1 when more is lost than this, or may be (see --ignore-uncertain): `N` connections, or N% of them")
	documentFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}

// lossGate is --fail-on-loss.
type lossGate struct {
	text            string
	ignoreUncertain bool
	threshold       *trial.Threshold
}

func (g *lossGate) flags(cmd *cobra.Command, help string) {
	cmd.Flags().StringVar(&g.text, "fail-on-loss", "", help)
	cmd.Flags().BoolVar(&g.ignoreUncertain, "ignore-uncertain", false, "count for --fail-on-loss only those whose loss is certain, and not those that depend on what the policy does not state")
}

// parse reads the flag. A variable of a script that is empty is a mistake, and not a gate that is open.
func (g *lossGate) parse(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("fail-on-loss") {
		return nil
	}
	t, err := trial.ParseThreshold(g.text)
	if err != nil {
		return usage(fmt.Errorf("--fail-on-loss: %w", err))
	}
	g.threshold = &t
	return nil
}

// code is exit code 1 when more was lost than was accepted.
func (g *lossGate) code(lost, atRisk, of int64) error {
	if !g.ignoreUncertain {
		lost += atRisk
	}
	if g.threshold != nil && g.threshold.Exceeded(lost, of) {
		return &exitError{code: exitFindings}
	}
	return nil
}

// checkEach prints a line for every connection.
func checkEach(cmd *cobra.Command, target *trial.Target, from *recordings, gate *lossGate, text bool) error {
	var lost, atRisk, connections, unjudged int64
	var read int64              // entries that give a client, which of a compacted recording is many connections
	var skipped recording.Tally // of what gives no client
	err := from.clients(cmd, func(in io.Reader, name string) error {
		begun := read + entries(skipped.Skipped) // entries of the files before
		for client, err := range recording.Each(in, name) {
			var refused *recording.Error
			if errors.As(err, &refused) {
				skipped.Refuse(refused)
				if refused.Reason == recording.Malformed {
					fmt.Fprintln(cmd.ErrOrStderr(), "tlstriage:", err)
				}
				continue
			}
			if err != nil {
				return recordingError(err)
			}
			read++
			judgements, others := trial.Judgements(client, target)
			unjudged += others
			for i := range judgements {
				j := &judgements[i]
				j.Index += begun
				connections += j.Count()
				switch {
				case !j.Policy.Accepted:
					lost += j.Count()
				case j.Policy.Uncertain != "":
					atRisk += j.Count()
				}
				if text {
					_, err = fmt.Fprintln(cmd.OutOrStdout(), j.Text())
				} else {
					err = writeSpelled(cmd.OutOrStdout(), j)
				}
				if err != nil {
					return failed(err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if read == 0 {
		return failed(errors.New("no ClientHello in the recording"))
	}
	if unjudged > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "tlstriage: %d connections whose server name a compacted recording did not keep are not judged\n", unjudged)
	}
	if err := from.damage(skipped.Skipped, connections+unjudged); err != nil {
		return err
	}
	return gate.code(lost, atRisk, connections)
}

// entries is how many gave no client.
func entries(s recording.Skipped) int64 {
	return s.Malformed + s.NoHello + s.Incomplete + s.BrokenHello
}
