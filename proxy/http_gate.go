package proxy

import (
	"net/http"
	"net/http/httptrace"
	"sync"
)

// gate lets the first request to a backend that speaks HTTP/2 go ahead until it has its connection. Those that come with it, as browsers
// send them, then share that; without it each of them would open one, because the transport does not know what the first will speak.
type gate struct {
	http.RoundTripper
	first sync.Once
	open  sync.Once
	ready chan struct{}
}

func newGate(to http.RoundTripper) *gate { return &gate{RoundTripper: to, ready: make(chan struct{})} }

// RoundTrip sends a request when the first one has its connection, or has failed.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	first := false
	g.first.Do(func() { first = true })
	if first {
		defer g.pass()
		trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { g.pass() }}
		return g.RoundTripper.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	}
	select {
	case <-g.ready:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return g.RoundTripper.RoundTrip(r)
}

func (g *gate) pass() { g.open.Do(func() { close(g.ready) }) }
