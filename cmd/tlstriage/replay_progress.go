package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// counter shows on a terminal how much of the work is done.
type counter struct {
	w         io.Writer // nil: nobody looks
	done, all int
	said      time.Time
	shown     bool
}

func newCounter(w io.Writer, all int) *counter {
	c := &counter{all: all, said: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		c.w = w
	}
	return c
}

func (c *counter) step() {
	c.done++
	if c.w != nil && time.Since(c.said) > 200*time.Millisecond {
		c.said, c.shown = time.Now(), true
		fmt.Fprintf(c.w, "\r\x1b[K%d of %d hellos sent", c.done, c.all)
	}
}

// end takes the line away.
func (c *counter) end() {
	if c.shown {
		fmt.Fprint(c.w, "\r\x1b[K")
	}
}
