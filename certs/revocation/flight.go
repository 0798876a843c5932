package revocation

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/singleflight"
)

// ErrClosed is a question asked after Close.
var ErrClosed = errors.New("revocation: closed")

// flights does each thing once at a time, for however many ask. What is under way goes on when one asker gives up, and ends with close.
type flights struct {
	group  singleflight.Group
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	under  sync.WaitGroup
}

func newFlights() *flights {
	f := new(flights)
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// do waits for the result of fn or for the end of ctx. fn runs with the context of all flights, which close ends.
func (f *flights) do(ctx context.Context, k key, fn func(context.Context) (any, error)) (any, error) {
	result := f.group.DoChan(string(k[:]), func() (any, error) {
		if !f.enter() {
			return nil, ErrClosed
		}
		defer f.under.Done()
		return fn(f.ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		return r.Val, r.Err
	}
}

func (f *flights) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.under.Add(1)
	return true
}

// close ends what is under way and waits for it.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.under.Wait()
}
