package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/leaktest"
	"github.com/tlstriage/tlstriage/proxy"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// node is what one address of the tests' backend does.
type node struct {
	serial   string
	notAfter time.Time
	began    time.Time
	version  string
	protocol string
	verdict  inspect.Verdict
	cause    string
	down     bool
	slow     time.Duration
	extra    []string // serials of certificates behind the leaf
}

// world is a backend's name and nodes, as the tests change them, and what the monitor said.
type world struct {
	mu      sync.Mutex
	nodes   map[string]*node // by IP address
	names   map[string][]string
	err     error
	checks  int
	atOnce  int
	most    int
	events  []Event
	states  []State
	records int
	end     func() // of the monitor
}

func newWorld(addresses ...string) *world {
	w := &world{nodes: make(map[string]*node), names: map[string][]string{"backend.test": addresses}}
	for _, a := range addresses {
		w.nodes[a] = w.node()
	}
	return w
}

// node is a healthy one.
func (w *world) node() *node {
	now := time.Now()
	return &node{serial: "01", began: now.Add(-day), notAfter: now.Add(90 * day), version: "TLSv1.3", protocol: "h2", verdict: inspect.OK}
}

func (w *world) edit(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// taken are the events since the last call.
func (w *world) taken() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = nil
	return events
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.checks
}

func (w *world) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, w.err
	}
	var list []netip.Addr
	for _, a := range w.names[host] {
		list = append(list, netip.MustParseAddr(a))
	}
	return list, nil
}

func hash(serial string) string { return "sha256 of " + serial }

func (w *world) check(ctx context.Context, b *proxy.Backend, address, name string, _ []string) *inspect.Connection {
	host, port, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(port)
	w.mu.Lock()
	w.checks++
	w.atOnce++
	w.most = max(w.most, w.atOnce)
	n := node{down: true}
	if w.nodes[host] != nil {
		n = *w.nodes[host]
	}
	id := fmt.Sprint(w.checks)
	w.mu.Unlock()
	select {
	case <-time.After(n.slow):
	case <-ctx.Done():
	}
	w.edit(func() { w.atOnce-- })
	leg := &inspect.Leg{Address: host, Port: number, ServerName: name}
	c := &inspect.Connection{Event: inspect.Event{ID: id, Outcome: inspect.Success}, BackendLeg: leg, Verdict: n.verdict, Cause: n.cause}
	if n.down {
		c.Event.Outcome, c.Verdict, c.Cause = inspect.Failure, inspect.Failed, cmp.Or(n.cause, "backend-refused")
		leg.Error = &inspect.Error{Type: inspect.ErrorRefused, Phase: inspect.PhaseDial, Message: "connection refused"}
		return c
	}
	leg.TLS = &inspect.TLS{Established: true, Version: n.version, NextProtocol: n.protocol, Server: &inspect.Server{}}
	for i, serial := range append([]string{n.serial}, n.extra...) {
		x := inspect.Certificate{Subject: "CN=" + name, SerialNumber: serial, NotBefore: n.began, NotAfter: n.notAfter, Hash: inspect.Hashes{SHA256: hash(serial)}, Raw: []byte{1}}
		if i > 0 {
			x.NotAfter = x.NotBefore // an intermediate that nobody needs
		}
		leg.TLS.Server.CertificateChain = append(leg.TLS.Server.CertificateChain, x)
	}
	if n.cause != "" {
		c.Findings = []inspect.Finding{{ID: n.cause, Severity: inspect.SeverityError, Title: "a title"}}
	}
	return c
}

// watch runs a monitor of the world until the test's end.
func (w *world) watch(t *testing.T, edit ...func(*Options)) *Monitor {
	o := Options{
		Check: w.check, Resolve: w.resolve,
		OnChange: func(e Event) { w.edit(func() { w.events = append(w.events, e) }) },
		OnCheck:  func(s State) { w.edit(func() { w.states = append(w.states, s) }) },
		OnRecord: func(*inspect.Connection) { w.edit(func() { w.records++ }) },
	}
	for _, e := range edit {
		e(&o)
	}
	m := New(o)
	m.Watch([]Target{target("edge/default")})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	w.end = func() { cancel(); <-ended }
	t.Cleanup(w.end)
	synctest.Wait()
	return m
}

func target(name string) Target {
	return Target{Name: name, Backend: &proxy.Backend{Address: "backend.test:443"}, ServerName: "api.example.com"}
}

// later lets time pass, and what then happens end.
func later(d time.Duration) {
	time.Sleep(d) // in the bubble of synctest
	synctest.Wait()
}

// kinds are events in short.
func kinds(events []Event) []string {
	short := []string{}
	for _, e := range events {
		s := string(e.Kind)
		if e.Address != "" {
			s += " " + e.Address
		}
		if e.Kind == ExpiryThreshold {
			s += fmt.Sprintf(" %d", e.Threshold)
		}
		if e.Difference != nil {
			s += " " + string(e.Difference.Aspect)
		}
		short = append(short, s)
	}
	return short
}

var errNoSuchName = errors.New("no such host")
