package proxy

import (
	"cmp"
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// Bounds on second looks. A client chooses the name that is looked for, so that all of them hold whatever clients ask.
const (
	maxLooksAtOnce     = 2   // sets of names that are looked at at the same time, with at most five connections each
	maxLooksPerBackend = 8   // sets of names in an interval
	maxLooksKept       = 256 // sets of names of all backends in an interval
	lookDial           = 3 * time.Second
	lookHandshake      = 5 * time.Second
	lookTime           = 10 * time.Second // for all of it
)

// How long a record waits for the look that it gave rise to, once in an interval: the first connection that fails is the one that
// people look at. Later ones find the answer ready. Records that press from behind end the wait.
const lookPatience = 2 * time.Second

// looker finds out which name gets which certificate of a backend, by a handshake for each name, and remembers it for an
// interval. Its zero value is ready; it is safe for concurrent use.
type looker struct {
	now  func() time.Time                                        // nil: time.Now
	look func(context.Context, lookKey, []string) []inspect.Look // instead of real handshakes, for tests

	patience time.Duration // of records; 0: lookPatience

	mu      sync.Mutex
	known   map[lookKey]*lookEntry
	atOnce  int
	running sync.WaitGroup
}

// lookKey is what the answer depends on.
type lookKey struct {
	backend *Backend
	address string // of the peer that was dialled
	client  string // the name that the client asked for
	sent    string // the name that was sent
	alpn    bool   // protocols were offered
}

// lookEntry is an answer, or one that is under way.
type lookEntry struct {
	at    time.Time
	done  chan struct{} // closed when looks is there
	looks []inspect.Look
}

// canLook reports whether there is something to look at again: not where the backend was not reached or speaks no TLS.
func canLook(b *Backend, record *inspect.Connection) bool {
	leg := record.BackendLeg
	if b == nil || b.Plain || leg == nil || leg.Port == 0 {
		return false
	}
	e := leg.Error
	return e == nil || e.Type != inspect.ErrorLoop && e.Phase != inspect.PhaseResolve && e.Phase != inspect.PhaseDial
}

// keyFor says what to look at for a record, and with which protocols.
func keyFor(b *Backend, record *inspect.Connection) (key lookKey, protocols []string) {
	leg := record.BackendLeg
	key = lookKey{backend: b, address: net.JoinHostPort(leg.Address, strconv.Itoa(leg.Port))}
	hello := func(leg *inspect.Leg) *inspect.Hello {
		if leg == nil || leg.TLS == nil {
			return nil
		}
		return leg.TLS.Client
	}
	asked, sent := hello(record.ClientLeg), hello(leg)
	if sent == nil {
		sent = asked // it was passed through
	}
	if asked != nil {
		key.client = nameToSend(asked.ServerName)
	}
	if sent != nil {
		key.sent, protocols = nameToSend(sent.ServerName), sent.ALPNProtocols
	}
	key.alpn = len(protocols) > 0
	return key, protocols
}

// nameToSend is a name as it is sent: nothing for addresses, which never are (RFC 6066, Section 3), nor for what is no DNS name.
func nameToSend(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(name) > 253 || net.ParseIP(name) != nil {
		return ""
	}
	for i := range len(name) {
		if b := name[i]; b <= ' ' || b >= 0x7f {
			return ""
		}
	}
	return name
}

// begin finds the answer for a key, or begins to look for it. Nil: a bound is reached. The caller need not wait for the answer;
// ctx bounds the search.
func (l *looker) begin(ctx context.Context, s *Server, key lookKey, protocols []string) *lookEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now
	if l.now != nil {
		now = l.now
	}
	interval := s.limits().LookInterval
	if e := l.known[key]; e != nil && now().Sub(e.at) < interval {
		return e
	}
	ofBackend := 0
	for k, e := range l.known {
		if now().Sub(e.at) >= interval {
			delete(l.known, k)
		} else if k.backend == key.backend {
			ofBackend++
		}
	}
	if l.atOnce >= maxLooksAtOnce || ofBackend >= maxLooksPerBackend || len(l.known) >= maxLooksKept || ctx.Err() != nil {
		return nil
	}
	if l.known == nil {
		l.known = make(map[lookKey]*lookEntry)
	}
	e := &lookEntry{at: now(), done: make(chan struct{})}
	l.known[key] = e
	l.atOnce++
	l.running.Go(func() {
		looks := l.ask(ctx, s, key, protocols)
		l.mu.Lock()
		e.looks = looks
		l.atOnce--
		if ctx.Err() != nil && l.known[key] == e {
			delete(l.known, key) // an answer that was cut is none
		}
		l.mu.Unlock()
		close(e.done)
	})
	return e
}

