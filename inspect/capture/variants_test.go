package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// A variant is the same traffic in another form: what is read of it must stay the same.
type variant struct {
	name string
	make func([]capture.Packet) []byte
	six  bool // addresses of IPv4 are made those of IPv6
	// orderly: nothing but the form is another, so that how each connection ended must be the same, too.
	orderly bool
}

// TestVariants reads each capture of the collection in many other forms, and compares what is found.
func TestVariants(t *testing.T) {
	read, skipped := 0, 0
	root := shared(t, "captures", "files")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		packets := ipPackets(t, path)
		if len(packets) == 0 {
			skipped++
			return nil
		}
		name, _ := filepath.Rel(root, path)
		plain := inForm(rawIP)(packets)
		want, ends := factsOf(t, plain)
		for _, v := range variants() {
			expected := want
			if v.six {
				expected = inSix(want, packets)
			}
			got, gotEnds := factsOf(t, v.make(packets))
			read++
			var lost []string
			for _, line := range slices.Sorted(maps.Keys(expected)) {
				if !got[line] && !variantsDiffer[name+" "+v.name] {
					lost = append(lost, line)
				}
			}
			if len(lost) > 0 {
				t.Errorf("%s, %s: lost\n%s", name, v.name, strings.Join(lost[:min(len(lost), 6)], "\n"))
			} else if v.orderly && !slices.Equal(ends, gotEnds) {
				t.Errorf("%s, %s: connections end otherwise:\n%v\n%v", name, v.name, ends, gotEnds)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d variants read, %d captures left out", read, skipped)
	if read < 200 {
		t.Errorf("only %d variants were read", read)
	}
}

// variantsDiffer are captures and variants of them whose records differ, as they should.
var variantsDiffer = map[string]bool{}

// ipPackets are the packets of IP in a capture, without what carries them; none where it is large, or holds anything else that
// could matter.
func ipPackets(t *testing.T, path string) []capture.Packet {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const largest = 1 << 20
	if len(file) > largest {
		return nil
	}
	var source interface {
		ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	var link uint32
	if r, err := pcapgo.NewReader(bytes.NewReader(file)); err == nil {
		source, link = r, uint32(r.LinkType())
	} else if r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions); err == nil {
		source, link = r, uint32(r.LinkType())
	} else {
		return nil
	}
	var packets []capture.Packet
	for {
		data, info, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return packets
		}
		if err != nil {
			return nil
		}
		ip := network(link, data)
		if ip == nil {
			if link == 1 && len(data) > 14 && data[12] == 8 && data[13] == 6 { // ARP
				continue
			}
			return nil
		}
		length := max(info.Length, len(data)) - (len(data) - len(ip))
		if whole := ipLength(ip); whole < len(ip) {
			ip, length = ip[:whole], whole // what is behind is padding
		}
		packets = append(packets, capture.Packet{Time: info.Timestamp.UTC(), LinkType: 101, Length: length, Data: bytes.Clone(ip)})
	}
}

// network is the packet of IP in a frame; nil: there is none in plain sight.
func network(link uint32, b []byte) []byte {
	switch {
	case link == 1 && len(b) > 14:
		kind := binary.BigEndian.Uint16(b[12:])
		b = b[14:]
		for kind == 0x8100 && len(b) > 4 {
			kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		}
		if kind != 0x800 && kind != 0x86DD {
			return nil
		}
	case link == 113 && len(b) > 16:
		b = b[16:]
	case link == 0 && len(b) > 4:
		b = b[4:]
	case link == 101 || link == 12:
	default:
		return nil
	}
	if ipLength(b) == 0 {
		return nil
	}
	return b
}

// ipLength is the length that a packet of IP says it has; 0: it is none.
func ipLength(b []byte) int {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		return int(binary.BigEndian.Uint16(b[2:]))
	case len(b) >= 40 && b[0]>>4 == 6:
		return 40 + int(binary.BigEndian.Uint16(b[4:]))
	}
	return 0
}

// factsOf are the facts in a capture, and how its connections ended.
func factsOf(t *testing.T, file []byte) (facts map[string]bool, ends []string) {
	t.Helper()
	facts = map[string]bool{}
	_, err := capture.Read(context.Background(), bytes.NewReader(file), "variant", capture.Options{OnConnection: func(c *inspect.Connection) {
		maps.Copy(facts, found(c))
		failed := "-"
		if c.ClientLeg.Error != nil {
			failed = string(c.ClientLeg.Error.Type)
		}
		established := c.ClientLeg.TLS != nil && c.ClientLeg.TLS.Established
		ends = append(ends, fmt.Sprintf("%d %d %s %s %s %v %s %d", c.Client.Port, c.Server.Port, c.Event.Outcome, failed, c.Capture.End, established, c.Capture.Upgrade, len(c.Capture.Inferred)))
	}})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ends)
	return facts, ends
}

