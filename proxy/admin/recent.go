package admin

import (
	"sync"

	"github.com/tlstriage/tlstriage/inspect"
)

// recent keeps the latest connections in a ring.
type recent struct {
	mu   sync.Mutex
	ring []*inspect.Connection
	next int // where the next one goes
}

func newRecent(size int) *recent { return &recent{ring: make([]*inspect.Connection, size)} }

func (r *recent) add(c *inspect.Connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring[r.next] = c
	r.next = (r.next + 1) % len(r.ring)
}

// latest gives at most limit connections that keep wants, newest first.
func (r *recent) latest(limit int, keep func(*inspect.Connection) bool) []*inspect.Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := make([]*inspect.Connection, 0, min(limit, len(r.ring)))
	for i := 1; i <= len(r.ring) && len(found) < limit; i++ {
		c := r.ring[(r.next-i+len(r.ring))%len(r.ring)]
		if c == nil {
			break
		}
		if keep(c) {
			found = append(found, c)
		}
	}
	return found
}
