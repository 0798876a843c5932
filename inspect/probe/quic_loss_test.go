package probe_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// lossy relays datagrams to a server, and drops one of the client's once.
func lossy(t *testing.T, to string, lost int) (address string, dropped <-chan struct{}) {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close(); back.Close() })
	gone, clients := make(chan struct{}), make(chan net.Addr, 1)
	go func() {
		room := make([]byte, 1<<16)
		for i := 0; ; i++ {
			n, from, err := front.ReadFrom(room)
			if err != nil {
				return
			}
			if i == 0 {
				clients <- from
			}
			if i == lost {
				close(gone)
				continue
			}
			_, _ = back.Write(room[:n])
		}
	}()
	go func() {
		client := <-clients
		room := make([]byte, 1<<16)
		for {
			n, err := back.Read(room)
			if err != nil {
				return
			}
			_, _ = front.WriteTo(room[:n], client)
		}
	}()
	return front.LocalAddr().String(), gone
}

func TestLostDatagramsAreSentAgain(t *testing.T) {
	id := ecdsaIdentity(t, "quic.example")
	config := &tls.Config{Certificates: []tls.Certificate{id.Certificate}, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	hello := func() *probe.Hello {
		return probe.Offer{ServerName: "quic.example", ALPN: []string{"h3"}, Groups: []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519}}.Hello().ForQUIC(quicwire.Version1)
	}
	for lost := range 2 {
		address, dropped := lossy(t, serveQUIC(t, config, false), lost)
		x := (&probe.Client{}).Exchange(t.Context(), probe.Target{Address: address, QUIC: true}, hello(), probe.Options{Until: probe.UntilFlight})
		select {
		case <-dropped:
		default:
			t.Fatalf("datagram %d was not sent", lost)
		}
		if !x.Accepted() || x.ServerHello == nil {
			t.Errorf("datagram %d lost: %s", lost, x.Describe())
		}
	}
}
