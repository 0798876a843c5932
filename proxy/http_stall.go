package proxy

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Where a request waits, as far as that is not bounded by a time of its own.
const (
	atBackend = iota // for the backend to take it, or to begin to answer
	atBody           // for more of the answer
	atClient         // for the client to take what there is of it
)

// Why a request was ended although nobody ended its connection.
const (
	stalledBackend = iota + 1
	stalledClient
	outlived // its connection is as old as connections may become
)

// errStalled ends a request at the backend.
var errStalled = fmt.Errorf("nothing moved for the idle time: %w", os.ErrDeadlineExceeded)

// stoppedBy says how a request is ended at the backend; nil: it is not there any more.
func (q *httpRequest) stoppedBy(stop func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stop = stop
}

// stall ends a request, or leaves that to the end of its connection.
func (q *httpRequest) stall(why int32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stalled.CompareAndSwap(0, why) && why == stalledBackend && q.stop != nil {
		q.stop()
	}
}

// quiet is since when nothing moved of a request.
func (q *httpRequest) quiet() time.Duration {
	if moved := q.moved.Load(); moved != 0 {
		return since(moved)
	}
	return time.Since(q.started)
}

// checkIdle ends what rested for the idle time, or looks again later: a connection without a request on which no byte moved, and a request whose
// answer does not come to its end. Whoever waits for an answer to begin, or for a client's body, has a time of its own, and is not idle.
func (s *httpSession) checkIdle() {
	idle := s.c.limits.Timeouts.Idle
	rest := s.c.rest()
	s.mu.Lock()
	asking := slices.Clone(s.asking)
	s.mu.Unlock()
	next, held := idle, false
	var unread []*httpRequest
	for _, q := range asking {
		left := idle - q.quiet()
		switch at := q.at.Load(); {
		case q.tunnel.Load():
			continue
		case s.c.expired.Load():
			q.stall(outlived)
			continue
		case left > 0:
			next = min(next, left)
		case at == atClient:
			unread = append(unread, q)
			continue
		case q.reading.Load() || at == atBackend && (q.in.ContentLength == 0 || q.whole.Load()):
		default:
			q.stall(stalledBackend)
		}
		held = true
	}
	switch {
	case s.c.expired.Load():
	case rest > 0:
		s.c.checkAgain(min(rest, next))
		return
	case held:
		s.c.checkAgain(next)
		return
	}
	for _, q := range unread {
		q.stall(stalledClient)
	}
	s.c.idled.Store(true)
	s.expire()
}

// settled is called when a request is over: one that was ended for nobody's answer has failed.
func (q *httpRequest) settled() {
	if q.failure != "" || !q.aborted {
		return
	}
	f := inspect.HTTPFailure{Status: q.status, Midway: q.status != 0}
	switch q.stalled.Load() {
	case stalledClient:
		f.Type, f.Message = inspect.HTTPUnread, "the client took nothing of the answer for the idle time"
	case outlived:
		f.Type, f.Message = inspect.HTTPOutlived, "the connection is as old as connections may become"
	default:
		return
	}
	q.fail(f)
}

// stoppable lets requests be ended while the connection goes on.
type stoppable struct{ http.RoundTripper }

// RoundTrip sends a request.
func (t stoppable) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	requestOf(r).stoppedBy(func() { cancel(errStalled) })
	answer, err := t.RoundTripper.RoundTrip(r.WithContext(ctx))
	switch {
	case err != nil:
		cancel(nil)
	case answer.StatusCode != http.StatusSwitchingProtocols:
		answer.Body = &cancelledBody{answer.Body, cancel}
	}
	return answer, err
}
