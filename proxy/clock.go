package proxy

import "time"

// started is where ticks count from. Nobody changes it.
var started = time.Now()

// ticks is a time that only ever goes forward: idle times must not be cut short, nor drawn out, when somebody sets the system's
// clock.
func ticks() int64 { return int64(time.Since(started)) }

// since is the time that went by since then, which was a time of ticks.
func since(then int64) time.Duration { return time.Duration(ticks() - then) }
