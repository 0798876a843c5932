package proxy

import "net/http"

// endingLeg is the leg whose end is that of an answer's body, which has neither a length nor chunks; nil: it tells its end itself, or there is
// nothing but a FIN to tell of the end. To crypto/tls an end without close_notify is like any other: the leg is made to tell it.
func (s *httpSession) endingLeg(r *http.Response) *backendLeg {
	if r.ProtoMajor != 1 || r.ContentLength >= 0 || len(r.TransferEncoding) > 0 || r.Body == http.NoBody || s.c.route.Backend.Plain {
		return nil
	}
	if body, ok := r.Body.(*http1Body); ok {
		leg := body.x.backendLeg
		leg.tap.openEnded.Store(true)
		return leg
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, leg := range s.legs {
		leg.tap.openEnded.Store(true)
	}
	return s.c.backend
}

// announceEnd says to a client of HTTP/1 that the connection ends with the answer: where the answer has no end of its own, so that the client
// sees the end that the backend made, and where the request was not read to its end.
func (q *httpRequest) announceEnd(unended bool) {
	if q.s.front == nil || q.s.front.framing == nil {
		return
	}
	if unended {
		q.Header()["Transfer-Encoding"] = []string{"identity"} // for net/http: no chunks
	}
	if q.in.ContentLength > q.received.Load() || q.in.ContentLength < 0 && !q.whole.Load() {
		q.Header()["Connection"] = []string{"close"}
	}
}

// inDoubt is called at the end of an answer that only the end of the connection to the backend ends, which came without close_notify: it may be
// whole, and mostly is, or cut. The client gets it as it came, as from the backend itself: in HTTP/1 without close_notify, too. In HTTP/2 and HTTP/3 there is no
// such end: it is passed on as whole.
func (q *httpRequest) inDoubt(leg *backendLeg) {
	s := q.s
	s.mu.Lock()
	if s.doubtful == nil {
		s.doubtful = leg
	}
	s.mu.Unlock()
	if s.front != nil && s.front.framing != nil {
		s.c.ends(endOfBackend)
		s.front.cut.Store(true)
	}
}
