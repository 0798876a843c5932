package capture_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }

// in4 puts a payload into an IPv4 packet between two routers.
func in4(proto byte, payload []byte) []byte {
	return cat([]byte{0x45, 0}, be16(20+len(payload)), []byte{0, 1, 0, 0, 60, proto, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2}, payload)
}

func in6(next byte, payload []byte) []byte {
	h := cat([]byte{0x60, 0, 0, 0}, be16(len(payload)), []byte{next, 60}, make([]byte, 32))
	h[8], h[24], h[39] = 0x20, 0x20, 1
	return cat(h, payload)
}

func inUDP(port int, payload []byte) []byte {
	return cat(be16(40000), be16(port), be16(8+len(payload)), []byte{0, 0}, payload)
}

func ether(t int, payload []byte) []byte { return cat(make([]byte, 12), be16(t), payload) }

// TestEncapsulations carries the same connection in every way, one packet at a time.
func TestEncapsulations(t *testing.T) {
	var inner []capture.Packet // IPv4 packets without a link layer
	for _, p := range packetsOf(t, conversationOf(pieces(ecdhe(t), 1000), 9)) {
		p.LinkType, p.Data = 101, p.Data[14:]
		inner = append(inner, p)
	}
	null := func(family uint32, order binary.AppendByteOrder) func([]byte) []byte {
		return func(ip []byte) []byte { return cat(order.AppendUint32(nil, family), ip) }
	}
	snap := []byte{0xAA, 0xAA, 3, 0, 0, 0, 8, 0}
	for name, test := range map[string]struct {
		link uint32
		wrap func(ip []byte) []byte
	}{
		"raw":                {101, func(ip []byte) []byte { return ip }},
		"raw of BSD":         {12, func(ip []byte) []byte { return ip }},
		"IPv4":               {228, func(ip []byte) []byte { return ip }},
		"null":               {0, null(2, binary.LittleEndian)},
		"null, big endian":   {0, null(2, binary.BigEndian)},
		"loop":               {108, null(2, binary.BigEndian)},
		"Ethernet, padded":   {1, func(ip []byte) []byte { return cat(ether(0x800, ip), make([]byte, 6)) }},
		"VLAN":               {1, func(ip []byte) []byte { return ether(0x8100, cat([]byte{0, 5, 8, 0}, ip)) }},
		"QinQ":               {1, func(ip []byte) []byte { return ether(0x88A8, cat([]byte{0, 5, 0x81, 0, 0, 6, 8, 0}, ip)) }},
		"LLC and SNAP":       {1, func(ip []byte) []byte { return ether(8+len(ip), cat(snap, ip)) }},
		"MPLS":               {1, func(ip []byte) []byte { return ether(0x8847, cat([]byte{0, 1, 0, 9, 0, 2, 1, 9}, ip)) }},
		"Ethernet over MPLS": {1, func(ip []byte) []byte { return ether(0x8847, cat([]byte{0, 1, 1, 9, 0, 0, 0, 0}, ether(0x800, ip))) }},
		"PPPoE": {1, func(ip []byte) []byte {
			return ether(0x8864, cat([]byte{0x11, 0, 0, 1}, be16(2+len(ip)), []byte{0, 0x21}, ip))
		}},
		"PPP":                {9, func(ip []byte) []byte { return cat([]byte{0xFF, 3, 0, 0x21}, ip) }},
		"PPP, compressed":    {9, func(ip []byte) []byte { return cat([]byte{0x21}, ip) }},
		"PPP with direction": {204, func(ip []byte) []byte { return cat([]byte{1, 0xFF, 3, 0, 0x21}, ip) }},
		"Cisco HDLC":         {104, func(ip []byte) []byte { return cat([]byte{0x0F, 0, 8, 0}, ip) }},
		"cooked":             {113, func(ip []byte) []byte { return cat(make([]byte, 14), []byte{8, 0}, ip) }},
		"cooked 2":           {276, func(ip []byte) []byte { return cat([]byte{8, 0}, make([]byte, 18), ip) }},
		"cooked 2, VLAN":     {276, func(ip []byte) []byte { return cat([]byte{0x81, 0}, make([]byte, 18), []byte{0, 5, 8, 0}, ip) }},
		"802.11":             {105, func(ip []byte) []byte { return cat([]byte{0x08, 0x02}, make([]byte, 22), snap, ip) }},
		"802.11 with QoS":    {105, func(ip []byte) []byte { return cat([]byte{0x88, 0x03}, make([]byte, 22+6+2), snap, ip) }},
		"radiotap": {127, func(ip []byte) []byte {
			return cat([]byte{0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x01}, make([]byte, 22), snap, ip)
		}},
		"PF log (gopacket)": {117, func(ip []byte) []byte { return cat([]byte{61, 2, 0, 0}, make([]byte, 60), ip) }},
		"FDDI (gopacket)":   {10, func(ip []byte) []byte { return cat([]byte{0x50}, make([]byte, 12), snap, ip) }},
		"IP in IP":          {101, func(ip []byte) []byte { return in4(4, ip) }},
		"IPv4 in IPv6":      {101, func(ip []byte) []byte { return in6(4, ip) }},
		"IPv6, options and routing": {101, func(ip []byte) []byte {
			return in6(0, cat([]byte{43, 0, 1, 4, 0, 0, 0, 0}, []byte{60, 0, 0, 0, 0, 0, 0, 0}, []byte{4, 0, 1, 4, 0, 0, 0, 0}, ip))
		}},
		"authentication header":     {101, func(ip []byte) []byte { return in4(51, cat([]byte{4, 4, 0, 0}, make([]byte, 20), ip)) }},
		"GRE":                       {101, func(ip []byte) []byte { return in4(47, cat([]byte{0, 0, 8, 0}, ip)) }},
		"GRE with key and sequence": {101, func(ip []byte) []byte { return in4(47, cat([]byte{0x30, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 2}, ip)) }},
		"GRE, Ethernet":             {101, func(ip []byte) []byte { return in4(47, cat([]byte{0x20, 0, 0x65, 0x58, 0, 0, 0, 1}, ether(0x800, ip))) }},
		"PPTP": {101, func(ip []byte) []byte {
			return in4(47, cat([]byte{0x30, 0x81, 0x88, 0x0B, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xFF, 3, 0, 0x21}, ip))
		}},
		"ERSPAN I": {101, func(ip []byte) []byte { return in4(47, cat([]byte{0, 0, 0x88, 0xBE}, ether(0x800, ip))) }},
		"ERSPAN II": {101, func(ip []byte) []byte {
			return in4(47, cat([]byte{0x10, 0, 0x88, 0xBE, 0, 0, 0, 1}, make([]byte, 8), ether(0x800, ip)))
		}},
		"ERSPAN III": {101, func(ip []byte) []byte {
			return in4(47, cat([]byte{0x10, 0, 0x22, 0xEB, 0, 0, 0, 1}, make([]byte, 11), []byte{1}, make([]byte, 8), ether(0x800, ip)))
		}},
		"VXLAN": {101, func(ip []byte) []byte {
			return in4(17, inUDP(4789, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, ether(0x800, ip))))
		}},
		"VXLAN over IPv6": {101, func(ip []byte) []byte {
			return in6(17, inUDP(8472, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, ether(0x800, ip))))
		}},
		"VXLAN-GPE": {101, func(ip []byte) []byte { return in4(17, inUDP(4790, cat([]byte{12, 0, 0, 1, 0, 0, 1, 0}, ip))) }},
		"Geneve with an option": {101, func(ip []byte) []byte {
			return in4(17, inUDP(6081, cat([]byte{2, 0, 0x65, 0x58, 0, 0, 1, 0}, make([]byte, 8), ether(0x800, ip))))
		}},
		"GTP-U": {101, func(ip []byte) []byte {
			return in4(17, inUDP(2152, cat([]byte{0x30, 255}, be16(len(ip)), []byte{0, 0, 0, 1}, ip)))
		}},
		"GTP-U with extension": {101, func(ip []byte) []byte {
			return in4(17, inUDP(2152, cat([]byte{0x34, 255}, be16(len(ip)+8), []byte{0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0}, ip)))
		}},
		"MPLS in UDP": {101, func(ip []byte) []byte { return in4(17, inUDP(6635, cat([]byte{0, 1, 1, 9}, ip))) }},
		"CAPWAP": {101, func(ip []byte) []byte {
			return in4(17, inUDP(5247, cat([]byte{0, 0x10, 0x43, 0, 0, 0, 0, 0, 0x08, 0x01}, make([]byte, 22), snap, ip)))
		}},
		"802.11 with HT control":   {105, func(ip []byte) []byte { return cat([]byte{0x88, 0x81}, make([]byte, 22+2+4), snap, ip) }},
		"802.11, header filled up": {105, func(ip []byte) []byte { return cat([]byte{0x88, 0x01}, make([]byte, 22+2+2), snap, ip) }},
		"802.11, one frame in an aggregate": {105, func(ip []byte) []byte {
			return cat([]byte{0x88, 0x01}, make([]byte, 22), []byte{0x80, 0}, make([]byte, 12), be16(8+len(ip)), snap, ip)
		}},
		"AVS": {163, func(ip []byte) []byte {
			return cat([]byte{0x80, 0x21, 0x10, 1, 0, 0, 0, 64}, make([]byte, 56), []byte{0x08, 0x01}, make([]byte, 22), snap, ip)
		}},
		"Prism": {119, func(ip []byte) []byte {
			return cat([]byte{0x44, 0, 0, 0, 144, 0, 0, 0}, make([]byte, 136), []byte{0x08, 0x01}, make([]byte, 22), snap, ip)
		}},
		"Prism, big endian": {119, func(ip []byte) []byte {
			return cat([]byte{0, 0, 0, 0x44, 0, 0, 0, 144}, make([]byte, 136), []byte{0x08, 0x01}, make([]byte, 22), snap, ip)
		}},
		"AVS as Prism": {119, func(ip []byte) []byte {
			return cat([]byte{0x80, 0x21, 0x10, 2, 0, 0, 0, 64}, make([]byte, 56), []byte{0x08, 0x01}, make([]byte, 22), snap, ip)
		}},
		"PPI, 802.11": {192, func(ip []byte) []byte {
			return cat([]byte{0, 0, 32, 0, 105, 0, 0, 0}, make([]byte, 24), []byte{0x08, 0x01}, make([]byte, 22), snap, ip)
		}},
		"PPI, Ethernet":    {192, func(ip []byte) []byte { return cat([]byte{0, 0, 8, 0, 1, 0, 0, 0}, ether(0x800, ip)) }},
		"pppd":             {166, func(ip []byte) []byte { return cat([]byte{0, 0xFF, 3, 0, 0x21}, ip) }},
		"IPsec of OpenBSD": {109, func(ip []byte) []byte { return cat([]byte{2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, ip) }},
		"ipnet":            {226, func(ip []byte) []byte { return cat([]byte{1, 2}, make([]byte, 22), ip) }},
		"netANALYZER":      {240, func(ip []byte) []byte { return cat(make([]byte, 4), ether(0x800, ip)) }},
		"NFLOG": {239, func(ip []byte) []byte {
			return cat([]byte{2, 0, 0, 5, 8, 0, 1, 0, 8, 0, 1, 0, 5, 0, 10, 0, 0, 0, 0, 0}, binary.LittleEndian.AppendUint16(nil, uint16(4+len(ip))), []byte{9, 0}, ip)
		}},
		"pktap": {258, func(ip []byte) []byte {
			return cat([]byte{108, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0}, make([]byte, 96), ip)
		}},
		"frame relay":        {107, func(ip []byte) []byte { return cat([]byte{0x18, 0x41, 3, 0xCC}, ip) }},
		"frame relay, SNAP":  {107, func(ip []byte) []byte { return cat([]byte{0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0}, ip) }},
		"frame relay, Cisco": {107, func(ip []byte) []byte { return cat([]byte{0x18, 0x41, 8, 0}, ip) }},
		"ATM":                {100, func(ip []byte) []byte { return cat(snap, ip) }},
		"token ring":         {6, func(ip []byte) []byte { return cat([]byte{0x10, 0x40}, make([]byte, 12), snap, ip) }},
		"token ring, routed": {6, func(ip []byte) []byte {
			return cat([]byte{0x10, 0x40, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 4, 0, 0, 0}, snap, ip)
		}},
		"6in4": {101, func(ip []byte) []byte { return in4(41, in6(4, ip)) }},
		"GRE, routing": {101, func(ip []byte) []byte {
			return in4(47, cat([]byte{0x40, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0}, ip))
		}},
		"EtherIP":    {101, func(ip []byte) []byte { return in4(97, cat([]byte{0x30, 0}, ether(0x800, ip))) }},
		"MPLS in IP": {101, func(ip []byte) []byte { return in4(137, cat([]byte{0, 1, 1, 9}, ip)) }},
		"L2TP": {101, func(ip []byte) []byte {
			return in4(17, inUDP(1701, cat([]byte{0x4A, 2}, be16(16+len(ip)), []byte{0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0xFF, 3, 0, 0x21}, ip)))
		}},
		"LISP": {101, func(ip []byte) []byte { return in4(17, inUDP(4341, cat(make([]byte, 8), ip))) }},
		"TZSP": {101, func(ip []byte) []byte {
			return in4(17, inUDP(37008, cat([]byte{1, 0, 0, 1, 0, 10, 1, 200, 1}, ether(0x800, ip))))
		}},
		"TZSP, 802.11": {101, func(ip []byte) []byte {
			return in4(17, inUDP(37008, cat([]byte{1, 0, 0, 18, 1, 0x08, 0x01}, make([]byte, 22), snap, ip)))
		}},
		"AYIYA": {101, func(ip []byte) []byte {
			return in4(17, inUDP(5072, cat([]byte{0x41, 0x52, 0x11, 4, 0, 0, 0, 0}, make([]byte, 16+20), ip)))
		}},
		"VXLAN of ACI": {101, func(ip []byte) []byte {
			return in4(17, inUDP(48879, cat([]byte{0xC8, 0, 0, 1, 0, 0, 1, 0}, ether(0x800, ip))))
		}},
		"VXLAN-GPE, NSH": {101, func(ip []byte) []byte {
			return in4(17, inUDP(4790, cat([]byte{12, 0, 0, 4, 0, 0, 1, 0}, []byte{0x0F, 0xC6, 1, 1, 0, 0, 1, 255}, make([]byte, 16), ip)))
		}},
		"NSH": {1, func(ip []byte) []byte {
			return ether(0x894F, cat([]byte{0x0F, 0xC2, 2, 3, 0, 0, 1, 255}, ether(0x800, ip)))
		}},
		"E-Tag": {1, func(ip []byte) []byte { return ether(0x893F, cat([]byte{0, 1, 0, 2, 0, 0, 8, 0}, ip)) }},
		"MACsec, not secret": {1, func(ip []byte) []byte {
			return ether(0x88E5, cat([]byte{0x20, 0, 0, 0, 0, 1}, make([]byte, 8), []byte{8, 0}, ip, make([]byte, 16)))
		}},
		"TRILL": {1, func(ip []byte) []byte {
			return ether(0x22F3, cat([]byte{0, 0x43, 0, 1, 0, 2}, make([]byte, 4), ether(0x800, ip)))
		}},
		"FabricPath":                 {1, func(ip []byte) []byte { return ether(0x8903, cat([]byte{0, 0x60}, ether(0x800, ip))) }},
		"MPLS alone":                 {219, func(ip []byte) []byte { return cat([]byte{0, 1, 1, 9}, ip) }},
		"HDLC with direction":        {205, func(ip []byte) []byte { return cat([]byte{1, 0x0F, 0, 8, 0}, ip) }},
		"frame relay with direction": {206, func(ip []byte) []byte { return cat([]byte{0, 0x18, 0x41, 3, 0xCC}, ip) }},
		"Teredo":                     {101, func(ip []byte) []byte { return in4(17, inUDP(3544, in6(4, ip))) }},
		"Geneve, IP":                 {101, func(ip []byte) []byte { return in4(17, inUDP(6081, cat([]byte{0, 0, 8, 0, 0, 0, 1, 0}, ip))) }},
		"all at once": {1, func(ip []byte) []byte {
			return ether(0x8100, cat([]byte{0, 5, 8, 0}, in4(47, cat([]byte{0, 0, 0x86, 0xDD}, in6(17, inUDP(4789, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, ether(0x800, in4(4, ip)))))))))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			packets := slices.Clone(inner)
			for i := range packets {
				packets[i].LinkType, packets[i].Data = test.link, test.wrap(packets[i].Data)
				packets[i].Length = len(packets[i].Data)
			}
			records, stats := recordsOf(t, pcapFile(binary.LittleEndian, 0xA1B2C3D4, packets), capture.Options{})
			if len(records) != 1 || !records[0].ClientLeg.TLS.Established || records[0].Client.Address != "10.0.0.7" {
				t.Fatalf("%d records, %+v", len(records), stats)
			}
			// Nothing shorter may be read beyond its end.
			for n := range packets[3].Data {
				if n > 240 && n%29 != 0 {
					continue // payload by then
				}
				short := packets[3]
				short.Data = short.Data[:n]
				if _, err := capture.Read(t.Context(), bytes.NewReader(pcapFile(binary.LittleEndian, 0xA1B2C3D4, []capture.Packet{short})), "short", capture.Options{}); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestAggregatedFrames puts two packets at a time into one frame of 802.11.
func TestAggregatedFrames(t *testing.T) {
	snap := []byte{0xAA, 0xAA, 3, 0, 0, 0, 8, 0}
	packets := packetsOf(t, conversationOf(pieces(ecdhe(t), 700), 9))
	var pairs []capture.Packet
	for i := 0; i < len(packets); i += 2 {
		p := packets[i]
		frame := cat([]byte{0x88, 0x01}, make([]byte, 22), []byte{0x80, 0})
		for j, q := range packets[i:min(i+2, len(packets))] {
			sub := cat(make([]byte, 12), be16(8+len(q.Data)-14), snap, q.Data[14:])
			if j == 0 {
				sub = append(sub, make([]byte, (4-len(sub)%4)%4)...)
			}
			frame = append(frame, sub...)
		}
		p.LinkType, p.Data, p.Length = 105, frame, len(frame)
		pairs = append(pairs, p)
	}
	records, stats := recordsOf(t, pcapFile(binary.LittleEndian, 0xA1B2C3D4, pairs), capture.Options{})
	if len(records) != 1 || !records[0].ClientLeg.TLS.Established || stats.Packets != uint64(len(pairs)) {
		t.Fatalf("%d records, %+v", len(records), stats)
	}
	if r := records[0]; r.Capture.Client.Packets+r.Capture.Server.Packets < uint64(len(packets)-1) {
		t.Errorf("%+v of %d packets", r.Capture, len(packets))
	}
}

// TestFragments cuts each packet into fragments and shuffles them.
func TestFragments(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, six := range []bool{false, true} {
		var packets []capture.Packet
		for id, p := range packetsOf(t, conversationOf(pieces(ecdhe(t), 1000), 9)) {
			body := p.Data[34:]
			var parts []capture.Packet
			for at := 0; at == 0 || at < len(body); at += 256 {
				part := body[at:min(at+256, len(body))]
				more := at+256 < len(body)
				field := at / 8
				if more {
					field |= 0x2000
				}
				q := p
				if six {
					field = at
					if more {
						field |= 1
					}
					q.Data = in6(44, cat([]byte{6, 0}, be16(field), []byte{0, 0, 0, byte(id)}, part))
					q.Data[8+15], q.Data[24+15] = p.Data[29], p.Data[33]
				} else {
					q.Data = cat(p.Data[14:34], part)
					copy(q.Data[2:], be16(len(q.Data)))
					copy(q.Data[4:], be16(id+1))
					copy(q.Data[6:], be16(field))
				}
				q.LinkType, q.Length = 101, len(q.Data)
				parts = append(parts, q)
			}
			random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			packets = append(packets, parts...)
		}
		records, stats := recordsOf(t, pcapFile(binary.LittleEndian, 0xA1B2C3D4, packets), capture.Options{})
		if len(records) != 1 || !records[0].ClientLeg.TLS.Established || stats.Fragments == 0 || stats.Reassembled == 0 {
			t.Errorf("IPv6 %t: %d records, %+v", six, len(records), stats)
		}
	}
}

// TestLayersAgreeWithGopacket decodes the plain packets of the collection with both, and compares the addresses of TCP connections.
func TestLayersAgreeWithGopacket(t *testing.T) {
	compared := 0
	_ = filepath.WalkDir(shared(t, "captures", "files"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, _ = capture.Read(t.Context(), f, path, capture.Options{OnPackets: func(c *inspect.Connection, packets []capture.Packet) {
			for _, p := range packets {
				if p.LinkType > 255 || c.Transport != inspect.TransportTCP {
					continue
				}
				decoded := gopacket.NewPacket(p.Data, layers.LinkType(p.LinkType), gopacket.DecodeOptions{NoCopy: true})
				var from, to netip.Addr
				var ports *layers.TCP
				for _, l := range decoded.Layers() {
					switch l := l.(type) {
					case *layers.IPv4:
						from, _ = netip.AddrFromSlice(l.SrcIP)
						to, _ = netip.AddrFromSlice(l.DstIP)
					case *layers.IPv6:
						from, _ = netip.AddrFromSlice(l.SrcIP)
						to, _ = netip.AddrFromSlice(l.DstIP)
					case *layers.TCP:
						ports = l
					}
				}
				if ports == nil {
					continue // it knows fewer layers
				}
				compared++
				a := inspect.EndpointOf(netip.AddrPortFrom(from.Unmap(), uint16(ports.SrcPort)))
				b := inspect.EndpointOf(netip.AddrPortFrom(to.Unmap(), uint16(ports.DstPort)))
				if !(a == c.Client && b == c.Server || b == c.Client && a == c.Server) {
					t.Errorf("%s, packet %d: %v to %v, want %v and %v", path, p.Number, a, b, c.Client, c.Server)
				}
			}
		}})
		return nil
	})
	if compared < 10000 {
		t.Errorf("only %d packets were compared", compared)
	}
}
