//go:build !linux

package chain_test

import (
	"testing"
	"time"
)

// spent is the time that f takes.
func spent(_ *testing.T, f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
