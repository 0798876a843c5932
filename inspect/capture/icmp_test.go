package capture_test

import (
	"crypto/tls"
	"encoding/binary"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// icmp appends a Destination Unreachable that quotes the beginning of an IP packet.
func (w *builder) icmp(from, to []byte, kind, code byte, quoted []byte) {
	message := slices.Concat([]byte{kind, code, 0, 0, 0, 0, 0, 0}, quoted)
	f := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	if len(from) == 4 {
		f = append(f, 8, 0, 0x45, 0)
		f = binary.BigEndian.AppendUint16(f, uint16(20+len(message)))
		f = append(f, 0, 0, 0, 0, 64, 1, 0, 0)
	} else {
		f = append(f, 0x86, 0xDD, 0x60, 0, 0, 0)
		f = binary.BigEndian.AppendUint16(f, uint16(len(message)))
		f = append(f, 58, 64)
	}
	w.frame(slices.Concat(f, from, to, message), 10)
}

// TestUndelivered has the network say that a connection's first packet could not be delivered.
func TestUndelivered(t *testing.T) {
	router := []byte{198, 51, 100, 1}
	for name, test := range map[string]struct {
		reporter   []byte // nil: the server
		kind, code byte
		change     func(quoted []byte)
		answered   bool
		want       inspect.ErrorType // empty: no record
		says       string
	}{
		"nothing listens":               {kind: 3, code: 3, want: inspect.ErrorRefused, says: "ICMP port unreachable from 192.0.2.1 (packet 2)"},
		"no host":                       {reporter: router, kind: 3, code: 1, want: inspect.ErrorUnreachable, says: "ICMP host unreachable from 198.51.100.1 (packet 2)"},
		"a router says nothing listens": {reporter: router, kind: 3, code: 3, want: inspect.ErrorUnreachable, says: "ICMP port unreachable from 198.51.100.1 (packet 2)"},
		"forbidden":                     {reporter: router, kind: 3, code: 13, want: inspect.ErrorUnreachable, says: "administratively prohibited"},
		"too large":                     {reporter: router, kind: 3, code: 4},
		"time exceeded":                 {reporter: router, kind: 11, code: 0},
		"of another connection":         {kind: 3, code: 3, change: func(q []byte) { q[21]++ }},
		"of an earlier one":             {kind: 3, code: 3, change: func(q []byte) { q[27]++ }},
		"of the other way":              {kind: 3, code: 3, change: func(q []byte) { copy(q[12:], slices.Concat(q[16:20], q[12:16], q[22:24], q[20:22])) }},
		"the rest of a fragmented one":  {kind: 3, code: 3, change: func(q []byte) { q[7] = 5 }},
		"cut short":                     {kind: 3, code: 3, change: func(q []byte) { q[0] = 0x4F }},
		"and yet it is answered":        {kind: 3, code: 3, answered: true, want: inspect.ErrorEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			c, s := client(3), server()
			before := len(w.b) + 16 + 14
			w.segment(c, s, syn, nil, 10)
			quoted := slices.Clone(w.b[before : before+28])
			if test.change != nil {
				test.change(quoted)
			}
			reporter := s.ip[:]
			if test.reporter != nil {
				reporter = test.reporter
			}
			if test.answered {
				w.segment(s, c, syn|ack, nil, 10)
				w.segment(c, s, ack, nil, 10)
			}
			w.icmp(reporter, c.ip[:], test.kind, test.code, quoted)
			if test.answered {
				w.close(c, s)
			}
			records, stats := recordsOf(t, w.b, capture.Options{})
			if stats.OtherLayers != 1 {
				t.Errorf("%d packets without a segment", stats.OtherLayers)
			}
			if test.want == "" {
				if len(records) != 0 {
					t.Errorf("%+v", records[0].ClientLeg.Error)
				}
				return
			}
			if len(records) != 1 || records[0].ClientLeg.Error == nil {
				t.Fatalf("%d records", len(records))
			}
			if e := records[0].ClientLeg.Error; e.Type != test.want || !strings.Contains(e.Message, test.says) || records[0].Capture.OneWay != "" {
				t.Errorf("%+v, %+v", e, records[0].Capture)
			}
			if u := records[0].Capture.Undelivered; (u != nil) != (test.says != "") || u != nil && (u.Packet != 2 || u.MTU != 0 || u.TooLarge()) {
				t.Errorf("%+v", u)
			}
		})
	}
}

