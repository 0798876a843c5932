package proxy

import (
	"sync"
	"time"
)

// answerTime ends a request whose answer does not begin within a time of when the client had sent all of it: until then there is a time for the
// client. The function that it returns is called when there is an answer, and reports whether that was in time.
func answerTime(limit time.Duration, sent func() (at int64, all bool), end func()) (inTime func() bool) {
	begun := ticks()
	var mu sync.Mutex
	var timer *time.Timer
	answered, ended := false, false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(limit, func() {
		mu.Lock()
		defer mu.Unlock()
		at, all := sent()
		switch rest := limit - since(max(at, begun)); {
		case answered:
		case !all:
			timer.Reset(limit)
		case rest > 0:
			timer.Reset(rest)
		default:
			ended = true
			end()
		}
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		answered = true
		timer.Stop()
		return !ended
	}
}

// whenSent is when the last of the request came, in ticks, and whether that was all of it.
func (q *httpRequest) whenSent() (at int64, all bool) {
	length := q.in.ContentLength
	return q.moved.Load(), length == 0 || length > 0 && q.received.Load() >= length || q.whole.Load()
}
