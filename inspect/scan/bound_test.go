package scan

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

func TestBoundsHold(t *testing.T) {
	s := serve(t, nil, goesOn)
	var open, most atomic.Int32
	counted := func(ctx context.Context, network, address string) (net.Conn, error) {
		n := open.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			open.Add(-1)
			return nil, err
		}
		return &counting{Conn: c, open: &open}, nil
	}
	scanner := &Scanner{Client: &probe.Client{Dial: counted}, Concurrency: 3, MaxConnections: 30}
	r := scanner.Address(context.Background(), Target{Endpoint: probe.Target{Address: s.address}, ServerName: "localhost"})
	if most.Load() > 3 {
		t.Errorf("%d connections at a time, want at most 3", most.Load())
	}
	if r.Connections > 30 || int(s.accepted.Load()) > 30 {
		t.Errorf("%d connections (%d accepted), want at most 30", r.Connections, s.accepted.Load())
	}
	if len(r.Inconclusive) == 0 {
		t.Error("what could not be asked any more is not said")
	}
	if open.Load() != 0 {
		t.Errorf("%d connections are still open", open.Load())
	}
}

// counting is a connection that says when it is closed.
type counting struct {
	net.Conn
	open   *atomic.Int32
	closed atomic.Bool
}

func (c *counting) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

func TestAnIntervalIsKept(t *testing.T) {
	s := serve(t, nil, goesOn)
	scanner := &Scanner{Interval: 20 * time.Millisecond, MaxConnections: 10}
	began := time.Now()
	r := scanner.Address(context.Background(), Target{Endpoint: probe.Target{Address: s.address}})
	if took, want := time.Since(began), time.Duration(r.Connections-1)*20*time.Millisecond; took < want {
		t.Errorf("%d connections in %v, want at least %v", r.Connections, took, want)
	}
}

func TestAScanThatIsEndedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var n atomic.Int32
	s := serve(t, nil, goesOn)
	scanner := &Scanner{Progress: func(int) {
		if n.Add(1) == 20 {
			cancel()
		}
	}}
	r := scanner.Address(ctx, Target{Endpoint: probe.Target{Address: s.address}})
	if len(r.Inconclusive) == 0 {
		t.Error("a scan that was ended early is said to be complete")
	}
	for v, a := range r.VersionAnswers {
		if a.Reply == No && a.Evidence == "" {
			t.Errorf("%s: a no without evidence", v)
		}
	}
}

func TestCompareSaysWhatChanged(t *testing.T) {
	report := func(config *tls.Config) *Report { return scanned(t, serve(t, config, goesOn).address) }
	before, same := report(&tls.Config{NextProtos: []string{"h2"}}), report(&tls.Config{NextProtos: []string{"h2"}})
	for _, c := range Compare(before, same) {
		if c.What != "certificates" {
			t.Errorf("nothing has changed, and it says: %s", c.Sentence("before"))
		}
	}
	after := report(&tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}, ClientAuth: tls.RequireAnyClientCert})
	var what []string
	for _, c := range Compare(before, after) {
		what = append(what, c.What)
	}
	for _, want := range []string{"versions", "groups TLSv1.3", "alpn", "client certificate"} {
		if !slices.Contains(what, want) {
			t.Errorf("%q is not among %v", want, what)
		}
	}
}
