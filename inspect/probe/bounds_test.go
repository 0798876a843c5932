package probe_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/servertest"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

func tlsConfig(id servertest.Identity, version wire.Version) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{id.Certificate}, MinVersion: uint16(version), MaxVersion: uint16(version)}
}

// A server that never ends costs no more than the bounds say.
func TestEndlessServersAreLeft(t *testing.T) {
	record := func(kind byte, payload []byte) []byte {
		b := append([]byte{kind, 3, 3}, binary.BigEndian.AppendUint16(nil, uint16(len(payload)))...)
		return append(b, payload...)
	}
	endless := func(chunk []byte) string {
		return serve(t, func(conn net.Conn) {
			for {
				if _, err := conn.Write(chunk); err != nil {
					return
				}
			}
		})
	}
	for name, address := range map[string]string{
		"warnings":         endless(record(21, []byte{1, 90})),
		"empty records":    endless(record(22, nil)),
		"hello requests":   endless(record(22, []byte{0, 0, 0, 0})),
		"a message":        endless(record(22, append([]byte{2, 0xFF, 0xFF, 0xFF}, make([]byte, 1000)...))),
		"change of cipher": endless(record(20, []byte{1})),
		"text":             endless([]byte("no TLS at all, and no end ")),
	} {
		t.Run(name, func(t *testing.T) {
			client := &probe.Client{MaxBytes: 128 << 10, Timeouts: probe.Timeouts{Answer: 20 * time.Second}}
			x := client.Exchange(t.Context(), probe.Target{Address: address}, probe.Modern(""), probe.Options{Until: probe.UntilAnswer})
			if x.Error == nil || x.Error.Type == inspect.ErrorTimeout {
				t.Errorf("%s: %+v", x.Outcome, x.Error)
			}
			if x.Outcome != probe.OutcomeNotTLS {
				t.Errorf("%s: it neither closed nor was silent", x.Outcome)
			}
			if x.Received > 192<<10 || len(x.Alerts) > 16 {
				t.Errorf("%d bytes, %d alerts", x.Received, len(x.Alerts))
			}
		})
	}
}

func TestCancellingEndsAnExchange(t *testing.T) {
	address := serve(t, discard)
	ctx, cancel := context.WithCancel(t.Context())
	connected := make(chan struct{})
	client := &probe.Client{Timeouts: probe.Timeouts{Answer: time.Hour}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		defer close(connected)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	go func() { <-connected; cancel() }()
	x := client.Exchange(ctx, probe.Target{Address: address}, probe.Modern(""), probe.Options{})
	if x.Error == nil || x.Error.Type != inspect.ErrorShutdown {
		t.Errorf("%+v", x.Error)
	}
}

func TestNoGoroutineStays(t *testing.T) {
	id := ecdsaIdentity(t, "leak.example")
	address := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{id.Certificate}})
	silent := serve(t, discard)
	client := &probe.Client{Timeouts: probe.Timeouts{Answer: 20 * time.Millisecond}}
	before := runtime.NumGoroutine()
	for range 20 {
		client.Exchange(t.Context(), probe.Target{Address: address}, probe.Modern("leak.example"), probe.Options{Until: probe.UntilFinished})
		client.Exchange(t.Context(), probe.Target{Address: silent}, probe.Modern("leak.example"), probe.Options{})
		client.Exchange(t.Context(), probe.Target{Address: silent, QUIC: true}, probe.Modern("leak.example").ForQUIC(0), probe.Options{})
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		<-again.C // the servers' handlers end when they see the end of their connections
	}
	if after := runtime.NumGoroutine(); after > before {
		room := make([]byte, 1<<20)
		t.Errorf("%d goroutines, were %d\n%s", after, before, room[:runtime.Stack(room, true)])
	}
}

// A chain of more certificates than are kept is counted to its end, in every version.
func TestLongChainsAreCounted(t *testing.T) {
	id := ecdsaIdentity(t, "long.example")
	long := id.Certificate
	for len(long.Certificate) < 130 {
		long.Certificate = append(long.Certificate, id.Certificate.Certificate[0])
	}
	for _, version := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		config := tlsConfig(id, version)
		config.Certificates = []tls.Certificate{long}
		x := patient().Exchange(t.Context(), probe.Target{Address: serveTLS(t, config)}, probe.Modern("long.example"), probe.Options{})
		s := x.Connection.ClientLeg.TLS.Server
		if len(x.Certificates) != 100 || x.CertificatesBeyond != 30 || len(s.CertificateChain) != 100 || s.CertificatesSent != 130 {
			t.Errorf("%s: %d and %d more, %d of %d in the record", version, len(x.Certificates), x.CertificatesBeyond, len(s.CertificateChain), s.CertificatesSent)
		}
	}
}
