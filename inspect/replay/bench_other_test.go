//go:build !unix

package replay

import (
	"testing"
	"time"
)

// processorTime is the clock where the system is not asked for more.
func processorTime(testing.TB) time.Duration { return time.Duration(time.Now().UnixNano()) }
