package h3

import (
	"net/http"
	"time"
)

// answer is a response of HTTP/3. That the connection is to end with it, a handler says as in HTTP/1.1; in HTTP/3 no such header may be
// sent (RFC 9114, Section 4.2).
type answer struct {
	http.ResponseWriter
	l *link
}

func (a *answer) WriteHeader(status int) {
	if h := a.Header(); h.Get("Connection") == "close" {
		a.l.socket.dismiss(a.l)
	}
	a.Header().Del("Connection")
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// dismiss lets a connection go once its requests are answered.
func (s *socket) dismiss(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.leaving[l]; !ok {
		s.leaving[l] = time.Time{}
	}
}

// part closes connections that are to go and have had no request for a moment: what was sent last may still be on its way.
func (s *socket) part(now time.Time) {
	s.mu.Lock()
	var parting []*link
	for l, since := range s.leaving {
		if _, open := s.conns[l]; !open {
			delete(s.leaving, l)
		} else if l.q.Requests() > 0 {
			s.leaving[l] = time.Time{}
		} else if since.IsZero() {
			s.leaving[l] = now
		} else if now.Sub(since) >= goingAway {
			delete(s.leaving, l)
			parting = append(parting, l)
		}
	}
	s.mu.Unlock()
	for _, l := range parting {
		l.close(0)
	}
}
