package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tlstriage/tlstriage/inspect/policy/trial"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// recordings are the recorded clients that a command tries something on.
type recordings struct {
	files      []string
	maxDamaged string
	threshold  trial.Threshold
}

// flags adds --from and --max-damaged.
func (r *recordings) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.files, "from", nil, "recorded clients: `FILE` of records (NDJSON) ClientHellos (hexadecimal, base64, raw) or packets (pcap, pcapng), gzip and zstd too; - is standard input; may be repeated")
	cmd.Flags().StringVar(&r.maxDamaged, "max-damaged", "10%", "exit with 3 when more entries of the recordings are damaged than this: `N`, or N% of all; 100% accepts any")
}

// parse reads --max-damaged, and refuses to read one input twice.
func (r *recordings) parse(refs ...string) (err error) {
	if r.threshold, err = trial.ParseThreshold(r.maxDamaged); err != nil {
		return usage(fmt.Errorf("--max-damaged: %w", err))
	}
	stdin := 0
	for _, name := range append(refs, r.files...) {
		if isStdin(name) {
			stdin++
		}
	}
	if stdin > 1 {
		return usage(errors.New("the standard input (-) can be read only once"))
	}
	return nil
}

// open calls read for each file, in order.
func (r *recordings) open(cmd *cobra.Command, read func(in io.Reader, name string) error) error {
	for _, name := range r.files {
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

// clients is open for commands that want clients: captures are read as the records that they give.
func (r *recordings) clients(cmd *cobra.Command, read func(in io.Reader, name string) error) error {
	return r.open(cmd, func(in io.Reader, name string) error {
		plain, form, err := recording.Open(in, name)
		switch {
		case err != nil:
			return recordingError(err)
		case form == recording.FormCapture:
			return readCapture(cmd, plain, name, read)
		}
		return read(plain, name)
	})
}

// readCapture hands on the connections of a capture as a recording. What stops either end stops the other.
func readCapture(cmd *cobra.Command, in io.Reader, name string, read func(in io.Reader, name string) error) error {
	records, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		w := recording.NewWriter(to)
		err := eachConnection(cmd, in, name, func(r *recording.Record) error { return w.Write(r) })
		_ = to.CloseWithError(err) // the reader's end, which never fails
		written <- err
	}()
	err := read(records, name)
	_ = records.Close() // never fails
	if broken := <-written; broken != nil && !errors.Is(broken, io.ErrClosedPipe) {
		return broken // and not that its reader was told so
	}
	return err
}

// tally counts the clients of recordings, and says on standard error what of them could not be read.
func (r *recordings) tally(cmd *cobra.Command) (*recording.Tally, error) {
	t := &recording.Tally{}
	err := r.clients(cmd, func(in io.Reader, name string) error { return recordingError(t.Read(in, name)) })
	if err != nil {
		return nil, err
	}
	for _, p := range t.Problems {
		fmt.Fprintln(cmd.ErrOrStderr(), "tlstriage:", p)
	}
	if more := t.Skipped.Malformed - int64(len(t.Problems)); more > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "tlstriage: %d more entries like these\n", more)
	}
	tellOfCanary(cmd, t.Skipped)
	if t.Connections == 0 {
		return nil, failed(errNoHello)
	}
	return t, nil
}

// damage is exit code 3 when so much of the recordings could not be read that the answer says little. It comes behind the answer.
func (r *recordings) damage(s recording.Skipped, clients int64) error {
	all := clients + entries(s)
	if r.threshold.Exceeded(s.Malformed, all) {
		return failed(fmt.Errorf("%d of %d entries of the recording are damaged, more than --max-damaged %s", s.Malformed, all, r.threshold))
	}
	return nil
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
