package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/recording"
)

func newRecording() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recording",
		Short: "Compact, merge, show, anonymize and import recordings of clients",
		Long: `A recording is what ` + "`tlstriage proxy --record FILE`" + ` and ` + "`tlstriage pcap -o json`" + ` write: one record a line (docs/record.md). These commands make
recordings small, put them together, look into them, take out what is personal, and make recordings of hellos that other programs
keep. What they write can be read by everything that takes --from.`,
		Example: `  tlstriage recording compact week.ndjson.gz > week.compact.ndjson
  tlstriage recording merge monday.ndjson tuesday.ndjson > both.ndjson
  tlstriage recording show both.ndjson
  tlstriage recording anonymize --mask-names week.ndjson > for-a-colleague.ndjson
  tlstriage recording import --kind testssl client-simulation.txt > clients.ndjson`,
		RunE: func(_ *cobra.Command, args []string) error {
			const known = "compact, merge, show, anonymize and import"
			if len(args) == 0 {
				return usage(errors.New("recording needs one of " + known))
			}
			return usage(fmt.Errorf("recording: %q is none of %s", args[0], known))
		},
	}
	cmd.AddCommand(newRecordingCompact(), newRecordingMerge(), newRecordingShow(), newRecordingAnonymize(), newRecordingImport())
	return cmd
}

func newRecordingCompact() *cobra.Command {
	var into string
	var from recordings
	cmd := &cobra.Command{
		Use:   "compact FILE...",
		Short: "Write each distinct kind of client once, with its count",
		Long: `Writes one record for each distinct kind of client: the first hello of its kind with the number of connections, when the first and
the last one came, the server names with their counts and a handful of addresses. A week of traffic becomes a small file, of which
replay says what it says of the whole.`,
		Example: `  tlstriage recording compact week.ndjson.gz > week.compact.ndjson
  tlstriage proxy … --record /dev/stdout | tlstriage recording compact - > today.ndjson`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from.files = args
			return compact(cmd, &from, into)
		},
	}
	recordingFlags(cmd, &from, &into)
	return cmd
}

func newRecordingMerge() *cobra.Command {
	var into string
	var from recordings
	cmd := &cobra.Command{
		Use:   "merge FILE...",
		Short: "Put recordings together into one compact recording",
		Long: `Counts the clients of several recordings, whole or compacted, together, and writes each distinct kind once. One connection that is in two of
the recordings counts twice: merge what was recorded at different times or places.`,
		Example: `  tlstriage recording merge monday.ndjson tuesday.compact.ndjson > both.ndjson
  tlstriage recording merge edge-*.ndjson.zst --into edges.ndjson`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			from.files = args
			return compact(cmd, &from, into)
		},
	}
	recordingFlags(cmd, &from, &into)
	return cmd
}

// recordingFlags adds what compact and merge have in common.
func recordingFlags(cmd *cobra.Command, from *recordings, into *string) {
	intoFlag(cmd, into)
	cmd.Flags().StringVar(&from.maxDamaged, "max-damaged", "10%", "exit with 3 when more entries are damaged than this: `N`, or N% of all; 100% accepts any")
	cmd.Flags().SortFlags = false
}

func intoFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "into", "", "write to this new `FILE` (mode 0600) in place of standard output")
}

// compact writes the kinds of clients of recordings.
func compact(cmd *cobra.Command, from *recordings, into string) error {
	if err := from.parse(); err != nil {
		return err
	}
	c, err := collect(cmd, from)
	if c == nil {
		return err
	}
	kinds := c.Kinds()
	written := writeRecords(cmd, into, func(w *recording.Writer) error {
		for i := range kinds {
			if err := w.Write(kinds[i].Record()); err != nil {
				return err
			}
		}
		return nil
	})
	if written != nil {
		return written
	}
	tell(cmd, fmt.Sprintf("%d connections of %d kinds of clients", c.Tally.Connections, c.Tally.Len()))
	if c.Tally.Beyond > 0 {
		tell(cmd, fmt.Sprintf("%d of the connections are of more kinds than can be kept, and are left out", c.Tally.Beyond))
	}
	return err
}

