package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/tlstriage/tlstriage/configs"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/report"
)

// printer is what prints records: report.Text or report.JSON.
type printer interface {
	Write(*inspect.Connection) error
	Close() error
}

// jsonPrinter is report.JSON, which has nothing to close.
type jsonPrinter struct{ *report.JSON }

func (jsonPrinter) Close() error { return nil }

func newPrinter(output configs.Output, raw configs.RecordRaw, verbose bool, w io.Writer) printer {
	if output == configs.OutputJSON {
		return jsonPrinter{report.NewJSON(w, report.Raw(raw))}
	}
	return report.NewText(w, report.Options{Color: colored(w), Width: terminalWidth(w), Verbose: verbose})
}

// colored reports whether w is a terminal that wants colour (no-color.org).
func colored(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is the width of the terminal behind w; 0 when there is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// recorder is the file that records are appended to; without a file it does nothing.
type recorder struct {
	config configs.Record

	mu   sync.Mutex
	file *os.File
	json *report.JSON
	torn bool // the last line of the file has no end
}

// openRecorder opens the recording: hellos carry names, tickets and addresses.
func openRecorder(c configs.Record) (*recorder, error) {
	if c.File == "" {
		return &recorder{}, nil
	}
	r := &recorder{config: c}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// open opens the file by its name; what was open before stays so where that fails.
func (r *recorder) open() error {
	f, err := openPrivate(r.config.File)
	if err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.json, r.torn = f, report.NewJSON(f, report.Raw(r.config.Raw)), endsInAPart(r.config.File)
	return nil
}

// Reopen opens the file by its name again, which somebody may have moved away: programs that rotate files do. What is no regular file,
// such as a pipe, nobody moves.
func (r *recorder) Reopen() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	if info, err := r.file.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil
	}
	return r.open()
}

// endsInAPart reports whether the last line of a file has no end: whoever wrote it was killed, or the disk was full.
func endsInAPart(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

// openPrivate opens a file that is appended to, for the owner alone.
func openPrivate(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if err := f.Chmod(0o600); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

func (r *recorder) Write(c *inspect.Connection) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.json == nil {
		return nil
	}
	if r.torn {
		// A record must not become a part of the line before it.
		if _, err := r.file.WriteString("\n"); err != nil {
			return err
		}
	}
	err := r.json.Write(c)
	r.torn = err != nil
	return err
}

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// readBounded reads a file that is no larger than it may be.
func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: larger than the bound of %d bytes", name, most)
	}
	return data, nil
}
