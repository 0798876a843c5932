//go:build unix

package proxy

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/inspect"
)

// A thousand reloads, each with other routes, and every other one with a listener more, lose no connection: neither one that is open
// over all of them nor one that comes in between.
func TestAThousandReloadsLoseNothing(t *testing.T) {
	pki := certstest.New(t)
	backends := []*Backend{tlsBackend(t, pki, echo), tlsBackend(t, pki, echo)}
	certificate := serves(pki.Make(certstest.Healthy, testName))
	address := freePort(t)
	listeners := func(i int) []*Listener {
		of := func(address string) *Listener {
			return &Listener{Address: address, Routes: []*Route{{Backend: &Backend{Address: backends[i%2].Address}, GetCertificate: certificate}}}
		}
		if i%2 == 1 {
			return []*Listener{of(address), of("127.0.0.2:0")}
		}
		return []*Listener{of(address)}
	}
	limits := shortLimits()
	limits.Timeouts.Idle = time.Hour // one connection stays without a word, however long it takes
	r := newRig(t, pki, limits, listeners(0)...)
	stay := r.tls()
	var ended, asked, broken atomic.Int64
	go func() {
		for c := range r.records {
			if c.Event.Outcome != inspect.Success {
				broken.Add(1)
			}
			ended.Add(1)
		}
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.server.Shutdown(ctx)
		close(r.records)
	})
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 3 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := r.try()
				if err != nil {
					t.Error("a connection was lost:", err)
					return
				}
				c.SetDeadline(time.Now().Add(patience))
				io.WriteString(c, "a line")
				if _, err := io.ReadFull(c, make([]byte, 6)); err != nil {
					t.Error("a request was lost:", err)
					return
				}
				c.Close()
				asked.Add(1)
			}
		})
	}
	for i := range 1000 {
		if err := r.server.Reload(listeners(i)); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 { // reloading is faster than connecting
			before := asked.Load()
			await(t, "connections come in between", func() bool { return asked.Load() > before || t.Failed() })
		}
	}
	close(stop)
	load.Wait()
	stay.SetDeadline(time.Now().Add(patience))
	exchange(t, stay, "open over all of them")
	stay.Close()
	await(t, "all records came", func() bool { return ended.Load()+int64(r.server.Dropped()) == asked.Load()+1 })
	if asked.Load() == 0 || broken.Load() > 0 {
		t.Errorf("%d requests, %d connections failed", asked.Load(), broken.Load())
	}
	t.Logf("%d connections over 1,000 reloads", asked.Load())
}