// TestUndeliveredSegment has a hello sent again and again, of which the network says why it is not delivered.
func TestUndeliveredSegment(t *testing.T) {
	router := []byte{198, 51, 100, 1}
	tooLarge := inspect.Undelivered{Said: inspect.FragmentationNeeded, From: "198.51.100.1", Packet: 5, MTU: 1280}
	hello := spoken(t, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}, func(_, _ *tls.Conn) {})[0].data
	for name, test := range map[string]struct {
		code   byte
		change func(quoted []byte)
		passes bool // in smaller segments
		want   *inspect.Undelivered
	}{
		"too large":                        {code: 4, want: &tooLarge},
		"too large, a segment in the rest": {code: 4, change: func(q []byte) { binary.BigEndian.PutUint32(q[24:], binary.BigEndian.Uint32(q[24:])+100) }, want: &tooLarge},
		"of something behind it":           {code: 4, change: func(q []byte) { binary.BigEndian.PutUint32(q[24:], binary.BigEndian.Uint32(q[24:])+5000) }},
		"of the other side's":              {code: 4, change: func(q []byte) { copy(q[12:], slices.Concat(q[16:20], q[12:16], q[22:24], q[20:22])) }},
		"forbidden":                        {code: 13, want: &inspect.Undelivered{Said: "administratively prohibited", From: "198.51.100.1", Packet: 5}},
		"the sender heeds it":              {code: 4, passes: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			c, s := client(4), server()
			w.open(c, s)
			at, before := c.seq, len(w.b)+16+14
			w.segment(c, s, psh|ack, hello, 10)
			quoted := slices.Clone(w.b[before : before+28])
			if test.change != nil {
				test.change(quoted)
			}
			w.icmp(router, c.ip[:], 3, test.code, quoted)
			if test.code == 4 {
				binary.BigEndian.PutUint16(w.b[len(w.b)-len(quoted)-2:], 1280)
			}
			if test.passes {
				w.segmentAt(c, s, at, ack, hello[:1000], 10)
				w.segmentAt(c, s, at+1000, psh|ack, hello[1000:], 10)
				w.segment(s, c, ack, nil, 10)
			} else {
				for i := range 4 {
					w.segmentAt(c, s, at, psh|ack, hello, second<<i)
				}
				w.segment(c, s, rst|ack, nil, 10)
			}
			kept := 0
			records, _ := recordsOf(t, w.b, capture.Options{OnPackets: func(_ *inspect.Connection, packets []capture.Packet) { kept = len(packets) }})
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			r := records[0]
			if got := r.Capture.Undelivered; !reflect.DeepEqual(got, test.want) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if e := r.ClientLeg.Error; (e != nil && e.Type == inspect.ErrorStuck) == test.passes {
				t.Errorf("%+v", e)
			}
			if test.change == nil && !test.passes && kept != 10 {
				t.Errorf("%d packets are kept: what ICMP says is not among them", kept)
			}
		})
	}
}

// TestUndeliveredDatagram is the same of QUIC, over IPv6.
func TestUndeliveredDatagram(t *testing.T) {
	client, server := netip.MustParseAddr("2001:db8::1").AsSlice(), netip.MustParseAddr("2001:db8::2").AsSlice()
	datagram := initial(t, true, 0, quicHello(t))
	ip := []byte{0x60, 0, 0, 0}
	ip = binary.BigEndian.AppendUint16(ip, uint16(8+len(datagram)))
	ip = slices.Concat(ip, []byte{17, 64}, client, server, []byte{0xC0, 0, 1, 0xBB})
	ip = binary.BigEndian.AppendUint16(ip, uint16(8+len(datagram)))
	ip = slices.Concat(ip, []byte{0, 0}, datagram)
	w := newBuilder()
	w.frame(slices.Concat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xDD}, ip), 10)
	before := len(w.b)
	w.icmp(server, client, 1, 4, ip[:200])
	cut := len(w.b)
	w.icmp(server, client, 2, 0, ip[:200])
	binary.BigEndian.PutUint32(w.b[len(w.b)-204:], 1280)
	records, _ := recordsOf(t, slices.Concat(w.b[:before], w.b[cut:]), capture.Options{})
	want := inspect.Undelivered{Said: inspect.PacketTooBig, From: "2001:db8::2", Packet: 2, MTU: 1280}
	if len(records) != 1 || records[0].ClientLeg.Error != nil || records[0].Capture.Undelivered == nil || *records[0].Capture.Undelivered != want {
		t.Fatalf("%+v", records)
	}
	records, _ = recordsOf(t, slices.Concat(w.b[:before], w.b[cut:], w.b[before:cut]), capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.Error == nil {
		t.Fatalf("%d records", len(records))
	}
	if u := records[0].Capture.Undelivered; u == nil || u.TooLarge() || u.Packet != 3 {
		t.Errorf("%+v", u)
	}
	records, _ = recordsOf(t, w.b[:cut], capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.Error == nil {
		t.Fatalf("%d records", len(records))
	}
	if r := records[0]; r.Transport != inspect.TransportQUIC || r.ClientLeg.Error.Type != inspect.ErrorRefused || !strings.Contains(r.ClientLeg.Error.Message, "ICMP port unreachable from 2001:db8::2 (packet 2)") {
		t.Errorf("%s %+v", r.Transport, r.ClientLeg.Error)
	}
}
