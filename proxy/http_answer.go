package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

// advertise tells a client over TCP of the way over QUIC, where there is one.
func (s *httpSession) advertise(w http.ResponseWriter) {
	if s.c.quic != nil || s.c.listener.AltSvc == nil {
		return
	}
	if value := s.c.listener.AltSvc(); value != "" {
		w.Header().Set("Alt-Svc", value)
		s.mu.Lock()
		s.record.AltSvc = &inspect.AltSvc{Sent: true}
		s.mu.Unlock()
	}
}

// answered looks at an answer of the backend on its way to the client.
func (s *httpSession) answered(r *http.Response) error {
	q := requestOf(r.Request)
	if q.late.Load() || q.unread.Load() != nil {
		return errHalfAsked
	}
	q.answered = r
	q.moved.Store(ticks())
	if r.StatusCode == http.StatusSwitchingProtocols && r.Request.Header["Upgrade"] == nil {
		return errUnaskedSwitch
	}
	if r.StatusCode >= http.StatusBadGateway && r.StatusCode <= http.StatusGatewayTimeout {
		q.fail(unavailable(r))
	}
	s.watchRedirects(q, r)
	s.watchRefusal(r)
	if s.c.record.BackendLeg != nil && s.c.record.BackendLeg.Plain && r.StatusCode == http.StatusBadRequest {
		if says := wantsTLS(r); says != "" {
			q.fail(inspect.HTTPFailure{Type: inspect.HTTPSpeaksTLS, Status: r.StatusCode, Message: says})
		}
	}
	s.mu.Lock()
	s.record.BackendProtocol = r.Proto
	s.mu.Unlock()
	r.Header.Del("Alt-Svc")                                    // it tells of the backend's own port, past this program
	if len(r.Trailer) > 0 && s.record.Protocol == "HTTP/1.1" { // which has trailers behind chunks only (RFC 9112, Section 7.1.2)
		r.Header.Del("Content-Length")
		r.ContentLength = -1
	}
	if r.StatusCode != http.StatusSwitchingProtocols {
		endsWith := s.endingLeg(r)
		r.Body = &watchedBody{ReadCloser: r.Body, q: q, endsWith: endsWith}
		q.handOver(r)
		q.announceEnd(endsWith != nil)
	}
	return nil
}

// handOver moves the header of an answer to the client's, rather than have each of its values copied.
func (q *httpRequest) handOver(r *http.Response) {
	if kind := r.Header["Content-Type"]; len(kind) > 0 && strings.HasPrefix(strings.ToLower(kind[0]), "text/event-stream") {
		r.ContentLength = -1 // each piece is passed on as it comes, whatever its length may be
	}
	to := q.Header()
	for name, values := range r.Header {
		if earlier, ok := to[name]; ok {
			values = append(earlier[:len(earlier):len(earlier)], values...)
		}
		to[name] = values
	}
	if _, ok := to["Content-Type"]; !ok {
		to["Content-Type"] = nil // or net/http would guess one
	}
	r.Header = nil
}

// unavailable is an answer by which a backend says that it, or what is behind it, cannot do its work.
func unavailable(r *http.Response) inspect.HTTPFailure {
	f := inspect.HTTPFailure{Type: inspect.HTTPUnavailable, Status: r.StatusCode, Message: "the backend's own answer"}
	if name := r.Header.Get("Server"); name != "" {
		f.Message += ", by " + inspect.Bounded(name)
	}
	if after := r.Header.Get("Retry-After"); after != "" {
		f.Message += ", Retry-After " + inspect.Bounded(after)
	}
	return f
}

// errHalfAsked is for an answer to what the backend took for a whole request when its connection was closed.
var errHalfAsked = errors.New("the request did not come to its end")

var errUnaskedSwitch = errors.New("the backend switches protocols although nobody asked for that")

