package replay

import (
	"context"
	"crypto/tls"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
)

// live is a connection that a proxy saw.
func live(t *testing.T, sample string, at time.Time) *inspect.Connection {
	t.Helper()
	s := samples(t, sample)[0]
	c := &inspect.Connection{Schema: inspect.SchemaVersion, Timestamp: at, Transport: inspect.TransportTCP, Event: inspect.Event{ID: sample, Outcome: inspect.Success}}
	c.ClientLeg = &inspect.Leg{TLS: &inspect.TLS{Established: true, Version: "TLSv1.2", Client: inspect.DescribeHello(s.View, 0x0301, inspect.TransportTCP)}}
	return c
}

func TestShadowSendsEachKindOnceInAnInterval(t *testing.T) {
	var arrived atomic.Int32
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		arrived.Add(1)
		return nil, nil
	}}
	results := make(chan *Difference, 100)
	s := &Shadow{Target: serveTLS(t, config), Rate: -1, OnResult: func(_ *inspect.Connection, d *Difference, _ *Result) { results <- d }}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	next := func() *Difference {
		select {
		case d := <-results:
			return d
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was sent")
			return nil
		}
	}
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for i := range 50 {
		s.Observe(live(t, "curl-tls12", start.Add(time.Duration(i)*time.Minute)))
	}
	if d := next(); d.Class != Same || d.Subject.Client == "" {
		t.Errorf("%+v", d)
	}
	s.Observe(live(t, "java7", start)) // TLS 1.0, which the canary refuses
	if d := next(); d.Class != Worse || d.New.Alert != "protocol_version" {
		t.Errorf("%+v", d)
	}
	s.Observe(live(t, "curl-tls12", start.Add(2*time.Hour)))
	if d := next(); d.Class != Same {
		t.Errorf("%+v", d)
	}
	s.Observe(&inspect.Connection{ClientLeg: &inspect.Leg{}}) // no TLS: nothing to send
	cancel()
	<-done
	report := s.Report(0)
	if report.Seen != 52 || report.Sent != 3 || report.Dropped != 0 || report.Kinds[Same] != (Amount{1, 51}) || report.Kinds[Worse] != (Amount{1, 1}) {
		t.Errorf("%+v", report)
	}
	if len(report.Changes) != 1 || report.Changes[0].Client == "" || report.Changes[0].EventID != "java7" || report.Changes[0].Canary != "alert protocol_version (70)" {
		t.Errorf("%+v", report.Changes)
	}
	if arrived.Load() != 3 {
		t.Errorf("%d hellos arrived", arrived.Load())
	}
}

// A shape that comes with many names is one shape.
func TestShadowCountsShapes(t *testing.T) {
	results := make(chan *Difference, 10)
	s := &Shadow{Target: serveTLS(t, &tls.Config{}), Rate: -1, OnResult: func(_ *inspect.Connection, d *Difference, _ *Result) { results <- d }}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.Run(ctx)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		c := live(t, "java7", at)
		c.ClientLeg.TLS.Client.ServerName = name
		s.Observe(c)
		<-results
	}
	if r := s.Report(0); r.Kinds[Worse] != (Amount{1, 3}) || len(r.Changes) != 3 {
		t.Errorf("%+v", r)
	}
}

// Without anybody who sends, observing drops and does not wait.
func TestShadowNeverWaits(t *testing.T) {
	s := &Shadow{Queue: 2}
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, sample := range []string{"curl-tls12", "java6", "java7", "go-default", "curl-default"} {
		s.Observe(live(t, sample, at))
	}
	s.Observe(live(t, "curl-default", at)) // one that was dropped is due again
	if r := s.Report(0); r.Seen != 6 || r.Dropped != 4 || r.Sent != 0 {
		t.Errorf("%+v", r)
	}
}

func TestShadowPausesWhenTheCanaryIsGone(t *testing.T) {
	results := make(chan *Result, 100)
	s := &Shadow{Target: serve(t, reset), Rate: -1, OnResult: func(_ *inspect.Connection, _ *Difference, r *Result) { results <- r }}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.Run(ctx)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	sent := 0
	for _, subject := range samples(t, "all")[:60] {
		s.Observe(live(t, subject.Sample, at))
		select {
		case <-results:
			sent++
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was sent")
		}
		if s.Report(0).Paused != "" { // which is so before the result is told
			break
		}
	}
	if sent < DefaultSilent || sent > DefaultSilent+2 {
		t.Errorf("paused after %d", sent)
	}
	before := s.Report(0).Sent
	s.Observe(live(t, "chromium-tls12", at.Add(time.Minute)))
	s.Observe(live(t, "chromium-tls12", at.Add(shadowPause+time.Second)))
	select {
	case <-results:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not go on after the pause")
	}
	if after := s.Report(0).Sent; after != before+1 {
		t.Errorf("%d sent in the pause", after-before)
	}
}

func BenchmarkShadowObserve(b *testing.B) {
	s := &Shadow{}
	sample := samples(b, "curl-default")[0]
	c := &inspect.Connection{Timestamp: time.Now(), ClientLeg: &inspect.Leg{TLS: &inspect.TLS{Client: inspect.DescribeHello(sample.View, 0x0301, inspect.TransportTCP)}}}
	b.ReportAllocs()
	for b.Loop() {
		s.Observe(c)
	}
}