// inSix are facts with the addresses of IPv4 in them made those of IPv6, but for those that are inside tunnels.
func inSix(facts map[string]bool, packets []capture.Packet) map[string]bool {
	six, outer := map[string]bool{}, map[netip.Addr]bool{}
	for _, p := range packets {
		if p.Data[0]>>4 == 4 {
			outer[netip.AddrFrom4([4]byte(p.Data[12:16]))], outer[netip.AddrFrom4([4]byte(p.Data[16:20]))] = true, true
		}
	}
	for line := range facts {
		ends, rest, _ := strings.Cut(line, " ")
		if at, err := netip.ParseAddrPort(ends); err == nil && outer[at.Addr()] {
			a := at.Addr().As4()
			ends = netip.AddrPortFrom(netip.AddrFrom16(sixOf(a[:])), at.Port()).String()
		}
		six[ends+" "+rest] = true
	}
	return six
}

func sixOf(four []byte) (a [16]byte) {
	copy(a[:], []byte{0x20, 1, 0x0D, 0xB8})
	copy(a[12:], four)
	return a
}

// each makes packets of packets.
func each(packets []capture.Packet, do func(p capture.Packet) []capture.Packet) []capture.Packet {
	var all []capture.Packet
	for _, p := range packets {
		all = append(all, do(p)...)
	}
	return all
}

// inForm carries each packet in something else.
func inForm(f form) func([]capture.Packet) []byte {
	return func(packets []capture.Packet) []byte {
		return littlePcap(each(packets, func(p capture.Packet) []capture.Packet {
			missing := p.Length - len(p.Data)
			kind := 0x800
			if p.Data[0]>>4 == 6 {
				kind = 0x86DD
			}
			p.LinkType, p.Data = f.link, f.wrap(kind, p.Data)
			p.Length = len(p.Data) + missing
			return []capture.Packet{p}
		}))
	}
}

// form is a way to carry packets of IP.
type form struct {
	link uint32
	wrap func(kind int, ip []byte) []byte
}

var rawIP = form{101, func(_ int, ip []byte) []byte { return ip }}

func littlePcap(packets []capture.Packet) []byte {
	return pcapFile(binary.LittleEndian, 0xA1B23C4D, packets)
}

func etherOf(kind int, ip []byte) []byte { return ether(kind, ip) }

// forms are what packets are carried in.
func forms() map[string]form {
	family := func(kind int) byte { return map[int]byte{0x800: 2, 0x86DD: 30}[kind] }
	snap := func(kind int) []byte { return cat([]byte{0xAA, 0xAA, 3, 0, 0, 0}, be16(kind)) }
	return map[string]form{
		"Ethernet": {1, etherOf},
		"VLAN":     {1, func(kind int, ip []byte) []byte { return ether(0x8100, cat([]byte{0, 5}, be16(kind), ip)) }},
		"QinQ": {1, func(kind int, ip []byte) []byte {
			return ether(0x88A8, cat([]byte{0, 5, 0x81, 0, 0, 6}, be16(kind), ip))
		}},
		"MPLS": {1, func(_ int, ip []byte) []byte { return ether(0x8847, cat([]byte{0, 1, 0, 9, 0, 2, 1, 9}, ip)) }},
		"PPPoE": {1, func(kind int, ip []byte) []byte {
			ppp := []byte{0, 0x21}
			if kind == 0x86DD {
				ppp[1] = 0x57
			}
			return ether(0x8864, cat([]byte{0x11, 0, 0, 1}, be16(2+len(ip)), ppp, ip))
		}},
		"cooked":   {113, func(kind int, ip []byte) []byte { return cat(make([]byte, 14), be16(kind), ip) }},
		"cooked 2": {276, func(kind int, ip []byte) []byte { return cat(be16(kind), make([]byte, 18), ip) }},
		"null":     {0, func(kind int, ip []byte) []byte { return cat([]byte{family(kind), 0, 0, 0}, ip) }},
		"loop":     {108, func(kind int, ip []byte) []byte { return cat([]byte{0, 0, 0, family(kind)}, ip) }},
		"802.11":   {105, func(kind int, ip []byte) []byte { return cat([]byte{0x88, 0x02}, make([]byte, 24), snap(kind), ip) }},
		"GRE":      {101, func(kind int, ip []byte) []byte { return in4(47, cat([]byte{0, 0}, be16(kind), ip)) }},
		"VXLAN": {101, func(kind int, ip []byte) []byte {
			return in4(17, inUDP(4789, cat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, ether(kind, ip))))
		}},
		"Geneve": {101, func(kind int, ip []byte) []byte {
			return in6(17, inUDP(6081, cat([]byte{0, 0, 0x65, 0x58, 0, 0, 1, 0}, ether(kind, ip))))
		}},
		"GTP-U": {101, func(_ int, ip []byte) []byte {
			return in4(17, inUDP(2152, cat([]byte{0x30, 255}, be16(len(ip)), []byte{0, 0, 0, 1}, ip)))
		}},
	}
}

