//go:build unix

package replay

import (
	"syscall"
	"testing"
	"time"
)

// processorTime is what the process has had so far: what a benchmark takes of a processor, whoever else wants it.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
