package probe_test

import (
	"bytes"
	"crypto/tls"
	"net"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// relayed relays datagrams to a server, and drops those of the client, by their number, that it does not want to pass on.
func relayed(t *testing.T, to string, passes func(number int, datagram []byte) bool) (address string) {
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
	clients := make(chan net.Addr, 1)
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
			if passes(i, room[:n]) {
				_, _ = back.Write(room[:n])
			}
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
	return front.LocalAddr().String()
}

func TestLostDatagramsAreSentAgain(t *testing.T) {
	id := ecdsaIdentity(t, "quic.example")
	config := &tls.Config{Certificates: []tls.Certificate{id.Certificate}, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	hello := func() *probe.Hello {
		return probe.Offer{ServerName: "quic.example", ALPN: []string{"h3"}, Groups: []wire.NamedGroup{wire.GroupX25519MLKEM768, wire.GroupX25519}}.Hello().ForQUIC(quicwire.Version1)
	}
	for lost := range 2 {
		dropped := make(chan struct{})
		address := relayed(t, serveQUIC(t, config, false), func(number int, _ []byte) bool {
			if number == lost {
				close(dropped)
			}
			return number != lost
		})
		x := patient().Exchange(t.Context(), probe.Target{Address: address, QUIC: true}, hello(), probe.Options{Until: probe.UntilFlight})
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

// The server's connection id is the destination from its first packet on (RFC 9000, Section 7.2): of the second hello, too.
func TestTheServersConnectionIDIsUsedAtOnce(t *testing.T) {
	id := ecdsaIdentity(t, "quic.example")
	config := &tls.Config{Certificates: []tls.Certificate{id.Certificate}, NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP384}}
	var first []byte
	destinations := make(chan []byte, 1)
	address := relayed(t, serveQUIC(t, config, false), func(number int, datagram []byte) bool {
		var h quicwire.Header
		if _, err := quicwire.ParseHeader(datagram, &h); err != nil || h.Type != quicwire.PacketInitial {
			return true
		}
		if first == nil {
			first = bytes.Clone(h.DestinationID)
		} else if !bytes.Equal(first, h.DestinationID) && len(destinations) == 0 {
			destinations <- bytes.Clone(h.DestinationID)
		}
		return bytes.Equal(first, h.DestinationID) == (number == 0) // what comes late with the first one is lost
	})
	x := patient().Exchange(t.Context(), probe.Target{Address: address, QUIC: true}, probe.Offer{ServerName: "quic.example", ALPN: []string{"h3"}}.Hello().ForQUIC(quicwire.Version1), probe.Options{Until: probe.UntilFlight})
	if x.RetryRequest == nil || !x.Accepted() {
		t.Fatalf("%s, retry request %v", x.Describe(), x.RetryRequest)
	}
	if id := <-destinations; len(id) == 0 {
		t.Error("no packet went to an id of the server's")
	}
}