func variants() []variant {
	all := []variant{
		{name: "pcap, big endian", orderly: true, make: func(p []capture.Packet) []byte { return pcapFile(binary.BigEndian, 0xA1B23C4D, p) }},
		{name: "pcap of microseconds", orderly: true, make: func(p []capture.Packet) []byte { return pcapFile(binary.LittleEndian, 0xA1B2C3D4, p) }},
		{name: "pcapng", orderly: true, make: func(p []capture.Packet) []byte { return ngFile(binary.LittleEndian, 9, 0, p) }},
		{name: "pcapng, big endian, powers of two", orderly: true, make: func(p []capture.Packet) []byte { return ngFile(binary.BigEndian, 0x80|20, 0, p) }},
		{name: "IPv6", orderly: true, six: true, make: func(p []capture.Packet) []byte { return littlePcap(each(p, toSix)) }},
		{name: "fragments", make: func(p []capture.Packet) []byte { return littlePcap(each(p, fragment)) }},
		{name: "fragments of IPv6", six: true, make: func(p []capture.Packet) []byte { return littlePcap(each(each(p, toSix), fragment)) }},
		{name: "wrapped numbers", orderly: true, make: func(p []capture.Packet) []byte { return littlePcap(renumbered(p)) }},
		{name: "twice", orderly: true, make: func(p []capture.Packet) []byte {
			return littlePcap(each(p, func(p capture.Packet) []capture.Packet { return []capture.Packet{p, p} }))
		}},
		{name: "small segments", make: func(p []capture.Packet) []byte { return littlePcap(each(p, segments(100))) }},
		{name: "small segments, shuffled", make: func(p []capture.Packet) []byte {
			return littlePcap(each(p, func(p capture.Packet) []capture.Packet {
				parts := segments(200)(p)
				slices.Reverse(parts)
				return parts
			}))
		}},
		{name: "without times", make: func(p []capture.Packet) []byte {
			return littlePcap(each(p, func(p capture.Packet) []capture.Packet {
				p.Time = time.Unix(0, 0)
				return []capture.Packet{p}
			}))
		}},
		{name: "the clock runs backwards", make: func(p []capture.Packet) []byte {
			at := time.Unix(1<<30, 0)
			return littlePcap(each(p, func(p capture.Packet) []capture.Packet {
				at = at.Add(-time.Second)
				p.Time = at
				return []capture.Packet{p}
			}))
		}},
		{name: "one identification", orderly: true, make: func(p []capture.Packet) []byte {
			return littlePcap(each(p, func(p capture.Packet) []capture.Packet {
				if b := p.Data; b[0]>>4 == 4 && binary.BigEndian.Uint16(b[6:])&0x3FFF == 0 {
					p.Data = bytes.Clone(b)
					p.Data[4], p.Data[5] = 0, 1
				}
				return []capture.Packet{p}
			}))
		}},
		{name: "merged segments", make: func(p []capture.Packet) []byte { return littlePcap(merged(p)) }},
		{name: "shuffled", make: func(p []capture.Packet) []byte { return littlePcap(shuffled(p)) }},
	}
	carried := forms()
	for _, name := range slices.Sorted(maps.Keys(carried)) {
		all = append(all, variant{name: name, orderly: true, make: inForm(carried[name])})
	}
	return all
}

