package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tlstriage/tlstriage/inspect"
)

// httpRequest is one request on its way. It is the context of the request, its body and the writer of its answer, too, so that
// whoever holds one of them knows all of it.
type httpRequest struct {
	context.Context // of the request as it came
	http.ResponseWriter

	s       *httpSession
	number  int
	started time.Time
	url     *url.URL    // at the backend
	id      string      // X-Request-Id
	old     bool        // HTTP/1.0: no interim answers
	early   atomic.Bool // sent over the connection that was opened before it came

	writing sync.Mutex // of the answer: what waits too long is sent on from elsewhere

	mu   sync.Mutex // of the writer's deadlines
	over bool       // the writer is not ours any more
	stop func()     // ends the request at the backend; nil: it is not there

	moved   atomic.Int64 // when anything of it did last, in ticks; 0: not yet
	at      atomic.Int32 // where it waits
	reading atomic.Bool  // its body, from the client
	tunnel  atomic.Bool  // the connection is another protocol's
	stalled atomic.Int32 // why it is ended; 0: it is not

	in       *http.Request // as it came; its trailers are there when the body was read
	trailer  http.Header   // to the backend; nil: none may come
	body     io.ReadCloser
	received atomic.Int64
	whole    atomic.Bool           // the body was read to its end
	late     atomic.Bool           // the body did not come in time
	until    atomic.Int64          // when more of it must have come, in ticks; 0: nobody waits for it
	unread   atomic.Pointer[error] // why it could not be read to its end

	status    int // 0: not answered yet
	sent      atomic.Int64
	firstByte time.Time
	answered  *http.Response // of the backend; nil: it gave none
	failure   inspect.HTTPFailureType
	hijacked  bool
	aborted   bool
}

type requestKey struct{}

// Value finds the request itself under its key.
func (q *httpRequest) Value(key any) any {
	if key == (requestKey{}) {
		return q
	}
	return q.Context.Value(key)
}

// requestOf is the request that r, or what was made of it, belongs to.
func requestOf(r *http.Request) *httpRequest { return r.Context().Value(requestKey{}).(*httpRequest) }

// serve answers one request.
func (s *httpSession) serve(w http.ResponseWriter, r *http.Request) {
	q := &httpRequest{Context: r.Context(), ResponseWriter: w, s: s, started: time.Now(), in: r, body: r.Body, old: !r.ProtoAtLeast(1, 1)}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		panic(http.ErrAbortHandler) // the connection ended before this request's turn came
	}
	s.asking = append(s.asking, q)
	s.record.Requests++
	q.number = s.record.Requests
	unreachable := s.record.BackendConnections == 0 && s.broken != nil
	broken := s.broken
	s.mu.Unlock()
	s.front.begin()
	defer q.end(r)
	s.advertise(w)
	host := hostOf(r.Host)
	refused := q.check(r)
	switch {
	case refused != nil:
		q.page(inspect.HTTPFailure{Type: inspect.HTTPBadRequest, Status: http.StatusBadRequest, Message: refused.Error()})
	case r.Method == http.MethodConnect:
		q.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE")
		q.page(inspect.HTTPFailure{Type: inspect.HTTPOther, Status: http.StatusMethodNotAllowed, Message: "CONNECT"})
	case s.c.server.draining.Load():
		q.page(inspect.HTTPFailure{Type: inspect.HTTPDraining, Status: http.StatusServiceUnavailable})
	case host != "" && s.c.listener.routeFor(host) != s.c.route:
		// RFC 9110, Section 15.5.20; a host of another route may be one that clients need a certificate for.
		q.page(inspect.HTTPFailure{Type: inspect.HTTPMisdirected, Status: http.StatusMisdirectedRequest, Host: inspect.Bounded(host)})
	case unreachable:
		q.page(legFailure(broken))
	default:
		in := r.WithContext(q)
		if r.ContentLength != 0 {
			if awaitsContinue(r) {
				in.Header = in.Header.Clone()
				in.Header["Expect"] = []string{"100-continue"}
			}
			// A backend may answer before it has read the whole body, and a client may wait for that answer before it sends more.
			_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 is so by itself
			in.Body = q
		}
		s.proxy.ServeHTTP(q, in)
	}
}

// check looks at a request before anything is done for it.
func (q *httpRequest) check(r *http.Request) error {
	if r.Method == http.MethodConnect {
		return nil // it is refused in any case, and has a target of its own form
	}
	if err := q.s.front.misframed(q.number); err != nil {
		return err
	}
	if err := checkRequest(r); err != nil {
		return err
	}
	target, err := originForm(r)
	if err != nil {
		return err
	}
	b, scheme := q.s.c.route.Backend, "https"
	if b.Plain {
		scheme = "http"
	}
	address := b.Address
	if address == "" {
		address = q.s.c.original
	}
	q.url, err = targetURL(scheme, address, target, r.URL)
	return err
}

// end is called when a request was answered, or will not be.
func (q *httpRequest) end(r *http.Request) {
	s := q.s
	p := recover()
	q.mu.Lock()
	q.over = true
	q.mu.Unlock()
	if p != nil {
		q.aborted = true
		if s.front != nil && s.front.framing != nil {
			s.front.cut.Store(true) // a close_notify would make a whole answer of one whose end only the end of the connection tells
		}
		if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			s.c.server.Log.Error("a request ended in a panic", zap.String("id", s.c.record.Event.ID), zap.String("panic", fmt.Sprint(p)), zap.ByteString("stack", debug.Stack()))
		}
	}
	q.settled()
	if s.c.server.OnRequest != nil {
		s.c.server.asked.add(q.describe(r))
	}
	s.release(q)
	if p != nil {
		panic(http.ErrAbortHandler) // net/http ends the connection, or the stream
	}
}

