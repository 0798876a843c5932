package monitor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/proxy"
)

// Options of a Monitor. The zero value checks nothing: Check is needed.
type Options struct {
	// Check does a handshake with one address (host:port) of a backend: the method CheckAddress of a proxy.Server. Where the name has
	// none, it is called with an empty one, so that there is a record of it.
	Check func(ctx context.Context, b *proxy.Backend, address, name string, protocols []string) *inspect.Connection

	// Judge puts listener, route, findings and verdict into the record of a check. It is called by several goroutines. Nil: the
	// verdict stays empty.
	Judge func(Target, *inspect.Connection)

	// Ends says when what a backend presented comes to its end for those who verify it; a zero time: it does not. Nil: when its
	// leaf does.
	Ends func(*inspect.Connection) time.Time

	OnRecord func(*inspect.Connection) // each record of a check, once it is judged; called by several goroutines; nil: none
	OnChange func(Event)               // each change, in order, on the goroutine of Run; nil: none
	OnCheck  func(State)               // each round of checks of a target, after its changes, on the goroutine of Run; nil: none

	Resolve func(ctx context.Context, host string) ([]netip.Addr, error) // nil: the system's resolver

	Interval    time.Duration // between the checks of a target; 0: an hour
	Pause       time.Duration // between two checks of a target at least, whatever clients show; 0: a minute
	Thresholds  []int         // days before its end at which a certificate is spoken of; nil: 30, 14, 7, 1
	Concurrency int           // addresses checked at once; 0: 4
	Addresses   int           // of a name that are checked; 0: 64
}

// Target is a backend to watch.
type Target struct {
	Name       string // unique; in states, events and metrics
	Backend    *proxy.Backend
	ServerName string   // a typical client's, as Server.Check has it
	Protocols  []string // offered by ALPN
}

// Monitor watches targets. It is safe for concurrent use.
type Monitor struct {
	options Options
	slots   chan struct{} // an address that is being checked holds one
	wake    chan struct{}
	done    chan round

	mu      sync.Mutex
	watched map[string]*watched // by Target.Name
}

// watched is a target and where its watch stands.
type watched struct {
	target  Target
	state   State
	due     time.Time // of the next round
	running bool
}

// New makes a Monitor that watches nothing yet.
func New(o Options) *Monitor {
	if o.Interval <= 0 {
		o.Interval = time.Hour
	}
	if o.Pause <= 0 {
		o.Pause = time.Minute
	}
	if o.Thresholds == nil {
		o.Thresholds = []int{30, 14, 7, 1}
	}
	o.Thresholds = slices.Sorted(slices.Values(o.Thresholds))
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
	if o.Addresses <= 0 {
		o.Addresses = 64
	}
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Ends == nil {
		o.Ends = leafEnds
	}
	return &Monitor{
		options: o,
		slots:   make(chan struct{}, o.Concurrency),
		wake:    make(chan struct{}, 1),
		done:    make(chan round),
		watched: make(map[string]*watched),
	}
}

// Watch exchanges the targets and has all of them checked at once. What is known of a target of the same name and address stays,
// so that only what changed is told.
func (m *Monitor) Watch(targets []Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := make(map[string]*watched, len(targets))
	for _, t := range targets {
		w := &watched{target: t, state: State{Name: t.Name, Backend: t.Backend.Address, ServerName: t.ServerName}}
		old := m.watched[t.Name]
		if old != nil && old.state.Backend == w.state.Backend && old.state.ServerName == w.state.ServerName {
			w.state = old.state
		}
		next[t.Name] = w
	}
	m.watched = next
	m.rouse()
}

// States are what is known of all targets, by name. They must not be changed.
func (m *Monitor) States() []State {
	m.mu.Lock()
	defer m.mu.Unlock()
	states := make([]State, 0, len(m.watched))
	for _, w := range m.watched {
		states = append(states, w.state)
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.Name, b.Name) })
	return states
}

// Observe looks at the record of a client's connection to a target: where that contradicts what the monitor knows, because the backend
// shows another certificate, has an address that is not known, answers although it was down, or cannot be reached although it was up,
// the target is checked at once. It costs a look into a map.
func (m *Monitor) Observe(target string, c *inspect.Connection) {
	leg := c.BackendLeg
	if leg == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watched[target]
	if w == nil || w.state.CheckedAt.IsZero() || !w.state.contradicts(leg) {
		return // its first round will see
	}
	if soon := w.state.CheckedAt.Add(m.options.Pause); soon.Before(w.due) {
		w.due = soon
		m.rouse()
	}
}

// contradicts reports whether a client's leg shows something else than is known.
func (s *State) contradicts(leg *inspect.Leg) bool {
	answered := leg.Established()
	shown := ""
	if leg.TLS != nil && leg.TLS.Server != nil && len(leg.TLS.Server.CertificateChain) > 0 {
		shown = leg.TLS.Server.CertificateChain[0].Hash.SHA256
	}
	known := s.dialled(leg)
	switch {
	case known == nil:
		return s.Unchecked == 0 && (answered || shown != "") // else its nodes are too many to know them all
	case answered && !known.Up:
		return true
	case known.Up && leg.Error != nil && leg.Error.Phase == inspect.PhaseDial:
		return true
	case s.Unchecked > 0 || shown == "" || known.Certificate == nil || known.verified != leg.ServerName:
		return false // another name may well have another certificate
	}
	return known.Certificate.Hash.SHA256 != shown
}

func (m *Monitor) rouse() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run watches until ctx is done, and returns when all it started has ended. It must run once at a time.
func (m *Monitor) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(m.start(ctx, &running))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-m.wake:
		case r := <-m.done:
			if ctx.Err() != nil {
				return // it was cut, which says nothing about the backend
			}
			m.finish(r)
		}
	}
}

// start begins the rounds that are due and says how long it is to the next one.
func (m *Monitor) start(ctx context.Context, running *sync.WaitGroup) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, next := time.Now(), m.options.Interval
	for _, w := range m.watched {
		if w.running {
			continue
		}
		if wait := w.due.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		w.running = true
		running.Go(func() {
			r := m.check(ctx, w)
			select {
			case m.done <- r:
			case <-ctx.Done():
			}
		})
	}
	return next
}

// finish takes the result of a round in and tells what changed.
func (m *Monitor) finish(r round) {
	m.mu.Lock()
	w := r.of
	w.running = false
	if m.watched[w.target.Name] != w {
		m.mu.Unlock()
		return // no longer watched, or not like this
	}
	old := w.state
	w.state = m.merge(old, r)
	w.due = r.at.Add(m.options.Interval)
	if soon := m.nextThreshold(w.state, r.at); !soon.IsZero() && soon.Before(w.due) {
		w.due = soon
	}
	state := w.state
	m.mu.Unlock()
	if m.options.OnChange != nil {
		for _, e := range changes(old, state) {
			m.options.OnChange(e)
		}
	}
	if m.options.OnCheck != nil {
		m.options.OnCheck(state)
	}
}
