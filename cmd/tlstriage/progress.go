package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress reads a file and shows on a terminal how far it is.
type progress struct {
	io.Reader
	w          io.Writer // nil: nobody looks
	name       string
	size, done int64
	said       time.Time
	shown      bool
}

// newProgress shows nothing where w is no terminal or the size is not known.
func newProgress(w io.Writer, f *os.File, name string) *progress {
	p := &progress{Reader: f, name: name, said: time.Now()}
	if t, ok := w.(*os.File); ok && term.IsTerminal(int(t.Fd())) {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			p.w, p.size = w, info.Size()
		}
	}
	return p
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.done += int64(n)
	if p.w != nil && p.size > 0 && time.Since(p.said) > 200*time.Millisecond {
		p.said, p.shown = time.Now(), true
		fmt.Fprintf(p.w, "\r\x1b[K%s %d %%", strings.TrimSuffix(printable(p.name), "\n"), 100*p.done/p.size)
	}
	return n, err
}

// end takes the line away.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