// ask does one handshake for each name, all at the same time.
func (l *looker) ask(ctx context.Context, s *Server, key lookKey, protocols []string) []inspect.Look {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if l.look != nil {
		return l.look(ctx, key, protocols)
	}
	names := key.names()
	looks := make([]inspect.Look, len(names))
	var all sync.WaitGroup
	for i, n := range names {
		offered := protocols
		if n.origin == inspect.LookOtherProtocol {
			offered = nil
		}
		all.Go(func() { looks[i] = key.backend.lookAt(ctx, s, key.address, n, offered) })
	}
	all.Wait()
	return looks
}

// lookName is a name to look for, and whence it is.
type lookName struct{ name, origin string }

// names are those to look for, each once: at most five.
func (k lookKey) names() []lookName {
	host, _, _ := net.SplitHostPort(k.backend.Address)
	names := []lookName{{"", inspect.LookWithoutName}}
	for _, n := range []lookName{{k.client, inspect.LookClientName}, {k.backend.ServerName, inspect.LookConfigured}, {host, inspect.LookBackendHost}} {
		n.name = nameToSend(n.name)
		known := n.name == ""
		for _, have := range names {
			known = known || have.name == n.name
		}
		if !known {
			names = append(names, n)
		}
	}
	if k.alpn {
		names = append(names, lookName{k.sent, inspect.LookOtherProtocol})
	}
	return names
}

// lookAt does a handshake with a name and tells how it went. The backend's certificate refuses nothing here.
func (b *Backend) lookAt(ctx context.Context, s *Server, address string, n lookName, protocols []string) inspect.Look {
	limits := s.limits().Timeouts
	limits.Dial, limits.BackendHandshake = min(limits.Dial, lookDial), min(limits.BackendHandshake, lookHandshake)
	leg := b.open(ctx, limits, &s.describer, opening{address: address, verified: n.name, sent: n.name, protocols: protocols, unjudged: true, whole: true})
	leg.end(limits)
	seen := leg.describe(&s.describer)
	addEnd(seen, leg.err, nil, leg.alerts)
	look := inspect.Look{ServerName: n.name, Origin: n.origin, Established: leg.err == nil, Error: leg.err}
	if seen.TLS == nil {
		return look
	}
	look.Version = seen.TLS.Version
	if seen.TLS.Server != nil && len(seen.TLS.Server.CertificateChain) > 0 {
		leaf := seen.TLS.Server.CertificateChain[0]
		leaf.Raw = nil
		look.Certificate = &leaf
	}
	for _, a := range seen.TLS.Alerts {
		if a.From == inspect.FromServer {
			look.Alert = &a
			break
		}
	}
	return look
}

// lookAgain adds to a record what a second look at its backend showed, where LookAgain asks for one.
func (s *Server) lookAgain(e ended) {
	if s.LookAgain == nil || !canLook(e.backend, e.record) || !s.LookAgain(e.record) {
		return
	}
	key, protocols := keyFor(e.backend, e.record)
	entry := s.looker.begin(s.ctx, s, key, protocols)
	if entry == nil {
		return
	}
	patience := time.NewTimer(cmp.Or(s.looker.patience, lookPatience))
	defer patience.Stop()
	select {
	case <-entry.done:
		e.record.BackendLeg.Looks = entry.looks
	case <-patience.C:
	case <-s.pressed:
	case <-s.ctx.Done():
	}
}

// SecondLook looks at the backend of a record again, with and without the names that may matter, and adds what it saw to the
// record's backend leg; what was seen less than Limits.LookInterval ago is not asked for again. It reports whether it added
// anything. It is for records of Check: those that OnConnection is given have theirs where LookAgain asked for it.
func (s *Server) SecondLook(ctx context.Context, b *Backend, record *inspect.Connection) bool {
	if !canLook(b, record) {
		return false
	}
	key, protocols := keyFor(b, record)
	entry := s.looker.begin(ctx, s, key, protocols)
	if entry == nil {
		return false
	}
	select {
	case <-entry.done:
	case <-ctx.Done():
		return false
	}
	record.BackendLeg.Looks = entry.looks
	return len(entry.looks) > 0
}
