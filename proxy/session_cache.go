package proxy

import (
	"crypto/tls"
	"sync"
	"time"
)

// Bounds on the sessions with a backend that are kept. A resumed handshake shows no certificate, so that a session is used for
// a while only: what a backend presents is seen anew before long, and so is that it presents something else.
const (
	maxSessions    = 256 // one for each name that clients ask for
	sessionMaxTime = 10 * time.Minute
)

// sessions are those with one backend that can be resumed. Their zero value is ready for use.
type sessions struct {
	mu   sync.Mutex
	kept map[string]keptSession
}

type keptSession struct {
	state *tls.ClientSessionState
	at    time.Time
}

// Get is that of tls.ClientSessionCache.
func (s *sessions) Get(key string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.kept[key]
	if !ok || time.Since(session.at) >= sessionMaxTime {
		delete(s.kept, key)
		return nil, false
	}
	return session.state, true
}

// Put is that of tls.ClientSessionCache: nil takes a session out. A session that was resumed and renewed keeps its age, for the
// certificate in it is as old as before.
func (s *sessions) Put(key string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == nil {
		delete(s.kept, key)
		return
	}
	if s.kept == nil {
		s.kept = make(map[string]keptSession)
	}
	now := time.Now()
	if known, ok := s.kept[key]; ok && now.Sub(known.at) < sessionMaxTime {
		now = known.at
	} else if !ok && len(s.kept) >= maxSessions {
		s.makeRoom()
	}
	s.kept[key] = keptSession{state, now}
}

// makeRoom takes out the oldest session. s.mu is held.
func (s *sessions) makeRoom() {
	var oldest string
	var at time.Time
	for key, session := range s.kept {
		if oldest == "" || session.at.Before(at) {
			oldest, at = key, session.at
		}
	}
	delete(s.kept, oldest)
}

// legSessions are the sessions with a leg's backend, and with one of its addresses where it stands for several. One whose handshake had
// a request for a client certificate is not kept: resumed, it would tell nothing of that, and what a backend thinks of the answer may
// come behind the handshake alone.
type legSessions struct {
	leg     *backendLeg
	address string // empty: the backend's own
}

func (s *legSessions) key(name string) string {
	if s.address == "" {
		return name
	}
	return s.address + " " + name
}

// Get is that of tls.ClientSessionCache.
func (s *legSessions) Get(name string) (*tls.ClientSessionState, bool) {
	return s.leg.backend.sessions.Get(s.key(name))
}

// Put is that of tls.ClientSessionCache.
func (s *legSessions) Put(name string, state *tls.ClientSessionState) {
	if s.leg.asks {
		state = nil
	}
	s.leg.backend.sessions.Put(s.key(name), state)
}
