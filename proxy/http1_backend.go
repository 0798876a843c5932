package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// http1Legs sends a session's requests to a backend in HTTP/1.1, each over a leg that is its own until it was answered. Who asks writes the
// request and reads the answer: a client of HTTP/1 asks one thing at a time, and every goroutine between it and its backend costs more than
// the request does. A leg without a request has neither goroutines nor buffers.
type http1Legs struct {
	s     *httpSession
	slots chan struct{} // one for each leg with a request; whoever comes when all are taken waits

	mu     sync.Mutex
	idle   []*http1Leg // the last one is that which was used last
	closed bool
}

// http1Leg is a leg of HTTP/1.1.
type http1Leg struct {
	*backendLeg
	legs   *http1Legs
	conn   io.ReadWriteCloser
	ready  *readiness
	used   bool          // it has answered a request
	rested time.Time     // since then
	keeps  time.Duration // how long the backend says that it keeps a connection without a request; 0: it does not say

	// Of the request that it is used for:
	in      *bufio.Reader
	out     *bufio.Writer
	left    int  // bytes that may come of a header; -1: what comes is none
	limited bool // a deadline is set for what comes
	over    bool // the backend has ended it
	sending *http1Sending
	written atomic.Bool // anything was
	forget  func() bool // the end of the request's context
	asks    *httpRequest

	timing  sync.Mutex
	begun   bool // the answer has: there is no time for it any more
	closing sync.Once
}

// How long a backend that is to say whether it wants the body may take; then it gets it.
const continueAfter = time.Second

// How long the end of a request may take to be written when its answer has ended. A leg on which it takes longer is not used again.
const maxSendingRest = 50 * time.Millisecond

// Buffers of legs with a request.
var (
	legReaders = sync.Pool{New: func() any { return bufio.NewReader(nil) }}
	legWriters = sync.Pool{New: func() any { return bufio.NewWriter(nil) }}
)

var (
	errBodyUnwanted = errors.New("the backend answered without the body that it was asked about")
	errNoAnswer     = fmt.Errorf("the backend did not begin to answer in time: %w", os.ErrDeadlineExceeded)
	errLargeHeader  = fmt.Errorf("response headers exceeded %d bytes", maxResponseHeader)
)

func newHTTP1Legs(s *httpSession) *http1Legs {
	return &http1Legs{s: s, slots: make(chan struct{}, maxLegs)}
}

// RoundTrip sends a request. One that found its leg closed by the backend goes over another, where nothing is lost by that: it may be sent
// twice, or was not sent at all (RFC 9110, Section 9.2.2).
func (h *http1Legs) RoundTrip(r *http.Request) (*http.Response, error) {
	var kept *keptBody
	for {
		x, err := h.take(r.Context())
		if err != nil {
			if r.Body != nil {
				r.Body.Close()
			}
			return nil, err
		}
		rested, out := x.used, r
		if r.Body != nil {
			rested = requestOf(r).early.Swap(false) || rested
			if rested && kept == nil {
				kept = &keptBody{from: r.Body}
			}
			if kept != nil {
				attempt := *r
				attempt.Body, out = &bodyView{kept: kept}, &attempt
			}
		}
		answer, err := x.exchange(out)
		if err == nil {
			return answer, nil
		}
		x.done(false)
		var unanswered *http1Unanswered
		if !errors.As(err, &unanswered) {
			return nil, err
		}
		ended := transportErrorType(unanswered.error) != inspect.ErrorTimeout && requestOf(r).stalled.Load() == 0
		if !rested || !ended || r.Context().Err() != nil || x.written.Load() && !repeatable(r) {
			return nil, unanswered.error
		}
	}
}

// http1Unanswered is why a request got no byte of an answer.
type http1Unanswered struct{ error }

// take is a leg that has no request, or another.
func (h *http1Legs) take(ctx context.Context) (*http1Leg, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for {
		x := h.idling()
		if x == nil {
			break
		}
		if time.Since(x.rested) < x.rest() && x.vacant() {
			x.used = true
			return x, nil
		}
		x.close()
	}
	leg, err := h.s.leg(ctx)
	if err != nil {
		<-h.slots
		return nil, err
	}
	x := &http1Leg{backendLeg: leg, legs: h, conn: leg.tap, ready: newReadiness(leg.tap.Conn)}
	if leg.tls != nil {
		x.conn = leg.tls
	}
	return x, nil
}