// WriteHeader notes the status that the client is told. Interim answers are for clients that know them (RFC 9110, Section 15.2).
func (q *httpRequest) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		q.note(status)
	} else if q.old {
		return
	}
	q.ResponseWriter.WriteHeader(status)
}

func (q *httpRequest) note(status int) {
	if q.status != 0 {
		return
	}
	q.status, q.firstByte = status, time.Now()
	q.s.mu.Lock()
	q.s.count(status)
	q.s.mu.Unlock()
}

func (q *httpRequest) Write(b []byte) (int, error) {
	q.writing.Lock()
	defer q.writing.Unlock()
	n, err := q.ResponseWriter.Write(b)
	q.sent.Add(int64(n))
	q.moved.Store(ticks())
	return n, err
}

// FlushError sends on what was written, for http.ResponseController.
func (q *httpRequest) FlushError() error {
	q.writing.Lock()
	defer q.writing.Unlock()
	return http.NewResponseController(q.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (q *httpRequest) Unwrap() http.ResponseWriter { return q.ResponseWriter }

// Hijack gives the connection away to another protocol.
func (q *httpRequest) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(q.ResponseWriter).Hijack()
	if err == nil {
		q.s.front.switched.Store(true)
		early, _ := rw.Reader.Peek(rw.Reader.Buffered())
		conn = &switchedConn{Conn: conn, early: bytes.Clone(early), q: q}
		q.hijacked = true
		q.tunnel.Store(true)
		q.note(http.StatusSwitchingProtocols)
	}
	return conn, rw, err
}

// Read reads the request's body, of which something must come within the time for that. The transport may still do so when the request
// was answered.
func (q *httpRequest) Read(b []byte) (int, error) {
	limit := q.s.c.limits.Timeouts.RequestBody
	q.until.Store(ticks() + int64(limit)) // no later than the deadline
	if !q.deadline(time.Now().Add(limit)) {
		return 0, http.ErrBodyReadAfterClose
	}
	q.reading.Store(true)
	n, err := q.body.Read(b)
	q.moved.Store(ticks()) // before nobody reads any more: what rested until now was the client
	q.reading.Store(false)
	q.received.Add(int64(n))
	if err == nil || err == io.EOF {
		q.until.Store(0)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		q.late.Store(true)
		return n, err
	case err != io.EOF:
		q.unread.Store(&err)
	default:
		q.whole.Store(true)
		q.bodyEnded()
	}
	q.deadline(time.Time{})
	return n, err
}

// isLate reports whether the body did not come in time. net/http ends the request's context before whoever reads the body hears of that.
func (q *httpRequest) isLate() bool {
	until := q.until.Load()
	return q.late.Load() || until != 0 && ticks() >= until
}

// deadline is until when something of the body must come; false: the request was answered, and what answered it must not be touched
// any more.
func (q *httpRequest) deadline(t time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.over {
		_ = http.NewResponseController(q.ResponseWriter).SetReadDeadline(t)
	}
	return !q.over
}

// Close closes the request's body. In HTTP/1 the server does that, once the answer was sent: it reads some of what is left, for which the client
// may want to see the answer first.
func (q *httpRequest) Close() error {
	if q.s.front != nil && q.s.front.framing != nil {
		return nil
	}
	return q.body.Close()
}

// page answers a request here: the status, and the record's id. The diagnosis is the operator's.
func (q *httpRequest) page(f inspect.HTTPFailure) {
	q.fail(f)
	q.s.endsWith(f)
	writePage(q, f.Status, q.s.c.record.Event.ID)
}

// fail notes what became of the request.
func (q *httpRequest) fail(f inspect.HTTPFailure) {
	q.failure = f.Type
	q.s.mu.Lock()
	q.s.note(f)
	q.s.mu.Unlock()
}

// describe is the request for those who want to know of each.
func (q *httpRequest) describe(r *http.Request) *inspect.HTTPRequest {
	c, now := q.s.c, time.Now()
	path, query, _ := strings.Cut(r.RequestURI, "?")
	d := &inspect.HTTPRequest{
		Timestamp:     q.started.UTC(),
		EventID:       c.record.Event.ID,
		Listener:      c.record.Listener,
		Route:         c.record.Route,
		Client:        c.record.Client,
		ServerName:    c.clientState.ServerName,
		Number:        q.number,
		RequestID:     q.id,
		TraceID:       traceID(r.Header["Traceparent"]),
		Protocol:      r.Proto,
		Method:        inspect.Bounded(r.Method),
		Host:          inspect.Bounded(r.Host),
		Path:          inspect.Bounded(path),
		Query:         inspect.Bounded(query),
		UserAgent:     inspect.Bounded(r.UserAgent()),
		Status:        q.status,
		BytesReceived: q.received.Load(),
		BytesSent:     q.sent.Load(),
		DurationMS:    milliseconds(now.Sub(q.started)),
		Failure:       q.failure,
		Aborted:       q.aborted || q.status == 0,
	}
	if !q.firstByte.IsZero() {
		d.FirstByteMS = milliseconds(q.firstByte.Sub(q.started))
	}
	if q.answered != nil {
		d.BackendProtocol, d.BackendStatus = q.answered.Proto, q.answered.StatusCode
	}
	return d
}
