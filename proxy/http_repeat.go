package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The most of a request's body that is kept so that it can be sent again.
const maxRepeated = 64 << 10

var errNotRepeatable = errors.New("the backend ended the connection before it took the request, of whose body more was sent than is kept")

// repeats sends requests to a backend in HTTP/2 in a way that they can be sent again when it says that it did not process them: with a GOAWAY or
// REFUSED_STREAM (RFC 9113, Section 8.7). How often that may be and how long it may take is bounded by the time for an answer.
type repeats struct {
	http.RoundTripper
	limit time.Duration
}

// RoundTrip sends a request.
func (p repeats) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	requestOf(r).stoppedBy(func() { cancel(errStalled) })
	kept := &keptBody{from: r.Body}
	out := r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = &bodyView{kept: kept}
		out.GetBody = kept.again
	}
	inTime := answerTime(p.limit, requestOf(r).whenSent, func() { cancel(os.ErrDeadlineExceeded) })
	answer, err := p.RoundTripper.RoundTrip(out)
	if !inTime() {
		if err == nil {
			answer.Body.Close()
		}
		return nil, os.ErrDeadlineExceeded
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	answer.Body = &cancelledBody{answer.Body, cancel}
	return answer, nil
}

// keptBody keeps the beginning of a body for those who read it again.
type keptBody struct {
	from io.Reader

	mu    sync.Mutex
	kept  []byte
	total int
	err   error
}

// again is a http.Request's GetBody.
func (k *keptBody) again() (io.ReadCloser, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.total > len(k.kept) {
		return nil, errNotRepeatable
	}
	return &bodyView{kept: k}, nil
}

// bodyView is a body as one attempt to send it reads it. Closing it leaves the body to others; the server closes that.
type bodyView struct {
	kept   *keptBody
	at     int
	closed atomic.Bool
}

func (v *bodyView) Read(b []byte) (int, error) {
	k := v.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case v.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case v.at < k.total && k.total > len(k.kept):
		return 0, errNotRepeatable
	case v.at < k.total:
		n := copy(b, k.kept[v.at:])
		v.at += n
		return n, nil
	case k.err != nil:
		return 0, k.err
	}
	n, err := k.from.Read(b)
	if k.total == len(k.kept) && k.total+n <= maxRepeated {
		k.kept = append(k.kept, b[:n]...)
	} else {
		k.kept = nil
	}
	k.total += n
	v.at += n
	k.err = err
	return n, err
}

// Close ends one attempt.
func (v *bodyView) Close() error {
	v.closed.Store(true)
	return nil
}
