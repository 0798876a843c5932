//go:build !linux

package spenttest

import (
	"testing"
	"time"
)

func on(_ testing.TB, f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
