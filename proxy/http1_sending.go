package proxy

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// http1Sending is a request with a body on its way, while its answer is read: a backend may answer before it has all of it.
type http1Sending struct {
	wanted chan bool // what the backend says to a request that asked whether it wants the body; nil: it did not ask
	told   bool      // it has said so
	done   chan struct{}
	err    error // known when done is closed
}

func newHTTP1Sending(r *http.Request) *http1Sending {
	s := &http1Sending{done: make(chan struct{})}
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		s.wanted = make(chan bool, 1)
	}
	return s
}

// run writes the request.
func (s *http1Sending) run(x *http1Leg, r *http.Request) {
	defer close(s.done)
	body := &http1Upload{ReadCloser: r.Body, s: s}
	out := *r
	out.Body = body
	if s.err = out.Write(x.out); s.err == nil {
		s.err = x.out.Flush()
	}
	switch unread := body.unread.Load(); {
	case unread == nil:
	case errors.Is(*unread, errBodyUnwanted):
		s.err = *unread
		return
	default:
		s.err = *unread
		x.close() // what was sent of the request must not be taken for all of it
	}
	x.await()
}

// answered says whether the body is wanted.
func (s *http1Sending) answered(wanted bool) {
	if s != nil && s.wanted != nil && !s.told {
		s.told = true
		s.wanted <- wanted
	}
}

// failure is why the request could not be written; nil: it was, or may be yet.
func (s *http1Sending) failure() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// ended reports whether the request was written to its end.
func (s *http1Sending) ended() bool {
	if s == nil {
		return true
	}
	select {
	case <-s.done:
		return s.err == nil
	default:
	}
	rest := time.NewTimer(maxSendingRest)
	defer rest.Stop()
	select {
	case <-s.done:
		return s.err == nil
	case <-rest.C:
		return false
	}
}

// http1Upload is the body of a request, as it is sent when it is wanted.
type http1Upload struct {
	io.ReadCloser
	s      *http1Sending
	asked  bool
	unread atomic.Pointer[error] // why it could not be read to its end
}

func (u *http1Upload) Read(b []byte) (int, error) {
	if !u.asked && u.s.wanted != nil {
		u.asked = true
		if !u.wanted() {
			u.unread.Store(&errBodyUnwanted)
			return 0, errBodyUnwanted
		}
	}
	n, err := u.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		u.unread.Store(&err)
	}
	return n, err
}

// wanted waits for what the backend says to the header.
func (u *http1Upload) wanted() bool {
	patience := time.NewTimer(continueAfter)
	defer patience.Stop()
	select {
	case wanted := <-u.s.wanted:
		return wanted
	case <-patience.C:
		return true
	}
}
