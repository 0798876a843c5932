package main

import (
	"os"
	"runtime/debug"
)

// What the collector may do while captures are read: what is alive is bounded by capture.Limits, so that collecting seldom is
// cheap and stays below the limit, where it collects more often.
const (
	readingPercent = 400
	readingLimit   = 176 << 20
)

// tuneReading sets the collector for reading captures, where the user did not, and gives back how to undo it.
func tuneReading() (undo func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent, limit := debug.SetGCPercent(readingPercent), debug.SetMemoryLimit(readingLimit)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
