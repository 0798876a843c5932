package wire_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// segment is a piece of a TCP stream.
type segment struct {
	seq  uint32
	syn  bool
	data []byte
}

// tcpStreams puts every direction of every TCP connection together: the simplest reassembly that does, in which of two
// segments for one place the longer counts, and a gap ends a piece.
func tcpStreams(t *testing.T, path string) [][]byte {
	t.Helper()
	segments := map[string][]segment{}
	var order []string
	for packet := range packets(t, path) {
		flow := ""
		for _, layer := range packet.Layers() {
			if n, ok := layer.(gopacket.NetworkLayer); ok {
				flow = n.NetworkFlow().String()
			}
			tcp, ok := layer.(*layers.TCP)
			if !ok {
				continue
			}
			key := fmt.Sprintf("%s %d %d", flow, tcp.SrcPort, tcp.DstPort)
			if len(tcp.Payload) > 0 || tcp.SYN {
				if segments[key] == nil {
					order = append(order, key)
				}
				segments[key] = append(segments[key], segment{tcp.Seq, tcp.SYN, tcp.Payload})
			}
		}
	}
	var streams [][]byte
	for _, key := range order {
		streams = append(streams, reassemble(segments[key])...)
	}
	return streams
}

// reassemble sorts the segments of one direction into contiguous pieces; a SYN begins a new connection.
func reassemble(all []segment) [][]byte {
	var streams [][]byte
	for len(all) > 0 {
		n := 1
		for n < len(all) && !(all[n].syn && all[n].seq != all[0].seq) {
			n++
		}
		one := all[:n]
		all = all[n:]
		base := one[0].seq
		slices.SortStableFunc(one, func(a, b segment) int {
			return cmp.Or(cmp.Compare(int32(a.seq-base), int32(b.seq-base)), cmp.Compare(len(b.data), len(a.data)))
		})
		var b []byte
		next := int32(0)
		for i, s := range one {
			at := int32(s.seq - base)
			if s.syn {
				at++
			}
			if i == 0 {
				next = at
			}
			switch end := at + int32(len(s.data)); {
			case end <= next:
			case at <= next:
				b = append(b, s.data[next-at:]...)
				next = end
			default:
				streams = append(streams, b)
				b = slices.Clone(s.data)
				next = end
			}
		}
		streams = append(streams, b)
	}
	return streams
}

// packets reads a capture file of any of the kinds in the collection.
func packets(t *testing.T, path string) iter.Seq[gopacket.Packet] {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(b, []byte{0x1F, 0x8B}) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil && len(b) == 0 {
			t.Fatal(err)
		}
	}
	read := pcapPackets
	if binary.BigEndian.Uint32(b) == 0x0A0D0D0A {
		read = pcapngPackets
	}
	return func(yield func(gopacket.Packet) bool) {
		for link, data := range read(b) {
			if !yield(decode(link, data)) {
				return
			}
		}
	}
}

// decode decodes a packet, and takes off two headers that gopacket does not know: Linux cooked capture v2 (the EtherType is
// in its first bytes) and Cisco MetaData (EtherType 0x8909, eight bytes behind the MAC addresses).
func decode(link uint16, data []byte) gopacket.Packet {
	switch {
	case link == 276 && len(data) > 20:
		return gopacket.NewPacket(data[20:], layers.EthernetType(binary.BigEndian.Uint16(data)), gopacket.Default)
	case link == uint16(layers.LinkTypeEthernet) && len(data) > 22 && binary.BigEndian.Uint16(data[12:]) == 0x8909:
		data = append(bytes.Clone(data[:12]), data[20:]...)
	}
	return gopacket.NewPacket(data, layers.LinkType(link), gopacket.Default)
}

// pcapPackets reads the classic format: a file header of 24 bytes, a header of 16 bytes before each packet.
func pcapPackets(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		order := byteOrder(b, 0xA1B2C3D4, 0xA1B23C4D)
		link := uint16(order.Uint32(b[20:]))
		for b = b[24:]; len(b) >= 16; {
			n := int(order.Uint32(b[8:]))
			if n > len(b)-16 || !yield(link, b[16:16+n]) {
				return
			}
			b = b[16+n:]
		}
	}
}

// pcapngPackets reads the blocks of the next generation format that hold packets.
func pcapngPackets(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		var order binary.ByteOrder = binary.LittleEndian
		var links []uint16
		for len(b) >= 12 {
			if binary.BigEndian.Uint32(b) == 0x0A0D0D0A { // section header
				order, links = byteOrder(b[8:], 0x1A2B3C4D, 0x1A2B3C4D), nil
			}
			kind, n := order.Uint32(b), int(order.Uint32(b[4:]))
			if n < 12 || n > len(b) {
				return
			}
			body := b[8 : n-4]
			b = b[n:]
			switch {
			case kind == 1: // interface description
				links = append(links, order.Uint16(body))
			case kind == 6 && int(order.Uint32(body)) < len(links): // enhanced packet
				if !yield(links[order.Uint32(body)], body[20:20+order.Uint32(body[12:])]) {
					return
				}
			case kind == 3 && len(links) > 0: // simple packet
				if !yield(links[0], body[4:min(len(body), 4+int(order.Uint32(body)))]) {
					return
				}
			}
		}
	}
}

// byteOrder tells in which order a magic number was written.
func byteOrder(b []byte, magic ...uint32) binary.ByteOrder {
	if slices.Contains(magic, binary.BigEndian.Uint32(b)) {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
