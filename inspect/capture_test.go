package inspect_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// shared gives the path of a file that is kept beside the module, and skips the test where it is not.
func shared(tb testing.TB, elem ...string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		tb.Fatal("no go.mod above the test")
	}
	path := filepath.Join(append([]string{dir, "..", "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("the shared facts are not here: %v", err)
	}
	return path
}

// portion is what became readable of one direction of a TCP connection at once.
type portion struct {
	fromA bool // from who sent the first packet
	data  []byte
	at    time.Time
}

// conversation is a TCP connection in a capture, put together: what each side got to read, in the order of time.
type conversation struct {
	firstFrame int
	portions   []portion
	a, b       direction
	isn        uint32 // of the SYN that opened it
	flow       gopacket.Flow
	port       layers.TCPPort // of side a
}

// direction is the state of one direction: what is expected next, and what came too early.
type direction struct {
	begun   bool
	next    uint32
	waiting []waiting
}

type waiting struct {
	seq  uint32
	data []byte
}

// arrive takes a segment and gives what became readable by it. The first byte that came for a place counts.
func (d *direction) arrive(seq uint32, syn bool, data []byte) []byte {
	if syn {
		seq++
	}
	if !d.begun {
		if !syn && len(data) == 0 {
			return nil
		}
		d.begun, d.next = true, seq
	}
	if len(data) > 0 {
		d.waiting = append(d.waiting, waiting{seq, data})
	}
	var readable []byte
	for i := 0; i < len(d.waiting); i++ {
		w := d.waiting[i]
		end := w.seq + uint32(len(w.data))
		switch {
		case int32(end-d.next) <= 0: // nothing new
		case int32(w.seq-d.next) <= 0:
			readable = append(readable, w.data[d.next-w.seq:]...)
			d.next = end
		default:
			continue
		}
		d.waiting = slices.Delete(d.waiting, i, i+1)
		i = -1
	}
	return readable
}

// conversations reads the TCP connections out of a capture file.
func conversations(tb testing.TB, path string) []*conversation {
	tb.Helper()
	open := map[string]*conversation{}
	var all []*conversation
	frame := 0
	for _, p := range capturedPackets(tb, path) {
		frame++
		var flow gopacket.Flow
		var tcp *layers.TCP
		for _, layer := range p.packet.Layers() {
			if n, ok := layer.(gopacket.NetworkLayer); ok {
				flow = n.NetworkFlow()
			}
			if t, ok := layer.(*layers.TCP); ok {
				tcp = t
			}
		}
		if tcp == nil {
			continue
		}
		key := fmt.Sprint(flow, tcp.SrcPort, tcp.DstPort)
		c := open[key]
		if c == nil || tcp.SYN && !tcp.ACK && c.isn != tcp.Seq {
			c = &conversation{firstFrame: frame, isn: tcp.Seq, flow: flow, port: tcp.SrcPort}
			open[key], open[fmt.Sprint(flow.Reverse(), tcp.DstPort, tcp.SrcPort)] = c, c
			all = append(all, c)
		}
		d, fromA := &c.b, flow == c.flow && tcp.SrcPort == c.port
		if fromA {
			d = &c.a
		}
		if data := d.arrive(tcp.Seq, tcp.SYN, tcp.Payload); len(data) > 0 {
			c.portions = append(c.portions, portion{fromA, data, p.at})
		}
	}
	return all
}

type capturedPacket struct {
	packet gopacket.Packet
	at     time.Time
}

// capturedPackets reads a capture file of any of the kinds in the collection.
func capturedPackets(tb testing.TB, path string) []capturedPacket {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var source gopacket.PacketDataSource
	var link layers.LinkType
	if binary.BigEndian.Uint32(b) == 0x0A0D0D0A {
		r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			tb.Fatal(err)
		}
		source = r
	} else {
		r, err := pcapgo.NewReader(bytes.NewReader(b))
		if err != nil {
			tb.Fatal(err)
		}
		r.SetSnaplen(1 << 18)
		source, link = r, r.LinkType()
	}
	var packets []capturedPacket
	for {
		data, info, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return packets
		}
		if err != nil {
			tb.Logf("after %d packets: %v", len(packets), err)
			return packets
		}
		if len(info.AncillaryData) > 0 {
			if l, ok := info.AncillaryData[0].(layers.LinkType); ok {
				link = l
			}
		}
		packets = append(packets, capturedPacket{decodePacket(link, data), info.Timestamp})
	}
}

// decodePacket decodes a packet, and takes off two headers that gopacket does not know: Linux cooked capture v2 and Cisco
// MetaData (eight bytes behind the MAC addresses).
func decodePacket(link layers.LinkType, data []byte) gopacket.Packet {
	switch {
	case link == 276%256 && len(data) > 20 && binary.BigEndian.Uint16(data) <= 0x86DD && data[2] == 0 && data[3] == 0:
		return gopacket.NewPacket(data[20:], layers.EthernetType(binary.BigEndian.Uint16(data)), gopacket.Default)
	case link == layers.LinkTypeEthernet && len(data) > 22 && binary.BigEndian.Uint16(data[12:]) == 0x8909:
		data = append(bytes.Clone(data[:12]), data[20:]...)
	}
	return gopacket.NewPacket(data, link, gopacket.Default)
}