// toSix makes a packet of IPv4 one of IPv6.
func toSix(p capture.Packet) []capture.Packet {
	b := p.Data
	header := int(b[0]&15) * 4
	if b[0]>>4 != 4 || header < 20 || header > len(b) {
		return []capture.Packet{p}
	}
	missing := p.Length - len(b)
	next, body := b[9], b[header:]
	length := ipLength(b) - header
	if next == 1 && binary.BigEndian.Uint16(b[6:])&0x3FFF == 0 {
		if said := icmpOfSix(body); said != nil {
			next, length, body = 58, length+len(said)-len(body), said
		}
	}
	if field := binary.BigEndian.Uint16(b[6:]); field&0x3FFF != 0 {
		more := field >> 13 & 1
		body = cat([]byte{next, 0}, be16(int(field&0x1FFF)<<3|int(more)), []byte{0, 0}, b[4:6], body)
		next, length = 44, length+8
	}
	from, to := sixOf(b[12:16]), sixOf(b[16:20])
	p.Data = cat([]byte{0x60, 0, 0, 0}, be16(length), []byte{next, b[8]}, from[:], to[:], body)
	p.Length = len(p.Data) + missing
	return []capture.Packet{p}
}

// icmpOfSix is what ICMP says of a packet that was not delivered, of that packet in IPv6 (RFC 7915, Section 4.2); nil: it says something else.
func icmpOfSix(b []byte) []byte {
	const header = 8
	if len(b) < header+20 || b[0] != 3 {
		return nil
	}
	kind, code, mtu := byte(1), map[byte]byte{0: 0, 1: 3, 3: 4, 9: 1, 10: 1, 13: 1}[b[1]], []byte{0, 0, 0, 0}
	if b[1] == 4 {
		kind, mtu = 2, []byte{0, 0, b[6], b[7]}
	}
	quoted := toSix(capture.Packet{Data: b[header:], Length: len(b) - header})[0].Data
	return cat([]byte{kind, code, 0, 0}, mtu, quoted)
}

// fragment cuts a packet that is whole into fragments of 512 bytes, the last one first.
func fragment(p capture.Packet) []capture.Packet {
	const size = 512
	b := p.Data
	header, id := int(b[0]&15)*4, crc32.ChecksumIEEE(b)
	if b[0]>>4 == 6 {
		header = 40
	}
	if p.Length != len(b) || len(b) != ipLength(b) || header >= len(b) || b[0]>>4 == 4 && binary.BigEndian.Uint16(b[6:])&0x3FFF != 0 || b[0]>>4 == 6 && b[6] != 6 && b[6] != 17 {
		return []capture.Packet{p}
	}
	var parts []capture.Packet
	body := b[header:]
	for at := 0; at < len(body); at += size {
		part, more := body[at:min(at+size, len(body))], 0
		if at+size < len(body) {
			more = 1
		}
		q := p
		if b[0]>>4 == 6 {
			q.Data = cat(b[:header], []byte{b[6], 0}, be16(at|more), binary.BigEndian.AppendUint32(nil, id), part)
			q.Data[6] = 44
			copy(q.Data[4:], be16(len(q.Data)-40))
		} else {
			q.Data = cat(b[:header], part)
			copy(q.Data[2:], be16(len(q.Data)))
			copy(q.Data[4:], be16(int(id)))
			copy(q.Data[6:], be16(at/8|more<<13))
		}
		q.Length = len(q.Data)
		parts = append(parts, q)
	}
	slices.Reverse(parts)
	return parts
}

// tcpOf is the header and the payload of TCP in a whole packet of IP; ok: it is one.
func tcpOf(p capture.Packet) (at, payload int, ok bool) {
	b := p.Data
	switch {
	case p.Length != len(b) || len(b) != ipLength(b):
		return 0, 0, false
	case b[0]>>4 == 4 && b[9] == 6 && binary.BigEndian.Uint16(b[6:])&0x3FFF == 0:
		at = int(b[0]&15) * 4
	case b[0]>>4 == 6 && b[6] == 6:
		at = 40
	default:
		return 0, 0, false
	}
	if at+20 > len(b) {
		return 0, 0, false
	}
	payload = at + int(b[at+12]>>4)*4
	return at, payload, payload >= at+20 && payload <= len(b)
}

// withPayload is a packet with another payload of TCP, which begins so many bytes behind where its own did.
func withPayload(p capture.Packet, ahead uint32, flags byte, data []byte) capture.Packet {
	at, payload, _ := tcpOf(p)
	p.Data = cat(p.Data[:payload], data)
	binary.BigEndian.PutUint32(p.Data[at+4:], binary.BigEndian.Uint32(p.Data[at+4:])+ahead)
	p.Data[at+13] = flags
	if p.Data[0]>>4 == 4 {
		copy(p.Data[2:], be16(len(p.Data)))
		binary.BigEndian.PutUint16(p.Data[4:], binary.BigEndian.Uint16(p.Data[4:])+uint16(ahead)*257)
	} else {
		copy(p.Data[4:], be16(len(p.Data)-40))
	}
	p.Length = len(p.Data)
	return p
}