// rest is how long a leg without a request is kept: for a bit less than the backend says, so that no request comes as the backend closes it.
func (x *http1Leg) rest() time.Duration {
	idle := x.legs.s.c.limits.Timeouts.Idle
	if x.keeps > 0 {
		return min(idle, x.keeps-min(x.keeps/4, time.Second))
	}
	return idle
}

// idling takes the leg that was used last.
func (h *http1Legs) idling() *http1Leg {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.idle) - 1
	if n < 0 {
		return nil
	}
	x := h.idle[n]
	h.idle[n] = nil
	h.idle = h.idle[:n]
	return x
}

// drop closes the legs that the backend has ended.
func (h *http1Legs) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.idle = slices.DeleteFunc(h.idle, func(x *http1Leg) bool {
		ended := !x.vacant()
		if ended {
			x.close()
		}
		return ended
	})
}

// end closes the legs without a request, and from now on those that had one.
func (h *http1Legs) end() {
	h.mu.Lock()
	idle := h.idle
	h.idle, h.closed = nil, true
	h.mu.Unlock()
	for _, x := range idle {
		x.close()
	}
}

// vacant reports whether a leg without a request can take one: the backend has neither ended it nor said what nobody asked for, which
// would be taken for the answer.
func (x *http1Leg) vacant() bool {
	readable := x.ready.now()
	if x.tls == nil {
		return !readable
	}
	if !readable && x.tap.have > 0 {
		return false // something has begun to come
	}
	if readable {
		x.tap.SetReadDeadline(time.Now().Add(maxSendingRest))
		defer x.tap.SetReadDeadline(time.Time{})
	}
	var b [1]byte
	x.tap.yields, x.tap.ready = true, readable
	n, err := x.tls.Read(b[:])
	x.tap.yields, x.tap.ready = false, false
	return n == 0 && errors.Is(err, errDrained) // tickets are for TLS alone
}

// done ends the use of a leg for a request. It is kept for the next one, or closed.
func (x *http1Leg) done(keep bool) {
	h := x.legs
	if x.forget != nil && !x.forget() {
		keep = false // it is being closed
	}
	x.forget = nil
	x.asks.stoppedBy(nil)
	if keep {
		x.in.Reset(nil) // which keeps the buffer
		x.out.Reset(nil)
		legReaders.Put(x.in)
		legWriters.Put(x.out)
		x.in, x.out, x.sending = nil, nil, nil
		x.rested = time.Now()
		h.mu.Lock()
		if keep = !h.closed; keep {
			h.idle = append(h.idle, x)
		}
		h.mu.Unlock()
	}
	if !keep {
		x.close()
	}
	<-h.slots
}

func (x *http1Leg) close() {
	x.closing.Do(func() {
		x.tap.closing() // before close_notify makes the backend close
		x.conn.Close()
	})
}

// Read reads what comes from the backend: so much of a header, and as long as it takes of everything else.
func (x *http1Leg) Read(b []byte) (int, error) {
	if x.left == 0 {
		return 0, errLargeHeader
	}
	if x.left > 0 {
		b = b[:min(len(b), x.left)]
	} else if x.limited {
		x.tap.SetReadDeadline(time.Time{})
		x.limited = false
	}
	n, err := x.conn.Read(b)
	if x.left > 0 {
		x.left -= n
	}
	x.over = x.over || errors.Is(err, io.EOF)
	return n, err
}

// Write writes to the backend.
func (x *http1Leg) Write(b []byte) (int, error) {
	first := !x.written.Swap(true)
	n, err := x.conn.Write(b)
	if first && n == 0 && err != nil {
		x.written.Store(false)
	}
	return n, err
}

