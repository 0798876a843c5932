package proxy

import (
	"sync/atomic"

	"github.com/tlstriage/tlstriage/inspect"
)

// The most requests that wait to be given to OnRequest. There may be many more of them than of connections.
const requestQueue = 16 << 10

// requestLog is the way of requests to OnRequest.
type requestLog struct {
	queue   chan *inspect.HTTPRequest
	dropped atomic.Uint64
	emptied chan struct{} // closed when the queue was closed and emptied
}

// start begins to give requests to tell, one at a time.
func (l *requestLog) start(tell func(*inspect.HTTPRequest)) {
	l.queue = make(chan *inspect.HTTPRequest, requestQueue)
	l.emptied = make(chan struct{})
	go func() {
		defer close(l.emptied)
		for r := range l.queue {
			tell(r)
		}
	}()
}

// add hands over a request. It never blocks: a full queue drops the request and counts it.
func (l *requestLog) add(r *inspect.HTTPRequest) {
	select {
	case l.queue <- r:
	default:
		l.dropped.Add(1)
	}
}

// end returns when all that was handed over was told.
func (l *requestLog) end() {
	if l.queue != nil {
		close(l.queue)
		<-l.emptied
	}
}

// RequestsDropped is the number of requests that OnRequest was not told of because the queue was full.
func (s *Server) RequestsDropped() uint64 { return s.asked.dropped.Load() }
