//go:build !linux

package capture

import "context"

// Live reads a network interface until ctx ends. Here it gives ErrLiveUnsupported.
func Live(context.Context, string, Options) (Stats, error) { return Stats{}, ErrLiveUnsupported }
