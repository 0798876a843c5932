package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy"
	"github.com/tlstriage/tlstriage/inspect/policy/trial"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

func newPolicyCheck() *cobra.Command {
	var ref, failOnLoss, output string
	var files []string
	var each bool
	cmd := &cobra.Command{
		Use:   "check --policy REF --from FILE...",
		Short: "Say whom a policy would lose of the clients that were recorded",
		Long: `Holds every recorded ClientHello against a policy and says how many connections, and how many distinct kinds of clients,
it would lose: which, why, with which alert, and what would be negotiated with the others. Each kind of client is judged once
and counted by its connections, so a recording of millions takes as long as reading it.

A recording is what ` + "`tlstriage proxy --record FILE`" + ` writes, or ClientHellos in hexadecimal, base64 or as bytes.`,
		Example: `  tlstriage policy check --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06 --from hellos.ndjson
  tlstriage policy check --policy nginx.conf#server_name=api.example.com --from hellos.ndjson --fail-on-loss 0.1%
  tlstriage policy check --policy new.yaml --from monday.ndjson.gz --from tuesday.ndjson.gz -o markdown
  tlstriage policy check --policy mozilla/modern --from hellos.ndjson --each | jq 'select(.policy.accepted | not)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ref == "" || len(files) == 0 {
				return usage(errors.New("policy check needs --policy REF and --from FILE"))
			}
			var threshold *trial.Threshold
			if cmd.Flags().Changed("fail-on-loss") {
				t, err := trial.ParseThreshold(failOnLoss)
				if err != nil {
					return usage(fmt.Errorf("--fail-on-loss: %w", err))
				}
				threshold = &t
			}
			loaded, err := loadReference(cmd, ref)
			if err != nil {
				return usage(err)
			}
			p := loaded.Policy
			if each {
				return checkEach(cmd, p, files, threshold)
			}
			t, err := tally(cmd, files)
			if err != nil {
				return err
			}
			sayElsewhere(cmd, t, loaded.Answers)
			report := trial.Check(t, p)
			if err := writeDocument(cmd, output, report); err != nil {
				return err
			}
			return lossCode(threshold, report.Lost.Connections, report.Connections)
		},
	}
	cmd.Flags().StringVar(&ref, "policy", "", "the policy: `REF`, a name, a policy file, or a configuration (nginx.conf#server_name=NAME)")
	fromFlag(cmd, &files)
	cmd.Flags().BoolVar(&each, "each", false, "one JSON line for every connection instead of the summary")
	cmd.Flags().StringVar(&failOnLoss, "fail-on-loss", "", "exit with 1 when more is lost than this: `N` connections, or N% of them")
	documentFlag(cmd, &output)
	cmd.Flags().SortFlags = false
	return cmd
}

// sayElsewhere says how many of the clients another endpoint of the configuration would answer. They are judged all the same.
func sayElsewhere(cmd *cobra.Command, t *recording.Tally, answers func(string) bool) {
	if answers == nil {
		return
	}
	elsewhere := int64(0)
	for _, shape := range t.Shapes() {
		for _, name := range shape.Names {
			if !answers(name.Name) {
				elsewhere += name.Connections
			}
		}
	}
	if elsewhere > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "tlstriage: %d of %d connections ask for names that another server of this listener answers; they are judged by this one all the same (choose one with #server_name=NAME)\n", elsewhere, t.Connections)
	}
}

// lossCode is exit code 1 when more was lost than was accepted.
func lossCode(threshold *trial.Threshold, lost, of int64) error {
	if threshold != nil && threshold.Exceeded(lost, of) {
		return &exitError{code: exitFindings}
	}
	return nil
}

// checkEach prints a line for every connection.
func checkEach(cmd *cobra.Command, p *policy.Policy, files []string, threshold *trial.Threshold) error {
	out := json.NewEncoder(cmd.OutOrStdout())
	out.SetEscapeHTML(false)
	var lost, connections int64
	err := openRecordings(cmd, files, func(r io.Reader, name string) error {
		for client, err := range recording.Each(r, name) {
			var skipped *recording.Error
			if errors.As(err, &skipped) {
				if skipped.Reason == recording.Malformed {
					fmt.Fprintln(cmd.ErrOrStderr(), "tlstriage:", err)
				}
				continue
			}
			if err != nil {
				return recordingError(err)
			}
			j := trial.Judge(client, p)
			if connections++; !j.Policy.Accepted {
				lost++
			}
			if err := out.Encode(j); err != nil {
				return failed(err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return lossCode(threshold, lost, connections)
}
