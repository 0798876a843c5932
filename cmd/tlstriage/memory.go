package main

import (
	"context"
	"runtime/debug"
	"time"
)

// How the collector is set for a proxy that holds few connections, and for one that holds many. With few, its heap is small
// and collecting seldom costs nothing; with many, most of the heap is idle connections, which would be counted twice.
const (
	manyConnections = 500
	gcPercentFew    = 200
	gcPercentMany   = 25
	gcInterval      = 500 * time.Millisecond
)

// tuneCollector follows the number of open connections until ctx is done.
func tuneCollector(ctx context.Context, active func() int64) {
	ticker := time.NewTicker(gcInterval)
	defer ticker.Stop()
	before := debug.SetGCPercent(gcPercentFew)
	defer debug.SetGCPercent(before)
	percent := gcPercentFew
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		want := gcPercentFew
		if active() >= manyConnections {
			want = gcPercentMany
		}
		if want != percent {
			debug.SetGCPercent(want)
			percent = want
		}
	}
}
