package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/tlstriage/tlstriage/inspect"
)

// answered looks at an answer of the backend on its way to the client.
func (s *httpSession) answered(r *http.Response) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(r.StatusCode)
	s.record.BackendProtocol = r.Proto
	s.watchRedirects(r)
	s.watchRefusal(r)
	if len(r.Trailer) > 0 && s.record.Protocol == "HTTP/1.1" { // which has trailers behind chunks only (RFC 9112, Section 7.1.2)
		r.Header.Del("Content-Length")
		r.ContentLength = -1
	}
	if r.StatusCode != http.StatusSwitchingProtocols {
		r.Body = &watchedBody{r.Body, s, r}
	}
	return nil
}

// watchedBody notes a body that ends before its time.
type watchedBody struct {
	io.ReadCloser
	s *httpSession
	r *http.Response
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && b.r.Request.Context().Err() == nil {
		f := inspect.HTTPFailure{Type: b.s.failureType(err), Status: b.r.StatusCode, Message: "in the middle of the body: " + err.Error()}
		b.s.mu.Lock()
		b.s.note(f)
		b.s.mu.Unlock()
	}
	return n, err
}

// How often an answer sends its client back to the very same place before that is called a loop. Once or twice is how sessions begin.
const loopAfter = 3

// watchRedirects notes a backend that redirects to https what came by https, because it does not know how it came.
func (s *httpSession) watchRedirects(r *http.Response) {
	to, err := r.Location()
	if err != nil || r.StatusCode < 300 || r.StatusCode > 399 || to.Scheme != "https" || hostOf(to.Host) != hostOf(r.Request.Host) ||
		to.RequestURI() != r.Request.URL.RequestURI() {
		s.redirect, s.loops = "", 0
		return
	}
	if target := to.String(); target != s.redirect {
		s.redirect, s.loops = target, 0
	}
	if s.loops++; s.loops == loopAfter {
		s.note(inspect.HTTPFailure{Type: inspect.HTTPRedirectLoop, Status: r.StatusCode, Host: inspect.Bounded(hostOf(to.Host)), Message: "redirected to itself " + fmt.Sprint(loopAfter) + " times in a row"})
	}
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
		page, _ := io.ReadAll(io.LimitReader(r.Body, maxRefusal))
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(page), r.Body), r.Body}
		watch.read(append([]byte("HTTP/1.1 400\r\n"), page...))
	}
}

// page is an answer of our own: the status, and the record's id. The diagnosis is the operator's.
func (s *httpSession) page(w http.ResponseWriter, f inspect.HTTPFailure) {
	s.mu.Lock()
	s.count(f.Status)
	s.note(f)
	s.mu.Unlock()
	writePage(w, f.Status, s.c.record.Event.ID)
}

func writePage(w http.ResponseWriter, status int, id string) {
	h := w.Header()
	h.Set(RecordIDHeader, id)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close") // in HTTP/2: GOAWAY
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
	case http.StatusMethodNotAllowed:
		what = "This proxy does not take that method."
	}
	return fmt.Sprintf("%d %s\n\n%s Its operator finds the reason under\n%s\n", status, http.StatusText(status), what, id)
}
