package replay

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/recording"
)

// A hello that was recorded over QUIC goes out in QUIC Initial packets, beside those that came over TCP.
func TestHellosOfQUICGoOverQUIC(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	listener, err := (&quic.Transport{Conn: conn}).Listen(config, &quic.Config{HandshakeIdleTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for {
			if _, err := listener.Accept(ctx); err != nil {
				return
			}
		}
	}()
	target := Target{Label: "quic", Target: probe.Target{Address: conn.LocalAddr().String()}}

	// The recording: what such an exchange's own record says of its hello.
	offer := probe.Offer{ServerName: "quic.example", ALPN: []string{"h3"}}
	x := (&probe.Client{}).Exchange(t.Context(), probe.Target{Address: target.Address, QUIC: true}, offer.Hello().ForQUIC(0), probe.Options{})
	if !x.Accepted() {
		t.Fatalf("%s", x.Describe())
	}
	line, err := json.Marshal(x.Connection)
	if err != nil {
		t.Fatal(err)
	}
	var c recording.Collection
	if err := c.Read(bytes.NewReader(append(line, '\n')), "quic"); err != nil {
		t.Fatal(err)
	}
	subjects, _ := FromKinds(c.Kinds(), 0)
	if len(subjects) != 1 || !subjects[0].QUIC || subjects[0].Name != "quic.example" {
		t.Fatalf("%+v", subjects)
	}
	r := Runner{Targets: []Target{target}, Rate: -1, Client: &probe.Client{Timeouts: probe.Timeouts{Answer: 20 * time.Second}}}
	report, err := r.Run(t.Context(), subjects)
	if err != nil {
		t.Fatal(err)
	}
	got := report.Results[0][0]
	if !got.Answer.Accepted || got.Answer.Choice.Version != "TLSv1.3" || got.Answer.Choice.NextProtocol != "h3" || got.Answer.Choice.Key != "ECDSA" {
		t.Errorf("%s: %+v", got.Outcome(), got.Answer)
	}
	// Hellos of TCP can be sent as their clients might over QUIC: those that offer TLS 1.3.
	over, left := OverQUIC(samples(t, "curl-default,java6,curl-tls12,go-http"))
	if len(over) != 2 || left != 2 {
		t.Fatalf("%d over QUIC, %d left", len(over), left)
	}
	report, err = r.Run(t.Context(), over)
	if err != nil {
		t.Fatal(err)
	}
	for i, results := range report.Results {
		if a := results[0].Answer; !a.Accepted || a.Choice.NextProtocol != "h3" || results[0].Sent != over[i].Shape {
			t.Errorf("%s: %+v", over[i].Sample, a)
		}
	}
	back := OverTCP(over)
	if len(back) != 2 || back[0].QUIC || back[0].View.QUICTransportParameters != nil {
		t.Errorf("%+v", back[0])
	}
	if record := got.Record(); record.Transport != inspect.TransportQUIC || got.Sent != subjects[0].Shape {
		t.Errorf("record over %s, sent %s, recorded %s", record.Transport, got.Sent, subjects[0].Shape)
	}
}

// Over UDP nobody says that nobody is there: that nothing comes back is no loss, and hellos that go over TCP are asked all the same.
func TestNobodyOverQUICIsUndetermined(t *testing.T) {
	var over []*Subject
	for range DefaultSilent + 4 {
		more, _ := OverQUIC(samples(t, "chromium"))
		over = append(over, more...)
	}
	target := serveTLS(t, &tls.Config{}) // over TCP alone
	for _, test := range []struct {
		name     string
		subjects []*Subject
		most     int
	}{{"one", over[:1], 3}, {"many", over, 20}, {"beside TCP", append(slices.Clone(over), samples(t, "curl-default,go-default")...), 20}} {
		// One at a time, so that nothing else is under way while the target is asked whether it is there.
		r := Runner{Targets: []Target{target}, Rate: -1, Concurrency: 1, Client: &probe.Client{Timeouts: probe.Timeouts{Answer: time.Second}}}
		report, err := r.Run(t.Context(), test.subjects)
		t.Logf("%s: %d subjects, %d connections", test.name, len(test.subjects), report.Connections)
		var stopped *StoppedError
		if !errors.As(err, &stopped) || !strings.Contains(stopped.Reason, "over QUIC") || report.Connections > test.most {
			t.Errorf("%s: %v, %d connections", test.name, err, report.Connections)
		}
		lost, undetermined, _ := Losses(test.subjects, Side{Answers: report.Answers(0)})
		overTCP := 0
		for _, s := range test.subjects {
			if !s.QUIC {
				overTCP++
			}
		}
		if lost.Shapes != 0 || undetermined.Shapes != len(test.subjects)-overTCP {
			t.Errorf("%s: %d lost, %d undetermined of %d", test.name, lost.Shapes, undetermined.Shapes, len(test.subjects))
		}
	}
}

// What the canary does not answer over QUIC is no difference.
func TestShadowOverQUICNeedsAnAnswer(t *testing.T) {
	results := make(chan *Difference, 1)
	s := &Shadow{
		Target: serveTLS(t, &tls.Config{}), Rate: -1, Client: &probe.Client{Timeouts: probe.Timeouts{Answer: time.Second}},
		OnResult: func(_ *inspect.Connection, d *Difference, _ *Result) { results <- d },
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.Run(ctx)
	over, _ := OverQUIC(samples(t, "chromium"))
	s.Observe(&inspect.Connection{
		Timestamp: time.Now(), Transport: inspect.TransportQUIC, Event: inspect.Event{Outcome: inspect.Success},
		ClientLeg: &inspect.Leg{TLS: &inspect.TLS{Established: true, Client: inspect.DescribeHello(over[0].View, 0, inspect.TransportQUIC)}},
	})
	select {
	case d := <-results:
		if d.Class != Undetermined {
			t.Errorf("%+v", d)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was sent")
	}
}
