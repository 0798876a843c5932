package capture_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestPipeThatFallsSilent writes what lacks only time, and nothing more: the record comes all the same, and the end of the
// context ends the reading.
func TestPipeThatFallsSilent(t *testing.T) {
	w := newBuilder()
	c, s := client(5), server()
	w.open(c, s)
	w.segment(c, s, psh|ack, ecdhe(t)[0].data, 10)
	w.segment(s, c, rst|ack, nil, 10)
	r, end := io.Pipe()
	defer end.Close()
	records := make(chan *inspect.Connection, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		tracker := capture.New(capture.Options{OnConnection: func(c *inspect.Connection) { records <- c }})
		ended <- tracker.ReadPipe(ctx, r, "pipe")
	}()
	if _, err := end.Write(w.b); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	select {
	case c := <-records:
		if c.ClientLeg.Error == nil || c.ClientLeg.Error.Type != inspect.ErrorReset {
			t.Errorf("%+v", c.ClientLeg.Error)
		}
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	case <-deadline:
		t.Fatal("no record while the pipe is silent")
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	case <-deadline:
		t.Fatal("the context's end was not obeyed")
	}
}

// TestPipeGivesWhatAFileGives reads the same through a pipe, in pieces.
func TestPipeGivesWhatAFileGives(t *testing.T) {
	file := handshakes(t, 300, ecdhe(t))
	want, _ := recordsOf(t, file, capture.Options{})
	r, end := io.Pipe()
	go func() {
		for b := file; len(b) > 0; {
			n := min(len(b), 70_001)
			if _, err := end.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
		end.Close()
	}()
	got := 0
	tracker := capture.New(capture.Options{OnConnection: func(c *inspect.Connection) {
		if summary(c) != summary(want[got]) {
			t.Errorf("record %d: %s", got, summary(c))
		}
		got++
	}})
	if err := tracker.ReadPipe(t.Context(), r, "pipe"); err != nil {
		t.Fatal(err)
	}
	if tracker.Close(); got != len(want) {
		t.Errorf("%d records, want %d", got, len(want))
	}
	broken := errors.New("broken")
	if err := capture.New(capture.Options{}).ReadPipe(t.Context(), io.MultiReader(bytes.NewReader(file[:500]), brokenReader{broken}), "pipe"); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type brokenReader struct{ err error }

func (f brokenReader) Read([]byte) (int, error) { return 0, f.err }
