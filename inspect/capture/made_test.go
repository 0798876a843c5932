package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// builder writes a pcap of Ethernet frames.
type builder struct {
	b  []byte
	at uint64 // microseconds
}

func newBuilder() *builder {
	w := &builder{at: 1_700_000_000_000_000}
	w.b = append(w.b, 0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	return w
}

// frame appends a frame, step microseconds after the last.
func (w *builder) frame(data []byte, step uint64) {
	w.at += step
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(w.at/1e6))
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(w.at%1e6))
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(data)))
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(data)))
	w.b = append(w.b, data...)
}

const (
	fin = 1
	syn = 2
	rst = 4
	psh = 8
	ack = 16
)

// side is one end of a TCP connection that a test makes up.
type side struct {
	ip   [4]byte
	port uint16
	seq  uint32
	id   uint16
}

// segment appends a segment from one side to the other; it takes up the sequence numbers that it uses.
func (w *builder) segment(from, to *side, flags byte, payload []byte, step uint64) {
	w.segmentAt(from, to, from.seq, flags, payload, step)
	from.seq += uint32(len(payload))
	if flags&(syn|fin) != 0 {
		from.seq++
	}
}

func (w *builder) segmentAt(from, to *side, seq uint32, flags byte, payload []byte, step uint64) {
	from.id++
	f := make([]byte, 0, 54+len(payload))
	f = append(f, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)
	f = append(f, 0x45, 0)
	f = binary.BigEndian.AppendUint16(f, uint16(40+len(payload)))
	f = binary.BigEndian.AppendUint16(f, from.id)
	f = append(f, 0, 0, 64, 6, 0, 0)
	f = append(append(f, from.ip[:]...), to.ip[:]...)
	f = binary.BigEndian.AppendUint16(f, from.port)
	f = binary.BigEndian.AppendUint16(f, to.port)
	f = binary.BigEndian.AppendUint32(f, seq)
	f = binary.BigEndian.AppendUint32(f, to.seq)
	f = append(f, 0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0)
	w.frame(append(f, payload...), step)
}

// open appends the three packets by which a connection begins.
func (w *builder) open(client, server *side) {
	w.segment(client, server, syn, nil, 10)
	w.segment(server, client, syn|ack, nil, 10)
	w.segment(client, server, ack, nil, 10)
}

// close appends the packets by which it ends.
func (w *builder) close(client, server *side) {
	w.segment(client, server, fin|ack, nil, 10)
	w.segment(server, client, fin|ack, nil, 10)
	w.segment(client, server, ack, nil, 10)
}

// turn is what one side says in a recorded handshake.
type turn struct {
	client bool
	data   []byte
}

// recorded is a handshake out of the collection, in the order of its packets: what the two sides of its only connection said.
func recorded(tb testing.TB, elem ...string) []turn {
	tb.Helper()
	b, err := os.ReadFile(shared(tb, append([]string{"captures", "files"}, elem...)...))
	if err != nil {
		tb.Fatal(err)
	}
	var turns []turn
	_, err = capture.Read(context.Background(), bytes.NewReader(b), "recorded", capture.Options{
		OnConnection: func(*inspect.Connection) {},
		OnPackets: func(c *inspect.Connection, packets []capture.Packet) {
			for _, p := range packets {
				ip := p.Data[14:]
				header := int(ip[0]&15) * 4
				tcp := ip[header:binary.BigEndian.Uint16(ip[2:])]
				data := tcp[int(tcp[12]>>4)*4:]
				if len(data) > 0 {
					turns = append(turns, turn{int(binary.BigEndian.Uint16(tcp)) == c.Client.Port, bytes.Clone(data)})
				}
			}
		},
	})
	if err != nil || len(turns) == 0 {
		tb.Fatalf("%d turns, %v", len(turns), err)
	}
	return turns
}

func client(n int) *side {
	return &side{ip: [4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}, port: uint16(1024 + n%60000), seq: uint32(n) * 7919}
}

func server() *side { return &side{ip: [4]byte{192, 0, 2, 1}, port: 443, seq: 1 << 31} }

// handshakes is a capture of n handshakes and hardly anything else.
func handshakes(tb testing.TB, n int, talk []turn) []byte {
	tb.Helper()
	w := newBuilder()
	for i := range n {
		c, s := client(i), server()
		w.open(c, s)
		for _, t := range talk {
			if t.client {
				w.segment(c, s, psh|ack, t.data, 10)
			} else {
				w.segment(s, c, psh|ack, t.data, 10)
			}
		}
		w.close(c, s)
	}
	return w.b
}

// payload is a capture of a few connections that move n segments of application data each.
func payload(tb testing.TB, connections, n int) []byte {
	talk := recorded(tb, "zeek+zeek", "testing", "btest", "Traces", "tls", "ecdhe.pcap")
	w := newBuilder()
	record := make([]byte, 1448)
	copy(record, []byte{23, 3, 3, byte((1448 - 5) >> 8), (1448 - 5) & 0xFF})
	for i := range connections {
		c, s := client(i), server()
		w.open(c, s)
		for _, t := range talk {
			if t.client {
				w.segment(c, s, psh|ack, t.data, 10)
			} else {
				w.segment(s, c, psh|ack, t.data, 10)
			}
		}
		for range n {
			w.segment(s, c, ack, record, 5)
			w.segment(s, c, ack, record, 5)
			w.segment(c, s, ack, nil, 5)
		}
		w.close(c, s)
	}
	return w.b
}

// TestNoAllocationsPerPacket reads two captures that differ only in how much payload moves.
func TestNoAllocationsPerPacket(t *testing.T) {
	few, many := payload(t, 4, 200), payload(t, 4, 2200)
	allocations := func(file []byte) float64 {
		return testing.AllocsPerRun(3, func() {
			if _, err := capture.Read(context.Background(), bytes.NewReader(file), "few", capture.Options{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	a, b := allocations(few), allocations(many)
	if more := b - a; more > 40 {
		t.Errorf("24000 packets more cost %.0f allocations more", more)
	}
}
