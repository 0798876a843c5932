package replay

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
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
	listener, err := (&quic.Transport{Conn: conn}).Listen(config, &quic.Config{HandshakeIdleTimeout: time.Second})
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
