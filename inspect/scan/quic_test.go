package scan

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

func TestAnEndpointOverQUIC(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	transport := &quic.Transport{Conn: conn}
	defer transport.Close()
	listener, err := transport.Listen(&tls.Config{
		Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{"h3"}, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	}, &quic.Config{HandshakeIdleTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			if _, err := listener.Accept(context.Background()); err != nil {
				return
			}
		}
	}()
	s := &Scanner{Client: &probe.Client{Timeouts: probe.Timeouts{Answer: 2 * time.Second}}, Concurrency: 4}
	r := s.Address(context.Background(), Target{Endpoint: probe.Target{Address: conn.LocalAddr().String(), QUIC: true}, ServerName: "localhost"})
	if want := []string{"TLSv1.3"}; !slices.Equal(r.Versions, want) {
		t.Fatalf("versions %v, want %v; layers %+v", r.Versions, want, r.Layers)
	}
	if want := []string{"x25519", "secp256r1"}; !slices.Equal(r.Groups, want) {
		t.Errorf("groups %v, want %v", r.Groups, want)
	}
	if len(r.Ciphers["TLSv1.3"]) != 3 || !slices.Equal(r.ALPN, []string{"h3"}) || r.UnknownALPN != ALPNRefused {
		t.Errorf("ciphers %v, ALPN %v, an unknown one is %s", r.Ciphers, r.ALPN, r.UnknownALPN)
	}
	if len(r.Certificates) != 1 || r.QUIC == nil || !slices.Contains(r.QUIC.Versions, "v1") {
		t.Errorf("%d certificates, QUIC %+v", len(r.Certificates), r.QUIC)
	}
	for _, text := range r.Inconclusive {
		t.Errorf("inconclusive: %s", text)
	}
}