// exchange sends a request and reads the answer up to its body. With that the leg may be another's already.
func (x *http1Leg) exchange(r *http.Request) (*http.Response, error) {
	x.in, x.out = legReaders.Get().(*bufio.Reader), legWriters.Get().(*bufio.Writer)
	x.in.Reset(x)
	x.out.Reset(x)
	x.left, x.begun = maxResponseHeader, false
	x.written.Store(false)
	x.forget = context.AfterFunc(r.Context(), x.close)
	x.asks = requestOf(r)
	x.asks.stoppedBy(x.close)
	var unsent error
	if r.Body == nil {
		unsent = x.send(r)
	} else {
		if x.limited { // the time for the last answer, all of which came with its header
			x.tap.SetReadDeadline(time.Time{})
			x.limited = false
		}
		x.sending = newHTTP1Sending(r)
		go x.sending.run(x, r)
	}
	answer, err := x.receive(r)
	if err == nil {
		return answer, nil
	}
	if x.sending != nil {
		x.sending.answered(false)
		unsent = x.sending.failure()
	}
	if r.Context().Err() != nil {
		return nil, context.Cause(r.Context())
	}
	var unanswered *http1Unanswered
	if errors.As(err, &unanswered) && unsent != nil {
		if _, ok := remoteAlert(unanswered.error); !ok { // which would be why
			return nil, &http1Unanswered{unsent}
		}
	}
	return nil, err
}

// send writes a request without a body, whose answer may take so long from then on.
func (x *http1Leg) send(r *http.Request) error {
	err := r.Write(x.out)
	if err == nil {
		err = x.out.Flush()
	}
	x.await()
	return err
}

// await sets the time for the answer to begin, unless it has.
func (x *http1Leg) await() {
	x.timing.Lock()
	defer x.timing.Unlock()
	if limit := x.legs.s.c.limits.Timeouts.Response; limit > 0 && !x.begun {
		x.tap.SetReadDeadline(time.Now().Add(limit))
	}
}

// receive reads an answer up to its body, and passes on those that come before it.
func (x *http1Leg) receive(r *http.Request) (*http.Response, error) {
	if _, err := x.in.Peek(1); err != nil {
		return nil, &http1Unanswered{x.late(err)}
	}
	if speaksHTTP2(x.in) {
		return nil, errSpeaksHTTP2
	}
	for {
		answer, err := http.ReadResponse(x.in, r)
		if err != nil {
			return nil, x.cut(x.late(err))
		}
		if answer.StatusCode == http.StatusSwitchingProtocols || answer.StatusCode >= 200 {
			x.timing.Lock()
			x.begun = true
			x.timing.Unlock()
			x.left, x.limited = -1, true
			x.sending.answered(!answer.Close)
			x.keeps = keepAlive(answer.Header)
			return x.last(r, answer), nil
		}
		if answer.StatusCode == http.StatusContinue {
			x.sending.answered(true)
		}
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(answer.StatusCode, textproto.MIMEHeader(answer.Header)); err != nil {
				return nil, err
			}
		}
		x.left = maxResponseHeader
	}
}

// late tells of the time for the answer where that is why it could not be read.
func (x *http1Leg) late(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errNoAnswer
	}
	return err
}

// cut tells of the end where that is why a header could not be read: a line that was cut is read as if it were whole.
func (x *http1Leg) cut(err error) error {
	if x.over && transportErrorType(err) == inspect.ErrorOther {
		return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return err
}

// last gives the final answer its body, with whose end the leg is free.
func (x *http1Leg) last(r *http.Request, answer *http.Response) *http.Response {
	body := &http1Body{ReadCloser: answer.Body, x: x, keep: !answer.Close && answer.StatusCode >= 200}
	switch {
	case answer.StatusCode == http.StatusSwitchingProtocols && switches(answer.Header):
		answer.Body = &http1Switched{x: x}
	case answer.Body == http.NoBody || answer.ContentLength == 0 || r.Method == http.MethodHead:
		body.end()
	default:
		answer.Body = body
	}
	return answer
}

// keepAlive is how long a backend says that it keeps a connection without a request, as many do in the header that HTTP/1.0 had for it; 0: it does not.
func keepAlive(header http.Header) time.Duration {
	values, ok := header["Keep-Alive"]
	if !ok {
		return 0
	}
	for parameter := range strings.SplitSeq(values[0], ",") {
		if name, value, _ := strings.Cut(strings.TrimSpace(parameter), "="); strings.EqualFold(name, "timeout") {
			seconds, _ := strconv.ParseUint(value, 10, 16)
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// switches reports whether a header says that another protocol is spoken behind it.
func switches(header http.Header) bool {
	for _, options := range header["Connection"] {
		for option := range strings.SplitSeq(options, ",") {
			if strings.EqualFold(strings.TrimSpace(option), "Upgrade") {
				return header["Upgrade"] != nil
			}
		}
	}
	return false
}