// writeRecords opens where records go. A file is made anew and for its owner alone: hellos carry names and addresses.
func writeRecords(cmd *cobra.Command, into string, write func(*recording.Writer) error) error {
	if into == "" || into == "-" {
		return codeOf(write(recording.NewWriter(cmd.OutOrStdout())))
	}
	f, err := os.OpenFile(into, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return usage(err)
	}
	return codeOf(errors.Join(write(recording.NewWriter(f)), f.Close()))
}

// codeOf is an error of the work, unless it has a code already.
func codeOf(err error) error {
	var coded *exitError
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return failed(err)
}

func newRecordingAnonymize() *cobra.Command {
	var into string
	var round time.Duration
	a := &recording.Anonymizer{}
	cmd := &cobra.Command{
		Use:   "anonymize FILE...",
		Short: "Take out of a recording what is personal or secret",
		Long: `Writes the records without what could tell who a client was or let somebody take up its sessions: randoms, session ids, tickets,
pre-shared keys, key shares, cookies, ECH, connection ids and whatever else an extension holds beside code points become zeros;
protocols of ALPN that nobody registered become others of their length; client addresses lose their last 8 bits (IPv6: 80); times are
cut to the hour (--round-times), ids are made anew; ports, origins, durations, certificates, messages and findings go. What a client
offers stays, in its order and with its size: replay and policy check say of the result what they say of the recording.

Server names stay unless --mask-names turns them into others of the same length, the same name into the same one.`,
		Example: `  tlstriage recording anonymize hellos.ndjson > shared.ndjson
  tlstriage recording compact week.ndjson | tlstriage recording anonymize --mask-names - > shared.ndjson`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from := recordings{files: args, maxDamaged: "10%"}
			if err := from.parse(); err != nil {
				return err
			}
			switch {
			case round < 0:
				return usage(fmt.Errorf("--round-times: %v is less than nothing", round))
			case round == 0:
				round = -1
			}
			a.Round = round
			var damaged, kept int64
			err := writeRecords(cmd, into, func(w *recording.Writer) error {
				return from.open(cmd, func(in io.Reader, name string) error {
					return eachRecord(cmd, in, name, &damaged, func(r *recording.Record) error {
						kept++
						return w.Write(a.Record(r))
					})
				})
			})
			if err != nil {
				return err
			}
			return from.damage(recording.Skipped{Malformed: damaged}, kept)
		},
	}
	cmd.Flags().BoolVar(&a.MaskNames, "mask-names", false, "turn server names into others of the same length")
	cmd.Flags().DurationVar(&round, "round-times", recording.DefaultRound, "cut times to multiples of this `DURATION` (24h: the day); 0: leave them out")
	intoFlag(cmd, &into)
	cmd.Flags().SortFlags = false
	return cmd
}

// tellOfCanary says what of a recording is of no client.
func tellOfCanary(cmd *cobra.Command, s recording.Skipped) {
	switch s.OfCanary {
	case 0:
	case 1:
		tell(cmd, "1 record of what a proxy sent to its canary is left out: its client is recorded beside it")
	default:
		tell(cmd, fmt.Sprintf("%d records of what a proxy sent to its canary are left out: their clients are recorded beside them", s.OfCanary))
	}
}

// eachRecord reads whole records. What is damaged is said and counted.
func eachRecord(cmd *cobra.Command, in io.Reader, name string, damaged *int64, take func(*recording.Record) error) error {
	var skipped recording.Skipped
	defer func() { tellOfCanary(cmd, skipped) }()
	for record, err := range recording.Records(in, name) {
		var refused *recording.Error
		switch {
		case errors.As(err, &refused) && refused.Reason == recording.OfCanary:
			skipped.OfCanary++
			continue
		case errors.As(err, &refused):
			if *damaged++; *damaged <= 100 {
				tell(cmd, err.Error())
			}
			continue
		case err != nil:
			return recordingError(err)
		}
		if err := take(record); err != nil {
			return err
		}
	}
	return nil
}
