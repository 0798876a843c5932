package probe_test

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/porttest"
	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// serveQUIC is a QUIC server that does nothing with its connections.
func serveQUIC(t *testing.T, config *tls.Config, retry bool, versions ...quic.Version) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: conn, VerifySourceAddress: func(net.Addr) bool { return retry }}
	listener, err := transport.Listen(config, &quic.Config{Versions: versions, HandshakeIdleTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := listener.Accept(ctx); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		_ = transport.Close()
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

func TestExchangesOverQUIC(t *testing.T) {
	id := ecdsaIdentity(t, "quic.example")
	plain := &tls.Config{Certificates: []tls.Certificate{id.Certificate}, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	picky := plain.Clone()
	picky.CurvePreferences = []tls.CurveID{tls.CurveP384}
	h3 := probe.Offer{ServerName: "quic.example", ALPN: []string{"h3"}}
	large := probe.Offer{ServerName: "quic.example", ALPN: []string{"h3"}, Groups: []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519}}
	other := probe.Offer{ServerName: "quic.example", ALPN: []string{"other"}}
	for name, tc := range map[string]struct {
		config   *tls.Config
		retry    bool
		versions []quic.Version
		offer    probe.Offer
		version  quicwire.Version
		check    func(*testing.T, *probe.Exchange)
	}{
		"version 1": {config: plain, offer: h3},
		"version 2": {config: plain, offer: h3, version: quicwire.Version2, check: func(t *testing.T, x *probe.Exchange) {
			if x.QUIC.Version != quicwire.Version2 {
				t.Errorf("version %s", x.QUIC.Version)
			}
		}},
		"retry": {config: plain, retry: true, offer: h3, check: func(t *testing.T, x *probe.Exchange) {
			if !x.QUIC.Retry {
				t.Error("no Retry was seen")
			}
		}},
		"version negotiation": {config: plain, versions: []quic.Version{quic.Version2}, offer: h3, check: func(t *testing.T, x *probe.Exchange) {
			if !slices.Contains(x.QUIC.Versions, quicwire.Version2) || x.QUIC.Version != quicwire.Version2 {
				t.Errorf("versions %v, went on in %s", x.QUIC.Versions, x.QUIC.Version)
			}
		}},
		"two datagrams": {config: plain, offer: large, check: func(t *testing.T, x *probe.Exchange) {
			if x.Group != wire.GroupX25519MLKEM768 {
				t.Errorf("group %s", x.Group)
			}
		}},
		"hello retry request": {config: picky, offer: h3, check: func(t *testing.T, x *probe.Exchange) {
			if x.RetryRequest == nil || x.Group != wire.GroupSecp384r1 || !x.Connection.ClientLeg.TLS.HelloRetryRequest {
				t.Errorf("group %s, %+v", x.Group, x.RetryRequest)
			}
		}},
		"no common protocol": {config: plain, offer: other, check: func(t *testing.T, x *probe.Exchange) {
			if x.Alert == nil || x.Alert.Description != wire.AlertNoApplicationProtocol {
				t.Errorf("alert %+v", x.Alert)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveQUIC(t, tc.config, tc.retry, tc.versions...)
			hello := tc.offer.Hello().ForQUIC(tc.version)
			x := patient().Exchange(t.Context(), probe.Target{Address: address, QUIC: true, QUICVersion: tc.version}, hello, probe.Options{})
			if tc.check != nil {
				tc.check(t, x)
			}
			if x.Connection.Transport != inspect.TransportQUIC {
				t.Errorf("transport %s", x.Connection.Transport)
			}
			if x.Alert != nil {
				return
			}
			if !x.Accepted() || !x.Flight || len(x.Certificates) != 1 || x.ALPN != "h3" {
				t.Errorf("%s: %+v, flight %v, %d certificates, protocol %q", x.Describe(), x.Error, x.Flight, len(x.Certificates), x.ALPN)
			}
		})
	}
}

func TestNobodyListensOnTheUDPPort(t *testing.T) {
	address := porttest.FreeAddress(t)
	large := probe.Modern("").ForQUIC(0) // of several datagrams: one of them meets the refusal of the one before
	large.Pad(6000)
	for _, hello := range []*probe.Hello{probe.Modern("").ForQUIC(0), large} {
		x := patient().Exchange(t.Context(), probe.Target{Address: address, QUIC: true}, hello, probe.Options{})
		if x.Outcome != probe.OutcomeNotConnected || x.Error.Type != inspect.ErrorRefused {
			t.Errorf("%d bytes: %s, %+v", hello.Size(), x.Outcome, x.Error)
		}
	}
}
