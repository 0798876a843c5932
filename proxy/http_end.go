package proxy

import (
	"errors"
	"os"

	"github.com/tlstriage/tlstriage/inspect"
)

// clientEnded notes how reading from the client ended: by its own doing, or because crypto/tls would not go on.
func (s *httpSession) clientEnded(err error) {
	how := howEnded(err, true, s.c.client.ended)
	e, alerts := transferError(err, inspect.FromClient)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.c.clientEnd != "" {
		return
	}
	s.c.clientEnd = how
	if how != "" {
		s.c.ends(endOfClient)
	}
	if refusedInside(e) && s.c.clientErr == nil {
		s.c.clientErr, s.c.clientAlerts = e, append(s.c.clientAlerts, alerts...)
	}
	idle := s.c.limits.Timeouts.Idle
	if errors.Is(err, os.ErrDeadlineExceeded) && since(s.c.lastActive.Load()) > idle-idle/8 { // net/http has other uses for deadlines, too
		s.c.ends(endOfIdleness)
	}
}

// endsWith notes who ends the connection with the answer to a request.
func (s *httpSession) endsWith(f inspect.HTTPFailure) {
	switch f.Type {
	case inspect.HTTPDraining:
		s.c.ends(endOfShutdown)
	case inspect.HTTPBadRequest, inspect.HTTPSlowRequest:
		s.c.ends(endByProxy)
	case inspect.HTTPMisdirected:
	default:
		if f.Status == 0 || f.Status >= 500 {
			s.c.ends(endOfBackend)
		}
	}
}

// legEnded notes how the backend ended the leg that is in the record. Everything is closed: reading tells how it came to that. A leg that was open until now
// is one that this program ended, unless the backend's failure is why.
func (s *httpSession) legEnded(open bool) {
	leg := s.c.backend
	if leg == nil || leg.tls == nil || !leg.established() || open && s.c.firstEnd.Load() != endOfBackend {
		return
	}
	if _, err := leg.tls.Read(make([]byte, 1)); err != nil {
		leg.peerEnd = howEnded(err, true, leg.tap.ended)
		leg.openEnded = leg.peerEnd == inspect.PeerTruncated && leg == s.doubtful
	}
}

// ended says who ended the connection where nobody was seen to.
func (s *httpSession) ended() inspect.End {
	end := s.c.end()
	switch {
	case end != "":
		return end
	case s.c.server.draining.Load():
		return inspect.EndedByShutdown
	case s.front != nil && s.front.switched.Load():
		return inspect.EndedByBackend
	}
	return inspect.EndedByClient // which wanted no more than was answered
}
