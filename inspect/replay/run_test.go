package replay

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/fingerprint"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func TestOutcomesAreToldApart(t *testing.T) {
	for _, test := range []struct {
		name   string
		target func(t *testing.T) Target
		want   probe.Outcome
		reason string
	}{
		{"ServerHello", func(t *testing.T) Target { return serveTLS(t, &tls.Config{}) }, probe.OutcomeServerHello, ""},
		{"another key share", func(t *testing.T) Target {
			return serveTLS(t, &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}})
		}, probe.OutcomeServerHello, ""},
		{"alert", func(t *testing.T) Target { return serve(t, func(c net.Conn) { _, _ = hello(c); alert(c, 40) }) }, probe.OutcomeAlert, "alert handshake_failure (40)"},
		{"reset", func(t *testing.T) Target { return serve(t, func(c net.Conn) { _, _ = hello(c); reset(c) }) }, probe.OutcomeReset, "connection reset"},
		{"close", func(t *testing.T) Target { return serve(t, func(c net.Conn) { _, _ = hello(c) }) }, probe.OutcomeClosed, "connection closed"},
		{"silence", func(t *testing.T) Target { return serve(t, silent) }, probe.OutcomeTimeout, "silence"},
		{"HTTP", func(t *testing.T) Target {
			return serve(t, func(c net.Conn) {
				_, _ = hello(c)
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
			})
		}, probe.OutcomeNotTLS, "no TLS but http_response"},
		{"nobody there", func(t *testing.T) Target {
			return Target{Label: "gone", Target: probe.Target{Address: porttest.FreeAddress(t)}}
		}, probe.OutcomeReset, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := test.target(t)
			r := Runner{Targets: []Target{target}, Rate: -1}
			if test.want == probe.OutcomeTimeout {
				r.Client = &probe.Client{Timeouts: probe.Timeouts{Answer: 300 * time.Millisecond}}
			}
			report, err := r.Run(t.Context(), samples(t, "curl-default"))
			var stopped *StoppedError
			if nobody := errors.As(err, &stopped) && strings.Contains(stopped.Reason, "no connection could be made"); nobody != (test.name == "nobody there") || err != nil && !nobody {
				t.Fatal(err)
			}
			got := report.Results[0][0]
			if got.Outcome() != test.want || got.Answer.Accepted != (test.want == probe.OutcomeServerHello) || test.reason != "" && got.Answer.Reason != test.reason {
				t.Errorf("%s, %+v, want %s", got.Outcome(), got.Answer, test.want)
			}
			record := got.Record()
			if record.Replay.To != target.Label || record.Replay.SentShape != got.Subject.Shape || record.Replay.Outcome != test.want || record.Event.Source != inspect.SourceReplay {
				t.Errorf("record %+v", record.Replay)
			}
			if test.name == "another key share" && (!got.Exchange.Connection.ClientLeg.TLS.HelloRetryRequest || got.Answer.Choice.Curve != wire.GroupSecp384r1.String()) {
				t.Errorf("the HelloRetryRequest was not followed: %+v", got.Answer)
			}
		})
	}
}

// A server that asks for a key that the client can make and this program cannot has refused nobody.
func TestKeysThatCannotBeMadeHereAreNoLoss(t *testing.T) {
	target := serve(t, func(c net.Conn) {
		h, err := hello(c)
		if err != nil {
			return
		}
		random, _ := hex.DecodeString("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c") // RFC 8446, Section 4.1.3
		body := slices.Concat([]byte{3, 3}, random, []byte{byte(len(h.SessionID))}, h.SessionID, []byte{0x13, 0x01, 0, 0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0x01, 0xfd})
		message := append([]byte{2, 0, 0, byte(len(body))}, body...)
		_, _ = c.Write(append([]byte{22, 3, 3, 0, byte(len(message))}, message...))
		_, _ = io.Copy(io.Discard, c)
	})
	for _, offers := range []bool{true, false} {
		subjects := samples(t, "curl-default")
		if offers {
			subjects[0].Hello.Set(wire.ExtensionSupportedGroups, []byte{0, 6, 0, 29, 0, 23, 0x01, 0xfd}) // for private use (RFC 7919, Section 2)
		}
		r := Runner{Targets: []Target{target}, Rate: -1}
		report, err := r.Run(t.Context(), subjects)
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Results[0][0]; got.Outcome() != probe.OutcomeRetryRequest || offers != (got.Answer.Undetermined != "") || got.Answer.Accepted {
			t.Errorf("offered %v: %s, %+v", offers, got.Outcome(), got.Answer)
		}
	}
}

