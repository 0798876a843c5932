package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// vpnEnd is one end of OpenVPN that a test makes up.
type vpnEnd struct {
	session [8]byte
	digest  int
	number  uint32
}

// packet is one of the control channel that acknowledges so many.
func (e *vpnEnd) packet(operation, acks byte, tls []byte) []byte {
	b := append([]byte{operation << 3}, e.session[:]...)
	if e.digest > 0 {
		b = append(b, bytes.Repeat([]byte{0xA5}, e.digest)...)
		b = binary.BigEndian.AppendUint32(b, e.number+1)
		b = append(b, 0x65, 1, 2, 3)
	}
	b = append(b, acks)
	if acks > 0 {
		b = append(b, make([]byte, int(acks)*4)...)
		b = append(b, 8, 7, 6, 5, 4, 3, 2, 1)
	}
	if operation == 5 {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, e.number)
	e.number++
	return append(b, tls...)
}

// vpnTurns are a recorded handshake inside OpenVPN, with resets before and data behind it.
func vpnTurns(tb testing.TB, digest, size int) []turn {
	c, s := &vpnEnd{session: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, digest: digest}, &vpnEnd{session: [8]byte{9, 9, 9, 9, 9, 9, 9, 9}, digest: digest}
	turns := []turn{{true, c.packet(7, 0, nil)}, {false, s.packet(8, 1, nil)}, {true, c.packet(5, 1, nil)}}
	for i, x := range pieces(ecdhe(tb), size) {
		from, to := s, c
		if x.client {
			from, to = c, s
		}
		turns = append(turns, turn{x.client, from.packet(4, byte(i%3), x.data)}, turn{!x.client, to.packet(5, 1, nil)})
	}
	for i := range 6 {
		turns = append(turns, turn{i%2 == 0, bytes.Repeat([]byte{9 << 3}, 120)})
	}
	return turns
}

// udpDatagram appends a datagram.
func (w *builder) udpDatagram(from, to *side, payload []byte, step uint64) {
	f := cat(make([]byte, 12), []byte{8, 0, 0x45, 0}, be16(28+len(payload)), []byte{0, 0, 0, 0, 64, 17, 0, 0}, from.ip[:], to.ip[:],
		be16(int(from.port)), be16(int(to.port)), be16(8+len(payload)), []byte{0, 0}, payload)
	w.frame(f, step)
}

func TestOpenVPNOverUDP(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, digest := range []int{0, 16, 20, 32, 64} {
		for _, shuffled := range []bool{false, true} {
			t.Run(fmt.Sprint(digest, shuffled), func(t *testing.T) {
				turns := vpnTurns(t, digest, 300)
				if shuffled { // within a few packets, and some again
					for at := 3; at+4 < len(turns); at += 4 {
						part := turns[at : at+4]
						random.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
					}
					turns = append(turns[:9:9], append([]turn{turns[3], turns[5], turns[7]}, turns[9:]...)...)
				}
				w := newBuilder()
				c, s := client(5), server()
				s.port = 1194
				for _, x := range turns {
					if x.client {
						w.udpDatagram(c, s, x.data, 100)
					} else {
						w.udpDatagram(s, c, x.data, 100)
					}
				}
				vpnRecord(t, w.b, c, "udp", "openvpn")
			})
		}
	}
}

func TestOpenVPNOverTCP(t *testing.T) {
	for _, digest := range []int{0, 20, 32} {
		for _, cut := range []int{1, 7, 100, 1400} {
			t.Run(fmt.Sprint(digest, cut), func(t *testing.T) {
				w := newBuilder()
				c, s := client(5), server()
				s.port = 443
				w.open(c, s)
				for _, x := range vpnTurns(t, digest, 1000) {
					framed := cat(be16(len(x.data)), x.data)
					for len(framed) > 0 {
						n := min(cut, len(framed))
						if x.client {
							w.segment(c, s, psh|ack, framed[:n], 20)
						} else {
							w.segment(s, c, psh|ack, framed[:n], 20)
						}
						framed = framed[n:]
					}
				}
				w.close(c, s)
				vpnRecord(t, w.b, c, inspect.TransportTCP, "")
			})
		}
	}
}

func vpnRecord(t *testing.T, file []byte, c *side, transport, datagram string) {
	t.Helper()
	records, stats := recordsOf(t, file, capture.Options{})
	if len(records) != 1 {
		t.Fatalf("%d records, %+v", len(records), stats)
	}
	r := records[0]
	want := summary(direct(t))
	r.Client, r.Server = inspect.Endpoint{}, inspect.Endpoint{}
	if got := summary(r); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	if r.Transport != transport || r.Capture.Upgrade != "openvpn" || r.Capture.Datagram != datagram {
		t.Errorf("%s, %+v", r.Transport, r.Capture)
	}
}

// direct is the record of the same handshake over TCP alone, without its ends.
func direct(t *testing.T) *inspect.Connection {
	records, _ := recordsOf(t, conversationOf(pieces(ecdhe(t), 1000), 9), capture.Options{})
	r := records[0]
	r.Client, r.Server = inspect.Endpoint{}, inspect.Endpoint{}
	return r
}

// TestOpenVPNFromTheMiddle begins with the hello.
func TestOpenVPNFromTheMiddle(t *testing.T) {
	w := newBuilder()
	c, s := client(5), server()
	for _, x := range vpnTurns(t, 20, 1200)[3:] {
		if x.client {
			w.udpDatagram(c, s, x.data, 100)
		} else {
			w.udpDatagram(s, c, x.data, 100)
		}
	}
	vpnRecord(t, w.b, c, "udp", "openvpn")
}

// TestOpenVPNThatIsEncrypted has no TLS in the clear (tls-crypt): that is no record and no fault.
func TestOpenVPNThatIsEncrypted(t *testing.T) {
	random := rand.NewChaCha8([32]byte{4})
	w := newBuilder()
	c, s := client(5), server()
	w.open(c, s)
	for i := range 20 {
		b := make([]byte, 54+i*10)
		_, _ = random.Read(b)
		b[0] = []byte{7, 8, 4, 4}[min(i, 3)] << 3
		w.udpDatagram(c, s, b, 100)
		if i%2 == 0 {
			w.segment(c, s, psh|ack, cat(be16(len(b)), b), 10)
		} else {
			w.segment(s, c, psh|ack, cat(be16(len(b)), b), 10)
		}
	}
	w.close(c, s)
	if records, _ := recordsOf(t, w.b, capture.Options{}); len(records) != 0 {
		t.Errorf("%+v", records[0])
	}
}
