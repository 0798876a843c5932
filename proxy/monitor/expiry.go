package monitor

import (
	"math"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// leafEnds is when the leaf that a backend presented ends. Intermediates are not asked: a server may well send one that has
// ended and that no client needs any more.
func leafEnds(c *inspect.Connection) time.Time {
	return c.BackendLeg.TLS.Server.CertificateChain[0].NotAfter
}

// daysLeft counts whole days; less than zero once it has ended.
func daysLeft(end, now time.Time) int {
	return int(math.Floor(end.Sub(now).Hours() / 24))
}

// crossed is the lowest of the thresholds (in days, sorted) that is not further off than the end; Expired; 0: none.
func crossed(thresholds []int, left time.Duration) int {
	if left <= 0 {
		return Expired
	}
	for _, t := range thresholds {
		if left <= time.Duration(t)*day {
			return t
		}
	}
	return 0
}

// nextThreshold is when the next threshold of any address is crossed: a moment later, so that it is crossed by then. Zero: never.
func (m *Monitor) nextThreshold(s State, now time.Time) time.Time {
	var next time.Time
	for i := range s.Addresses {
		end := s.Addresses[i].NotAfter
		if end.IsZero() {
			continue
		}
		for _, t := range append([]int{0}, m.options.Thresholds...) {
			at := end.Add(-time.Duration(t)*day + time.Second)
			if at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}
