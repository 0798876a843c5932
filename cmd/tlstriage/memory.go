package main

import (
	"context"
	"runtime/debug"
	"time"
)

// How often the collector's setting follows the number of connections.
const gcInterval = 250 * time.Millisecond

// gcPercent is how much garbage the collector may let pile up, in percent of what is alive. With few connections the heap is
// small and collecting seldom costs next to nothing; with many, most of it is idle connections, which garbage in proportion
// would count a second time.
func gcPercent(active int64) int {
	switch {
	case active < 100:
		return 400
	case active < 1000:
		return 100
	}
	return 20
}

// tuneCollector follows the number of open connections until ctx is done.
func tuneCollector(ctx context.Context, active func() int64) {
	ticker := time.NewTicker(gcInterval)
	defer ticker.Stop()
	percent := gcPercent(0)
	before := debug.SetGCPercent(percent)
	defer debug.SetGCPercent(before)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if want := gcPercent(active()); want != percent {
			debug.SetGCPercent(want)
			percent = want
		}
	}
}
