package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/recording"
)

// fromFlag adds --from: the recordings that a command tries something on.
func fromFlag(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVar(files, "from", nil, "recorded clients: `FILE` of records (NDJSON) or ClientHellos (hexadecimal, base64, raw), gzip too; - is standard input; may be repeated")
}

// openRecordings calls read for each file, in order.
func openRecordings(cmd *cobra.Command, files []string, read func(r io.Reader, name string) error) error {
	for _, name := range files {
		if name == "-" {
			if err := read(cmd.InOrStdin(), "standard input"); err != nil {
				return err
			}
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return usage(err)
		}
		if err := errors.Join(read(f, name), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// tally counts the clients of recordings, and says on standard error what of them could not be read.
func tally(cmd *cobra.Command, files []string) (*recording.Tally, error) {
	t := &recording.Tally{}
	err := openRecordings(cmd, files, func(r io.Reader, name string) error { return recordingError(t.Read(r, name)) })
	if err != nil {
		return nil, err
	}
	for _, p := range t.Problems {
		fmt.Fprintln(cmd.ErrOrStderr(), "tlstriage:", p)
	}
	if more := t.Skipped.Malformed - int64(len(t.Problems)); more > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "tlstriage: %d more entries like these\n", more)
	}
	if t.Connections == 0 {
		return nil, failed(errors.New("no ClientHello in the recording"))
	}
	return t, nil
}

// recordingError gives the error of reading a recording its exit code: a file of another form is a mistake in what was asked
// for, one that cannot be read a failure of the work.
func recordingError(err error) error {
	var form *recording.FormError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &form):
		return usage(err)
	}
	return failed(err)
}
