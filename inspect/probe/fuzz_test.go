package probe_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// What is read as a hello is sent as it was read, and can be changed in every way without a panic.
func FuzzHello(f *testing.F) {
	for _, h := range []*probe.Hello{probe.Modern("fuzz.example"), probe.Legacy("fuzz.example", wire.VersionTLS10), probe.Modern("").ForQUIC(0)} {
		flight, err := h.Flight()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(flight[0])
		f.Add(flight[0][5:])
	}
	f.Add([]byte("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10\x00\x00\x2f\x00\x00\x35\x00\x00\x0a\x01\x00\x80\x00\x00\x05\x00\x00\x04\x00\x00\xff0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := probe.Parse(b)
		if err != nil {
			return
		}
		message, err := h.Message()
		if err != nil {
			t.Fatalf("what was read has no form: %v", err)
		}
		if !bytes.Contains(bytes.Join([][]byte{b}, nil), message[:min(len(message), 6)]) {
			t.Fatalf("%x is not the beginning of anything in %x", message[:6], b)
		}
		flight, err := h.Flight()
		if err != nil {
			return // an SSLv2-format message of 32 KiB and more
		}
		again, err := probe.Parse(bytes.Join(flight, nil))
		if err != nil {
			t.Fatalf("what was sent does not read: %v", err)
		}
		if m, err := again.Message(); err != nil || !bytes.Equal(m, message) {
			t.Fatalf("sent and read again it is %x, was %x", m, message)
		}
		_, _, _, _, _ = h.ServerName(), h.ALPN(), h.Versions(), h.Groups(), h.KeyShareGroups()
		fresh := h.Fresh()
		fresh.SetServerName("x.example")
		fresh.SetALPN("h2")
		fresh.Pad(2000)
		fresh.Reorder(wire.ExtensionALPN)
		fresh.Remove(wire.ExtensionServerName)
		for _, other := range []*probe.Hello{fresh, fresh.ForQUIC(0), fresh.ForTCP(), h.InTLSFormat(), h.Fresh()} {
			if _, err := other.View(); err != nil && other.SSLv2 {
				t.Fatalf("changed it does not read: %v", err)
			}
		}
		if second, err := h.Retry(&wire.ServerHello{Group: wire.GroupSecp384r1, Cookie: []byte{1}}); err == nil {
			_ = second.Size()
		}
	})
}

// scripted is a connection to a server that says something and closes.
type scripted struct {
	net.Conn
	says *bytes.Reader
}

func (s *scripted) Read(b []byte) (int, error)       { return s.says.Read(b) }
func (s *scripted) Write(b []byte) (int, error)      { return len(b), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443} }
func (s *scripted) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 50000} }

// Whatever a server says, an exchange ends with an outcome.
func FuzzServer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), uint8(0))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x28"), uint8(1))
	f.Add([]byte("220 mail\r\n250 ok\r\n220 go\r\n\x15\x03\x03\x00\x02\x02\x28"), uint8(4))
	f.Add(serverFlight(f, wire.VersionTLS12), uint8(2))
	f.Add(serverFlight(f, wire.VersionTLS13), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		client := &probe.Client{Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
			return &scripted{says: bytes.NewReader(b)}, nil
		}}
		target := probe.Target{Address: "192.0.2.1:443"}
		protocols := append([]probe.StartTLS{""}, probe.StartTLSProtocols()...)
		target.StartTLS = protocols[int(kind/4)%len(protocols)]
		hello := probe.Modern("fuzz.example")
		if kind&0x80 != 0 {
			hello.SSLv2, hello.CipherKinds = true, []wire.SSLv2CipherKind{0x2f, 0x010080}
		}
		x := client.Exchange(t.Context(), target, hello, probe.Options{Until: probe.Goal(kind % 4)})
		if x.Outcome == "" || x.Connection == nil {
			t.Fatalf("no outcome: %+v", x)
		}
		_ = x.Describe()
		if x.Accepted() && x.ServerHello == nil && x.SSLv2ServerHello == nil {
			t.Fatal("accepted without a ServerHello")
		}
	})
}

// Whatever comes over UDP, an exchange ends with an outcome.
func FuzzDatagrams(f *testing.F) {
	f.Add([]byte("\xc0\x00\x00\x00\x00\x00\x08abcdefgh\x6b\x33\x43\xcf"))
	f.Add([]byte("\xf0\x00\x00\x00\x01\x00\x04abcdtoken0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		client := &probe.Client{Timeouts: probe.Timeouts{Answer: time.Millisecond}, Dial: func(context.Context, string, string) (net.Conn, error) {
			return &scripted{says: bytes.NewReader(b)}, nil
		}}
		x := client.Exchange(t.Context(), probe.Target{Address: "192.0.2.1:443", QUIC: true}, probe.Modern("fuzz.example").ForQUIC(0), probe.Options{})
		if x.Outcome == "" || x.Connection == nil {
			t.Fatalf("no outcome: %+v", x)
		}
	})
}

// serverFlight is what a real server answers to some hello; it does not fit another one, which is the point.
func serverFlight(f *testing.F, version wire.Version) []byte {
	f.Helper()
	id := ecdsaIdentity(f, "fuzz.example")
	address := serveTLS(f, tlsConfig(id, version))
	hello := probe.Offer{Versions: []wire.Version{version}}.Hello()
	flight, err := hello.Flight()
	if err != nil {
		f.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		f.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(flight[0]); err != nil {
		f.Fatal(err)
	}
	room := make([]byte, 1<<14)
	n, err := conn.Read(room)
	if err != nil {
		f.Fatal(err)
	}
	return room[:n]
}
