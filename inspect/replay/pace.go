package replay

import (
	"context"
	"sync"
	"time"
)

// pace spaces connections out evenly: no burst makes up for a pause.
type pace struct {
	interval time.Duration // 0: none

	mu   sync.Mutex
	next time.Time
}

func newPace(rate float64) *pace {
	p := &pace{}
	if rate > 0 {
		p.interval = time.Duration(float64(time.Second) / rate)
	}
	return p
}

// wait is until the next connection may be made, or ctx ends.
func (p *pace) wait(ctx context.Context) error {
	if p.interval == 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	ahead := p.next.Sub(now)
	p.next = p.next.Add(p.interval)
	p.mu.Unlock()
	if ahead <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
