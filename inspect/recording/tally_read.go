package recording

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
)

// Read counts the clients of a recording, whatever its form; file names it in errors. Entries that give no client are counted in
// Skipped, and the damaged ones kept in Problems. Records are read on as many processors as there are; whatever the
// number, the result is the same but for which client addresses are kept of more than a handful.
//
// The error is a *FormError, or what reading returned; what was counted before it stays.
func (t *Tally) Read(r io.Reader, file string) error {
	in, form, err := open(r)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer func() { t.files++ }()
	if form != FormRecords {
		s := stream{file: file, yield: func(c *Client, err error) bool {
			var refused *Error
			if errors.As(err, &refused) {
				t.Refuse(refused)
			} else {
				t.Add(c)
			}
			return true
		}}
		return s.readForm(in, form)
	}
	return t.readRecords(in, file)
}

// readRecords hands blocks of lines to one worker a processor, each with a tally of its own, and adds these up at the end.
func (t *Tally) readRecords(in io.Reader, file string) error {
	workers := runtime.GOMAXPROCS(0)
	// Two blocks a worker: one that it reads, one that is being filled.
	empty, full := make(chan *block, 2*workers), make(chan *block, 2*workers)
	for range 2 * workers {
		empty <- new(block)
	}
	parts := make([]Tally, workers)
	var running sync.WaitGroup
	for i := range parts {
		running.Go(func() {
			w := worker{tally: &parts[i], file: file, number: t.files}
			for b := range full {
				w.block(b)
				empty <- b
			}
		})
	}
	source := blocks{r: in}
	var err error
	for {
		b := <-empty
		if err = source.next(b); err != nil {
			break
		}
		full <- b
	}
	close(full)
	running.Wait()
	var problems []*Error
	for i := range parts {
		problems = append(problems, parts[i].Problems...)
		parts[i].Problems = nil
		t.merge(&parts[i])
	}
	slices.SortFunc(problems, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
	t.Problems = append(t.Problems, problems[:min(len(problems), max(0, maxProblems-len(t.Problems)))]...)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%s: %w", file, err)
}

// worker counts the records of blocks.
type worker struct {
	tally   *Tally
	file    string
	number  int32 // of the file
	decoder decoder
}

func (w *worker) block(b *block) {
	if b.tooLong {
		w.tally.Refuse(&Error{File: w.file, Line: b.line, Offset: b.offset, Reason: Malformed, Err: errTooLong})
		return
	}
	line, offset := b.line, b.offset
	for rest := b.text; len(rest) > 0; line++ {
		text, after := cutLine(rest)
		if offset == 0 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		switch {
		case len(text) > maxLine:
			w.tally.Refuse(&Error{File: w.file, Line: line, Offset: offset, Reason: Malformed, Err: errTooLong})
		case blank(text):
		case ofCanary(text):
			w.tally.Skipped.count(OfCanary)
		default:
			w.record(text, line, offset)
		}
		offset += int64(len(rest) - len(after))
		rest = after
	}
}

func (w *worker) record(text []byte, line, offset int64) {
	reason, err := w.decoder.record(text)
	switch reason {
	case entryAccepted:
		w.decoder.client.Line, w.decoder.client.Offset = line, offset
		w.tally.add(&w.decoder.client, position{file: w.number, offset: offset})
	case Malformed:
		w.tally.Refuse(&Error{File: w.file, Line: line, Offset: offset, Reason: reason, Err: err})
	default:
		w.tally.Skipped.count(reason)
	}
}
