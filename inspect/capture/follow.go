package capture

import (
	"context"
	"errors"
	"io"
	"time"
)

// followInterval is how often a capture that has ended is looked at for more.
const followInterval = 200 * time.Millisecond

// Follow reads a capture that still grows, until ctx ends; its error is nil then. While nothing comes, connections end by the
// clock. A writer that buffers (tcpdump without -U) is seen late, and half a packet is waited for.
func (t *Tracker) Follow(ctx context.Context, r io.Reader, name string) error {
	err := t.Read(ctx, &growing{ctx: ctx, r: r, t: t}, name)
	if ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())) {
		return nil
	}
	return err
}

// growing reads on behind the end.
type growing struct {
	ctx     context.Context
	r       io.Reader
	t       *Tracker
	atClock time.Time // when the last bytes came
	atTime  int64     // the capture's time by then
}

func (g *growing) Read(b []byte) (int, error) {
	for {
		n, err := g.r.Read(b)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			g.atClock, g.atTime = time.Now(), 0
			return n, err
		}
		if g.atTime == 0 {
			g.atTime = g.t.now
		}
		timer := time.NewTimer(followInterval)
		select {
		case <-g.ctx.Done():
			timer.Stop()
			return 0, g.ctx.Err()
		case <-timer.C:
		}
		if g.atTime != 0 && !g.atClock.IsZero() {
			// The capture's clock may be another one: it goes on as far as ours does.
			g.t.tick(time.Unix(0, g.atTime).Add(time.Since(g.atClock)))
		}
	}
}