// segments cuts a segment into several of at most n bytes; its FIN is the last one's.
func segments(n int) func(capture.Packet) []capture.Packet {
	return func(p capture.Packet) []capture.Packet {
		at, payload, ok := tcpOf(p)
		data := p.Data[min(payload, len(p.Data)):]
		if !ok || len(data) <= n || p.Data[at+13]&(syn|rst) != 0 {
			return []capture.Packet{p}
		}
		var parts []capture.Packet
		flags := p.Data[at+13]
		for begin := 0; begin < len(data); begin += n {
			end, own := min(begin+n, len(data)), flags
			if end < len(data) {
				own &^= fin
			}
			parts = append(parts, withPayload(p, uint32(begin), own, data[begin:end]))
		}
		return parts
	}
}

// merged puts segments that follow each other, one right behind the other in the capture, into one: what network cards do.
func merged(packets []capture.Packet) []capture.Packet {
	var all []capture.Packet
	for _, p := range packets {
		at, payload, ok := tcpOf(p)
		if ok && len(all) > 0 {
			last := &all[len(all)-1]
			a, before, whole := tcpOf(*last)
			if whole && a == at && before == payload && bytes.Equal(last.Data[a-8:a+4], p.Data[at-8:at+4]) && last.Data[0]>>4 == p.Data[0]>>4 &&
				(last.Data[a+13]|p.Data[at+13])&(syn|rst|fin) == 0 && len(last.Data) > before && len(p.Data) > payload && len(last.Data)+len(p.Data) < 60000 &&
				binary.BigEndian.Uint32(last.Data[a+4:])+uint32(len(last.Data)-before) == binary.BigEndian.Uint32(p.Data[at+4:]) {
				*last = withPayload(*last, 0, last.Data[a+13]|p.Data[at+13], cat(last.Data[before:], p.Data[payload:]))
				continue
			}
		}
		all = append(all, p)
	}
	return all
}

// renumbered moves the numbers of each direction so that they wrap within the first bytes.
func renumbered(packets []capture.Packet) []capture.Packet {
	type direction struct{ from, to string }
	name := func(p capture.Packet, at int) (own, other direction) {
		b, ips, size := p.Data, 12, 4
		if b[0]>>4 == 6 {
			ips, size = 8, 16
		}
		from, to := string(b[ips:ips+size])+string(b[at:at+2]), string(b[ips+size:ips+2*size])+string(b[at+2:at+4])
		return direction{from, to}, direction{to, from}
	}
	offsets := map[direction]uint32{}
	for _, p := range packets {
		if at, _, ok := tcpOf(p); ok {
			own, other := name(p, at)
			if _, known := offsets[own]; !known {
				offsets[own] = 0xFFFFFFC0 - binary.BigEndian.Uint32(p.Data[at+4:])
			}
			if _, known := offsets[other]; !known && p.Data[at+13]&(ack|syn) == ack {
				offsets[other] = 0xFFFFFFC0 - binary.BigEndian.Uint32(p.Data[at+8:])
			}
		}
	}
	return each(packets, func(p capture.Packet) []capture.Packet {
		if at, _, ok := tcpOf(p); ok {
			own, other := name(p, at)
			p.Data = bytes.Clone(p.Data)
			binary.BigEndian.PutUint32(p.Data[at+4:], binary.BigEndian.Uint32(p.Data[at+4:])+offsets[own])
			if p.Data[at+13]&ack != 0 {
				binary.BigEndian.PutUint32(p.Data[at+8:], binary.BigEndian.Uint32(p.Data[at+8:])+offsets[other])
			}
		}
		return []capture.Packet{p}
	})
}

// shuffled puts packets that came within a millisecond of each other into another order, at most four at a time.
func shuffled(packets []capture.Packet) []capture.Packet {
	random := rand.New(rand.NewPCG(7, 5))
	all := slices.Clone(packets)
	for begin := 0; begin < len(all); {
		end := begin + 1
		for end < len(all) && end < begin+4 && all[end].Time.Sub(all[begin].Time).Abs() < time.Millisecond {
			end++
		}
		random.Shuffle(end-begin, func(i, j int) { all[begin+i], all[begin+j] = all[begin+j], all[begin+i] })
		begin = end
	}
	return all
}
