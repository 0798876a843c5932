package capture_test

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// small are limits that hostile input reaches soon.
var small = capture.Limits{Flows: 16, Records: 16, FlowBytes: 4 << 10, TotalBytes: 64 << 10, PacketBytes: 8 << 10, Handshakes: 8}

// FuzzRead reads any bytes as a file.
func FuzzRead(f *testing.F) {
	dir := shared(f, "captures", "files")
	seeds := 0
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := e.Info(); err == nil && info.Size() < 8<<10 {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f.Add(b)
			seeds++
		}
		return nil
	})
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o := capture.Options{
			Limits: small, OnConnection: func(c *inspect.Connection) {
				if c.Client.Address == "" {
					t.Error("a record without an address")
				}
			},
			OnPackets: func(*inspect.Connection, []capture.Packet) {},
		}
		stats, _ := capture.Read(context.Background(), bytes.NewReader(b), "fuzz", o)
		if stats.Bytes > uint64(len(b))*1100 { // gzip: at most some 1032 to 1
			t.Errorf("%d bytes of packets out of %d", stats.Bytes, len(b))
		}
	})
}

// FuzzPacket decodes any bytes as a packet of any link type, twice.
func FuzzPacket(f *testing.F) {
	for _, p := range packetsOf(f, zeekTLS(f, oneHandshake)) {
		f.Add(uint32(1), p.Data)
		f.Add(uint32(101), p.Data[14:])
		f.Add(uint32(276), append(append([]byte{8, 0}, make([]byte, 18)...), p.Data[14:]...))
		f.Add(uint32(117), append(append([]byte{61, 2, 0, 0}, make([]byte, 60)...), p.Data[14:]...))
	}
	f.Fuzz(func(t *testing.T, link uint32, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		p := capture.Packet{LinkType: link & 0x1FF, Data: b, Length: len(b)}
		stats, err := capture.Read(context.Background(), bytes.NewReader(pcapFile(littleEndian, 0xA1B2C3D4, []capture.Packet{p, p})), "fuzz", capture.Options{Limits: small})
		if err != nil || stats.Packets != 2 {
			t.Errorf("%d packets, %v", stats.Packets, err)
		}
	})
}

// FuzzSegments makes segments of a connection out of any bytes: six say which one, how much of a real conversation it holds,
// and where it lies.
func FuzzSegments(f *testing.F) {
	talk := ecdhe(f)
	var said [2][]byte
	for _, x := range talk {
		if x.client {
			said[0] = append(said[0], x.data...)
		} else {
			said[1] = append(said[1], x.data...)
		}
	}
	f.Add([]byte{0, 2, 0, 0, 0, 0, 1, 18, 0, 0, 0, 0, 0, 24, 0, 0, 0, 200, 1, 24, 0, 0, 4, 200, 0, 17, 0, 0, 0, 0})
	f.Add([]byte{0, 24, 0, 0, 0, 255, 1, 24, 0, 0, 8, 0, 1, 24, 0, 100, 8, 0, 0, 4, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		w := newBuilder()
		c, s := client(1), server()
		for ; len(program) >= 6 && len(w.b) < 1<<20; program = program[6:] {
			from, to, b := c, s, said[0]
			if program[0]&1 != 0 {
				from, to, b = s, c, said[1]
			}
			at := int(program[2])<<8 | int(program[3])
			n := (int(program[4])<<8 | int(program[5])) % 2000
			part := b[min(at, len(b)):min(at+n, len(b))]
			if program[0]&2 != 0 {
				part = program // anything
			}
			w.segmentAt(from, to, from.seq+uint32(at), program[1]&0x1F, part, uint64(program[0])<<8)
		}
		records, _ := recordsOf(t, w.b, capture.Options{Limits: small, OnPackets: func(*inspect.Connection, []capture.Packet) {}})
		for _, r := range records {
			if r.Event.Outcome == inspect.Success && r.ClientLeg.Error != nil {
				t.Errorf("%+v", r.ClientLeg.Error)
			}
		}
	})
}

// FuzzQUIC makes a connection over QUIC out of any bytes: four say what a side sends, how much of it the capture has, and when.
func FuzzQUIC(f *testing.F) {
	hello := quicHello(f)
	body := hello[4:]
	token := []byte("a token")
	pieces := [][]byte{
		initial(f, true, 0, hello), initial(f, true, 1, quicwire.AppendCrypto(nil, 0, body[:len(body)/2])), initial(f, true, 2, quicwire.AppendCrypto(nil, len(body)/2, body[len(body)/2:])),
		packetOf(f, madeID, nil, 3, hello), packetOf(f, retryID, token, 4, append(slices.Clone(hello), make([]byte, 1200)...)), retryPacket(f, token),
		negotiation(quicwire.Version1, quicwire.Version2), otherVersion(0x5A5A5A01), initial(f, false, 0, quicwire.AppendACK(nil, 0)), initial(f, false, 1, quicwire.AppendClose(nil, 0x178)),
		initial(f, true, 5, quicwire.AppendClose(nil, 0)), append([]byte{0x41}, make([]byte, 60)...),
	}
	f.Add([]byte{0, 0, 0, 255, 8, 1, 0, 255, 11, 0, 9, 255, 11, 1, 9, 255})
	f.Add([]byte{1, 0, 0, 255, 1, 0, 99, 255, 1, 0, 99, 255, 10, 0, 9, 255})
	f.Add([]byte{0, 0, 0, 255, 5, 1, 0, 255, 0, 0, 99, 255, 5, 1, 0, 255, 4, 0, 0, 255})
	f.Add([]byte{6, 1, 0, 255, 7, 0, 9, 255, 6, 1, 0, 255, 0, 0, 0, 200})
	f.Fuzz(func(t *testing.T, program []byte) {
		e := capture.Exchange{
			Client: netip.MustParseAddrPort("192.0.2.7:40001"), Server: netip.MustParseAddrPort("192.0.2.1:443"), Transport: inspect.TransportQUIC, Began: time.Unix(1_700_000_000, 0),
		}
		at := e.Began
		for ; len(program) >= 4 && len(e.Chunks) < 400; program = program[4:] {
			data := pieces[int(program[0])%len(pieces)]
			if int(program[0]) >= 2*len(pieces) {
				data = program // anything
			}
			from := inspect.FromClient
			if program[1]&1 != 0 {
				from = inspect.FromServer
			}
			at = at.Add(time.Duration(program[2]) * 10 * time.Millisecond)
			e.Chunks = append(e.Chunks, capture.Chunk{At: at, From: from, Data: data[:max(1, len(data)*int(program[3])/255)], Size: len(data)})
		}
		file, err := capture.Compose(e)
		if err != nil {
			return // a datagram that is too long
		}
		records, _ := recordsOf(t, file, capture.Options{Limits: small, OnPackets: func(*inspect.Connection, []capture.Packet) {}})
		for _, r := range records {
			leg := r.ClientLeg
			if r.Transport != inspect.TransportQUIC {
				continue
			}
			if r.Event.Outcome == inspect.Success && leg.Error != nil || leg.QUIC == nil || leg.QUIC.ShortDatagrams > leg.QUIC.Datagrams {
				t.Errorf("%s, %+v, %+v", r.Event.Outcome, leg.Error, leg.QUIC)
			}
			if e := leg.Error; e != nil && e.Type == inspect.ErrorIncompleteHello && leg.TLS.Client != nil && leg.TLS.Client.Message.Complete {
				t.Errorf("a whole hello: %+v", e)
			}
		}
	})
}