// watchedBody notes a body that ends before its time.
type watchedBody struct {
	io.ReadCloser
	q        *httpRequest
	endsWith *backendLeg // whose end is that of the body; nil: it has an end of its own
	err      error       // told when what came before it was sent on
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := 0, b.err
	if err == nil {
		b.q.at.Store(atBody)
		n, err = b.ReadCloser.Read(p)
		b.q.at.Store(atClient)
		b.q.moved.Store(ticks())
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	if n > 0 {
		b.err = err
		return n, nil
	}
	_ = b.q.FlushError() // what was there the client gets to see, at least the header
	if b.endsWith != nil && errors.Is(err, errCutOff) {
		b.q.inDoubt(b.endsWith)
		return 0, io.EOF
	}
	if b.q.Err() == nil {
		b.q.s.endsWith(inspect.HTTPFailure{})
		f := inspect.HTTPFailure{Type: inspect.HTTPTimeout, Status: b.q.answered.StatusCode, Midway: true, Message: "nothing came of the body for the idle time"}
		if b.q.stalled.Load() != stalledBackend {
			f.Type, f.Message = b.q.s.failureType(err), "in the middle of the body: "+err.Error()
		}
		b.q.fail(f)
	}
	return 0, err
}

// turn is an answer that sent the client back to where it came from.
type turn struct {
	to    string
	times int
}

// How often an answer sends its client back to the very same place before that is called a loop. Once or twice is how sessions begin.
const loopAfter = 3

// watchRedirects notes a backend that redirects to https what came by https, because it does not know how it came, or to http, whence
// clients are sent back here. Other requests may come in between.
func (s *httpSession) watchRedirects(q *httpRequest, r *http.Response) {
	target := r.Request.URL.RequestURI()
	location := r.Header.Get("Location")
	back := ""
	if r.StatusCode >= 300 && r.StatusCode <= 399 && location != "" {
		to, err := url.Parse(location)
		if err == nil && (to.Scheme == "https" || to.Scheme == "http") && strings.EqualFold(hostOf(to.Host), hostOf(r.Request.Host)) && to.RequestURI() == target {
			back = inspect.Bounded(location)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if back == "" {
		if s.turns[0].to != "" { // any at all
			for i := range s.turns {
				if strings.HasSuffix(s.turns[i].to, target) {
					s.turns[i] = turn{}
				}
			}
		}
		return
	}
	i := slices.IndexFunc(s.turns[:], func(t turn) bool { return t.to == back })
	if i < 0 {
		i = len(s.turns) - 1
		s.turns[i] = turn{to: back}
	}
	t := s.turns[i]
	copy(s.turns[1:i+1], s.turns[:i]) // the latest goes first
	t.times++
	s.turns[0] = t
	if t.times == loopAfter {
		q.failure = inspect.HTTPRedirectLoop
		s.note(inspect.HTTPFailure{Type: inspect.HTTPRedirectLoop, Status: r.StatusCode, Host: inspect.Bounded(hostOf(r.Request.Host)),
			Message: fmt.Sprintf("redirected %d times to where it was asked for: %s", loopAfter, withoutQuery(back))})
	}
}

func withoutQuery(s string) string {
	s, _, _ = strings.Cut(s, "?")
	return s
}

// watchRefusal notes an answer by which a backend refuses our client certificate, or that there was none.
func (s *httpSession) watchRefusal(r *http.Response) {
	leg := s.c.record.BackendLeg
	if leg == nil || leg.TLS == nil || leg.TLS.Server == nil || leg.TLS.Server.CertificateRequest == nil {
		return
	}
	watch := refusalWatch{request: leg.TLS.Server.CertificateRequest}
	switch {
	case r.StatusCode == 495 || r.StatusCode == 496:
		watch.read(fmt.Appendf(nil, "HTTP/1.1 %d", r.StatusCode))
	case r.StatusCode == http.StatusBadRequest && r.ContentLength > 0 && r.ContentLength <= maxRefusal:
		watch.read(append([]byte("HTTP/1.1 400\r\n"), page(r)...))
	}
}

// page is the beginning of an answer's body, which is passed on all the same.
func page(r *http.Response) []byte {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxRefusal))
	var rest io.Reader = r.Body
	if err != nil {
		rest = failing{err}
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b), rest), r.Body}
	return b
}

// failing is the end of a body that was cut.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// writePage is an answer of our own: the status, and the record's id. Where the backend failed the connection ends with it, so that its record
// is soon there to be found under that id.
func writePage(w http.ResponseWriter, status int, id string) {
	h := w.Header()
	h.Set(RecordIDHeader, id)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	if status != http.StatusMisdirectedRequest && status != http.StatusMethodNotAllowed {
		h.Set("Connection", "close") // in HTTP/2: GOAWAY
	}
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, pageText(status, id))
}

// pageText is what a client reads of a failure.
func pageText(status int, id string) string {
	what := "The backend of this proxy could not be reached, or did not answer as it should."
	switch status {
	case http.StatusGatewayTimeout:
		what = "The backend of this proxy did not answer in time."
	case http.StatusServiceUnavailable:
		what = "This proxy is about to end. Try again."
	case http.StatusMisdirectedRequest:
		what = "The host that was asked for is not served on this connection."
	case http.StatusBadRequest:
		what = "The request is not one that may be passed on."
	case http.StatusRequestTimeout:
		what = "The body of the request did not come in time."
	case http.StatusMethodNotAllowed:
		what = "This proxy does not take that method."
	}
	return fmt.Sprintf("%d %s\n\n%s Its operator finds the reason under\n%s\n", status, http.StatusText(status), what, id)
}
