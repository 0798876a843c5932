package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// scanProgress shows on a terminal how far the scan is.
type scanProgress struct {
	mu          sync.Mutex
	w           io.Writer // nil: nobody looks
	targets     int
	finished    int
	connections int
	said        time.Time
	shown       bool
}

func newScanProgress(w io.Writer, targets int) *scanProgress {
	p := &scanProgress{targets: targets, said: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

// connected counts a connection.
func (p *scanProgress) connected(int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connections++
	if p.w == nil || time.Since(p.said) < 200*time.Millisecond {
		return
	}
	p.said, p.shown = time.Now(), true
	fmt.Fprintf(p.w, "\r\x1b[K%d of %d targets, %d connections", p.finished, p.targets, p.connections)
}

// done takes the line away, so that a result can be printed.
func (p *scanProgress) done(*scanned) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finished++
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