// What is sent has the shape of what was recorded, whatever was stale in it, and nothing of the recorded connection.
func TestHellosGoOutFresh(t *testing.T) {
	subjects := samples(t, "all")
	var mu sync.Mutex
	seen := make(map[string][]*wire.ClientHello)
	target := serve(t, func(c net.Conn) {
		if h, err := hello(c); err == nil {
			mu.Lock()
			seen[fingerprint.Shape(h)] = append(seen[fingerprint.Shape(h)], h)
			mu.Unlock()
		}
		alert(c, 40)
	})
	r := Runner{Targets: []Target{target}, Rate: -1}
	report, err := r.Run(t.Context(), subjects)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range subjects {
		if got := report.Results[i][0].Sent; got != s.Shape {
			t.Errorf("%s: sent %s, recorded %s", s.Sample, got, s.Shape)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	randoms := make(map[string]bool)
	for _, hellos := range seen {
		for _, h := range hellos {
			if randoms[string(h.Random)] {
				t.Fatal("a random was sent twice")
			}
			randoms[string(h.Random)] = true
			if len(h.SessionTicket) > 0 || h.PSKIdentities != nil || h.EarlyData || h.Cookie != nil {
				t.Errorf("stale: %x", h.Raw)
			}
		}
	}
	for _, s := range subjects {
		if len(seen[s.Shape]) < 2 { // what fails is sent again
			t.Errorf("%s: arrived %d times", s.Sample, len(seen[s.Shape]))
		}
		if randoms[string(s.View.Random)] {
			t.Errorf("%s: its recorded random was sent", s.Sample)
		}
	}
}

func TestNamesAreKeptOrRewritten(t *testing.T) {
	var mu sync.Mutex
	var names []string
	target := serve(t, func(c net.Conn) {
		if h, err := hello(c); err == nil {
			mu.Lock()
			names = append(names, string(h.ServerName))
			mu.Unlock()
		}
		alert(c, 112)
	})
	rewrite := func(text string) Rewrite {
		r, err := ParseRewrite(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, test := range []struct {
		names Names
		want  []string
	}{
		{Names{}, []string{"", "backend.example", "localhost"}},
		{Names{All: "canary.example"}, []string{"", "canary.example", "canary.example"}},
		{Names{Map: []Rewrite{rewrite("*.example=*.staging.example"), rewrite("localhost=here.example")}}, []string{"", "backend.staging.example", "here.example"}},
		{Names{Map: []Rewrite{rewrite("*.other=x"), rewrite("Backend.Example=one")}}, []string{"", "localhost", "one"}},
	} {
		names = nil
		r := Runner{Targets: []Target{target}, Names: test.names, Rate: -1, Once: true}
		if _, err := r.Run(t.Context(), samples(t, "openssl-s_client-no-sni,openssl-s_client-default,java-httpclient")); err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		if !slices.Equal(names, test.want) {
			t.Errorf("%+v: asked for %q, want %q", test.names, names, test.want)
		}
	}
	for _, bad := range []string{"", "a", "=", "a=", "=b", "a*b=c", "a=*", "**=b"} {
		if r, err := ParseRewrite(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, r)
		}
	}
}

func TestProxyProtocolGoesFirst(t *testing.T) {
	var first atomic.Value
	target := serve(t, func(c net.Conn) {
		line := make([]byte, 6)
		_, _ = io.ReadFull(c, line)
		first.Store(string(line))
		alert(c, 40)
	})
	target.Proxy = &probe.ProxyHeader{Version: 1}
	r := Runner{Targets: []Target{target}, Rate: -1, Once: true}
	report, err := r.Run(t.Context(), samples(t, "curl-default"))
	if err != nil {
		t.Fatal(err)
	}
	if first.Load() != "PROXY " || report.Results[0][0].Record().ClientLeg.ProxyProtocol != "v1" {
		t.Errorf("began with %q, record says %q", first.Load(), report.Results[0][0].Record().ClientLeg.ProxyProtocol)
	}
}

// An endpoint behind a rate limiter must not be reported as one that loses clients.
func TestShutDoorEndsTheRun(t *testing.T) {
	var served atomic.Int32
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	target := serve(t, func(c net.Conn) {
		if served.Add(1) > 30 {
			reset(c)
			return
		}
		_ = tls.Server(c, config).Handshake()
	})
	var told []*Result
	r := Runner{Targets: []Target{target}, Rate: -1, OnResult: func(r *Result) { told = append(told, r) }}
	report, err := r.Run(t.Context(), samples(t, "all"))
	var stopped *StoppedError
	if !errors.As(err, &stopped) || !strings.Contains(stopped.Reason, "shut the door") {
		t.Fatalf("%v", err)
	}
	if stopped.Left == 0 || report.Connections > 30+60 || stopped.Sent != report.Connections {
		t.Errorf("%d connections, %d left", report.Connections, stopped.Left)
	}
	for i, results := range report.Results {
		if r := results[0]; r != nil && !answers(r.Exchange) && r.Answer.Undetermined == "" {
			t.Errorf("%s is taken for lost: %+v", report.Subjects[i].Sample, r.Answer)
		}
	}
	sent := 0
	for _, results := range report.Results {
		if results[0] != nil {
			sent++
		}
	}
	if len(told) != sent {
		t.Errorf("told of %d results of %d", len(told), sent)
	}
	for _, r := range told {
		if !answers(r.Exchange) && r.Answer.Undetermined == "" {
			t.Errorf("told as lost: %+v", r.Answer)
		}
	}
}

// A server that resets a kind of client is no firewall: it goes on answering the others.
func TestResetsOfSomeClientsDoNotEndTheRun(t *testing.T) {
	target := serve(t, func(c net.Conn) {
		h, err := hello(c)
		if err != nil || h.SupportedVersions.Len() == 0 {
			reset(c)
			return
		}
		alert(c, 40)
	})
	subjects := samples(t, "all")
	r := Runner{Targets: []Target{target}, Rate: -1, Silent: 4}
	report, err := r.Run(t.Context(), subjects)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range subjects {
		want := probe.OutcomeAlert
		if s.View.SupportedVersions.Len() == 0 {
			want = probe.OutcomeReset
		}
		if got := report.Results[i][0]; got.Outcome() != want || got.Answer.Undetermined != "" {
			t.Errorf("%s: %s %+v, want %s", s.Sample, got.Outcome(), got.Answer, want)
		}
	}
}

func TestNobodyWhoAnswersEndsTheRun(t *testing.T) {
	target := serve(t, reset)
	r := Runner{Targets: []Target{target}, Rate: -1, Concurrency: 1}
	report, err := r.Run(t.Context(), samples(t, "all"))
	var stopped *StoppedError
	if !errors.As(err, &stopped) || !strings.Contains(stopped.Reason, "it answers nobody") || report.Connections > 12 {
		t.Errorf("%v, %d connections", err, report.Connections)
	}
}

func TestAnswersThatChangeAreUndetermined(t *testing.T) {
	var n atomic.Int32
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	target := serve(t, func(c net.Conn) {
		if n.Add(1)%2 == 1 {
			_, _ = hello(c)
			alert(c, 40)
			return
		}
		_ = tls.Server(c, config).Handshake()
	})
	r := Runner{Targets: []Target{target}, Rate: -1, Concurrency: 1}
	report, err := r.Run(t.Context(), samples(t, "curl-default"))
	if err != nil {
		t.Fatal(err)
	}
	if a := report.Results[0][0].Answer; a.Accepted || a.Undetermined != "once alert handshake_failure (40), once accepted" || report.Connections != 2 {
		t.Errorf("%+v, %d connections", a, report.Connections)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	var open, most, all atomic.Int32
	target := serve(t, func(c net.Conn) {
		all.Add(1)
		now := open.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		_, _ = hello(c)
		open.Add(-1)
		alert(c, 40)
	})
	r := Runner{Targets: []Target{target}, Rate: -1, Concurrency: 3, Total: 50}
	report, err := r.Run(t.Context(), samples(t, "all"))
	var stopped *StoppedError
	if !errors.As(err, &stopped) || !strings.Contains(err.Error(), "bound on connections") {
		t.Fatalf("%v", err)
	}
	if report.Connections != 50 || all.Load() != 50 || most.Load() > 3 {
		t.Errorf("%d connections made, %d arrived, %d at a time", report.Connections, all.Load(), most.Load())
	}
}

func TestPaceIsEven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(100)
		start := time.Now()
		for range 101 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("101 waits at 100 a second took %v", took)
		}
		pause := time.NewTimer(time.Minute)
		<-pause.C
		start = time.Now()
		for range 11 {
			_ = p.wait(t.Context())
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("a pause was made up for: 11 waits took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if err := newPace(0).wait(t.Context()); err != nil {
			t.Errorf("without a bound: %v", err)
		}
	})
}

func TestCancelledRunEndsSoon(t *testing.T) {
	target := serve(t, silent)
	ctx, cancel := context.WithCancel(t.Context())
	r := Runner{Targets: []Target{target}, Rate: -1}
	done := make(chan error, 1)
	go func() { _, err := r.Run(ctx, samples(t, "all")); done <- err }()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the run goes on")
	}
}
