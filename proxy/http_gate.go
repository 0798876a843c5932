package proxy

import (
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/tlstriage/tlstriage/inspect"
)

// gate lets the first request to a backend that speaks HTTP/2 go ahead until it has its connection. Those that come with it, as browsers
// send them, then share that; without it each of them would open one, because the transport does not know what the first will speak.
type gate struct {
	http.RoundTripper
	first  atomic.Bool // has come
	passed atomic.Bool
	ready  chan struct{} // closed when it has passed
}

func newGate(to http.RoundTripper) *gate { return &gate{RoundTripper: to, ready: make(chan struct{})} }

// RoundTrip sends a request when the first one has its connection, or has failed.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if !g.passed.Load() {
		if !g.first.Swap(true) {
			return g.goAhead(r)
		}
		select {
		case <-g.ready:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return g.RoundTripper.RoundTrip(r)
}

// goAhead sends the first request.
func (g *gate) goAhead(r *http.Request) (*http.Response, error) {
	defer g.pass()
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { g.pass() }}
	return g.RoundTripper.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
}

func (g *gate) pass() {
	if !g.passed.Swap(true) {
		close(g.ready)
	}
}

// again sends a request once more whose connection was opened before it came and closed by the backend as it came: that is what becomes of
// every kept connection some time, and nothing to trouble the client with (RFC 9112, Section 9.3.1). Only what may be asked twice, and of
// whose body nothing was read.
type again struct{ http.RoundTripper }

// RoundTrip sends a request.
func (a again) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.RoundTripper.RoundTrip(r)
	if err == nil || r.Body != nil || !idempotent(r.Method) || r.Context().Err() != nil {
		return response, err
	}
	q := requestOf(r)
	if !q.early.CompareAndSwap(true, false) {
		return nil, err
	}
	if t := q.s.failureOf(err); t != inspect.HTTPClosed && t != inspect.HTTPReset {
		return nil, err
	}
	return a.RoundTripper.RoundTrip(r)
}

// idempotent reports whether a method may be sent twice (RFC 9110, Section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
