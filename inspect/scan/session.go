package scan

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// session is the scan of one address.
type session struct {
	scanner *Scanner
	target  *Target
	paper   Exchange      // answers in the endpoint's place; nil: the endpoint is asked
	slots   chan struct{} // as many as connections may be open

	mu            sync.Mutex
	client        *probe.Client
	next          time.Time // before which no connection begins
	connections   int
	longest       int  // bytes of the longest hello sent
	answered      int  // of the longest hello that got any answer in TLS
	reached       bool // a connection was made: one that cannot be made later is worth another attempt
	slowest       time.Duration
	doubts        []string
	about         []string // what the doubts are about, in the words of Compare
	asked         map[shape]*history
	random        int      // connections that were closed with hellos that were answered at another time
	refused       int      // hellos that were refused by an alert and answered at another time
	differing     int      // hellos that were answered in another way at another time
	differences   []string // how
	leavesDiffer  bool     // the same hello got different certificates
	ends          []listEnd
	shunned       []wire.ExtensionType // that make the endpoint fail, and are left out therefore
	padded        bool                 // hellos of 256 to 511 bytes make it fail, and are made longer therefore
	plainEvidence string
	plain         bool // a request for an OCSP response makes it fail
	groupLimit    int  // how many groups it bears in a hello; 0: it does not mind
	crowdAnswer   Answer
	replies       int          // connections that were answered in TLS
	tail          int          // connections since the last of them
	control       *probe.Hello // the first that was answered
	shut          int          // connections that were answered before the endpoint stopped answering; 0: it did not

	door sync.RWMutex // held by who asks alone whether the endpoint answers still

	crowd      sync.Mutex // around the question how many groups are borne
	crowdAsked int        // of so many it was asked
}

func newSession(s *Scanner, t *Target) *session {
	client := probe.Client{Source: inspect.SourceScan}
	if s.Client != nil {
		client = *s.Client
	}
	if client.Describer == nil {
		client.Describer = &inspect.Describer{}
	}
	n := s.Concurrency
	if n <= 0 {
		n = defaultConcurrency
	}
	return &session{scanner: s, target: t, slots: make(chan struct{}, n), client: &client, asked: map[shape]*history{}}
}

// Attempts at a connection that could not be made, and the time before the next of them.
const (
	connectAttempts = 3
	connectPause    = 150 * time.Millisecond
)

// ask sends one hello and reads what comes back. A connection that cannot be made is tried again, later, once there was one that
// could: endpoints that count connections refuse some.
func (s *session) ask(ctx context.Context, hello *probe.Hello, options probe.Options) *probe.Exchange {
	if s.target.Endpoint.QUIC {
		hello = hello.ForQUIC(cmp.Or(s.target.Endpoint.QUICVersion, quicwire.Version1))
	}
	hello = s.bearable(hello)
	if options.Certificate == nil {
		options.Certificate = s.target.Certificate
	}
	var x *probe.Exchange
	for attempt := range connectAttempts {
		if attempt > 0 {
			if !wait(ctx, connectPause<<(2*attempt-2)) {
				break
			}
			hello = hello.Fresh()
		}
		if x = s.connect(ctx, hello, options); x.Outcome != probe.OutcomeNotConnected || x.Hello == nil || !s.seen() || ctx.Err() != nil { // without a hello it was never tried
			break
		}
	}
	return x
}

func (s *session) connect(ctx context.Context, hello *probe.Hello, options probe.Options) *probe.Exchange {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return notConnected("the scan was ended")
	}
	s.door.RLock()
	x := s.once(ctx, hello, options)
	s.door.RUnlock()
	s.knock(ctx)
	return x
}

// once makes one connection, unless none may be made any more.
func (s *session) once(ctx context.Context, hello *probe.Hello, options probe.Options) *probe.Exchange {
	s.mu.Lock()
	if s.shut > 0 {
		s.mu.Unlock()
		return notConnected(whyShut)
	}
	if s.connections >= s.most() {
		s.mu.Unlock()
		return notConnected("the bound on connections was reached")
	}
	s.connections++
	n, client := s.connections, s.client
	s.longest = max(s.longest, hello.Size())
	var pause time.Duration
	if s.scanner.Interval > 0 {
		now := time.Now()
		at := now
		if s.next.After(now) {
			at = s.next
		}
		s.next, pause = at.Add(s.scanner.Interval), at.Sub(now)
	}
	s.mu.Unlock()
	if s.paper != nil {
		return s.paper(hello, options)
	}
	if s.scanner.Progress != nil {
		s.scanner.Progress(n)
	}
	if !wait(ctx, pause) {
		return notConnected("the scan was ended")
	}
	x := client.Exchange(ctx, s.target.Endpoint, hello, options)
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Outcome != probe.OutcomeNotConnected {
		s.reached = true
	}
	if nature := natureOf(x); nature == chosen || nature == said {
		s.answered = max(s.answered, hello.Size())
		s.slowest = max(s.slowest, x.Dialled+x.FirstByte)
		s.replies++
		s.tail = 0
		if s.control == nil && nature == chosen {
			s.control = hello.Clone()
		}
	} else {
		s.tail++
	}
	s.remember(hello, x)
	return x
}

// most is the most connections that may be made.
func (s *session) most() int {
	if s.scanner.MaxConnections > 0 {
		return s.scanner.MaxConnections
	}
	return defaultMaxConnections
}

// seen reports whether the address was ever connected to.
func (s *session) seen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reached
}

// hurry takes the times to wait from how fast the endpoint answered: silence of thirty times that is silence.
func (s *session) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slowest == 0 {
		return
	}
	c := *s.client
	answer := min(max(30*s.slowest, 700*time.Millisecond), 5*time.Second)
	if c.Timeouts.Answer == 0 || c.Timeouts.Answer > answer {
		c.Timeouts.Answer = answer
	}
	if finish := min(max(10*s.slowest, 400*time.Millisecond), 2*time.Second); c.Timeouts.Finish == 0 || c.Timeouts.Finish > finish {
		c.Timeouts.Finish = finish
	}
	s.client = &c
}

// doubt notes what could not be found out. What it is about is said as Compare says it; empty: nothing that is compared.
func (s *session) doubt(about, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubts = append(s.doubts, text)
	if about != "" && !slices.Contains(s.about, about) {
		s.about = append(s.about, about)
	}
}

// wait waits, and reports whether the time came before the end of the scan.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// together runs questions at the same time, and returns when all are answered.
func together(questions ...func()) {
	var all sync.WaitGroup
	for _, ask := range questions {
		all.Go(ask)
	}
	all.Wait()
}
