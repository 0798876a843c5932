package quicwire_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/tlstriage/tlstriage/inspect/quicwire"
)

// shared is a path in the directory of test material beside the module.
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
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("the test material is not here: %v", err)
	}
	return path
}

// datagram is the payload of a UDP datagram in a capture.
type datagram struct {
	from, to netip.AddrPort
	payload  []byte
}

// packetReader is what both of gopacket's readers are.
type packetReader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// datagrams reads the UDP datagrams of a capture, those in tunnels by their innermost addresses.
func datagrams(tb testing.TB, path string) []datagram {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if bytes.HasPrefix(b, []byte{0x1F, 0x8B}) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			tb.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil && len(b) == 0 {
			tb.Fatal(err)
		}
	}
	var packets packetReader
	var link func(gopacket.CaptureInfo) layers.LinkType
	if binary.BigEndian.Uint32(b) == 0x0A0D0D0A {
		r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			tb.Fatal(err)
		}
		packets = r
		link = func(ci gopacket.CaptureInfo) layers.LinkType { return ci.AncillaryData[0].(layers.LinkType) }
	} else {
		r, err := pcapgo.NewReader(bytes.NewReader(b))
		if err != nil {
			tb.Fatal(err)
		}
		packets = r
		link = func(gopacket.CaptureInfo) layers.LinkType { return r.LinkType() }
	}
	var all []datagram
	for {
		data, ci, err := packets.ReadPacketData()
		if err != nil {
			return all
		}
		if d, ok := udp(link(ci), data); ok {
			all = append(all, d)
		}
	}
}

// udp decodes a packet down to its innermost UDP layer.
func udp(link layers.LinkType, data []byte) (d datagram, ok bool) {
	var packet gopacket.Packet
	if link == 276&0xff && len(data) > 20 { // Linux cooked capture v2, of which gopacket knows neither the form nor the second byte
		packet = gopacket.NewPacket(data[20:], layers.EthernetType(binary.BigEndian.Uint16(data)), gopacket.Default)
	} else {
		packet = gopacket.NewPacket(data, link, gopacket.Default)
	}
	var src, dst netip.Addr
	for _, layer := range packet.Layers() {
		switch l := layer.(type) {
		case *layers.IPv4:
			src, _ = netip.AddrFromSlice(l.SrcIP)
			dst, _ = netip.AddrFromSlice(l.DstIP)
		case *layers.IPv6:
			src, _ = netip.AddrFromSlice(l.SrcIP)
			dst, _ = netip.AddrFromSlice(l.DstIP)
		case *layers.UDP:
			d = datagram{netip.AddrPortFrom(src, uint16(l.SrcPort)), netip.AddrPortFrom(dst, uint16(l.DstPort)), l.Payload}
			ok = true
		}
	}
	return d, ok
}

// message is a handshake message that a flow found.
type message struct {
	quicwire.Message
	src string
}

// header is a packet's header, and who sent it.
type header struct {
	quicwire.Header
	src string
}

// conversation is what the flows between two addresses gave.
type conversation struct {
	flows    []*quicwire.Flow
	firsts   []datagram // of each flow
	headers  []header   // of each datagram's first packet
	messages []message
	errors   []error
}

// converse feeds the datagrams of a capture to flows, each pair of addresses to its own.
func converse(tb testing.TB, all []datagram, secrets func([]byte) quicwire.Secrets) []*conversation {
	tb.Helper()
	type pair struct{ a, b netip.AddrPort }
	byPair := map[pair]*conversation{}
	var order []*conversation
	for _, d := range all {
		key := pair{d.from, d.to}
		if d.to.Compare(d.from) < 0 {
			key = pair{d.to, d.from}
		}
		c := byPair[key]
		if c == nil {
			if _, _, ok := quicwire.Recognize(d.payload); !ok {
				continue
			}
			c = &conversation{}
			byPair[key] = c
			order = append(order, c)
		}
		c.feed(tb, d, secrets)
	}
	return order
}

func (c *conversation) feed(tb testing.TB, d datagram, secrets func([]byte) quicwire.Secrets) {
	tb.Helper()
	h := header{src: d.from.String()}
	if _, err := quicwire.ParseHeader(d.payload, &h.Header); err == nil {
		c.headers = append(c.headers, h)
	}
	for {
		if len(c.flows) == 0 {
			c.flows = append(c.flows, &quicwire.Flow{Secrets: secrets})
			c.firsts = append(c.firsts, d)
		}
		f := c.flows[len(c.flows)-1]
		from, clientAddr, serverAddr := quicwire.FromClient, d.from, d.to
		if d.from != c.firsts[len(c.firsts)-1].from {
			from, clientAddr, serverAddr = quicwire.FromServer, d.to, d.from
		}
		err := f.Datagram(from, d.payload)
		if errors.Is(err, quicwire.ErrOtherConnection) {
			c.flows = append(c.flows, &quicwire.Flow{Secrets: secrets})
			c.firsts = append(c.firsts, d)
			continue
		}
		if err != nil {
			c.errors = append(c.errors, err)
		}
		if f.Swapped() {
			clientAddr, serverAddr = serverAddr, clientAddr
		}
		var m quicwire.Message
		for f.Next(&m) {
			src := clientAddr
			if m.From == quicwire.FromServer {
				src = serverAddr
			}
			c.messages = append(c.messages, message{m, src.String()})
		}
		return
	}
}
