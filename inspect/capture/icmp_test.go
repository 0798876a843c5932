package capture_test

import (
	"encoding/binary"
	"net/netip"
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
		"nothing listens":              {kind: 3, code: 3, want: inspect.ErrorRefused, says: "ICMP port unreachable from 192.0.2.1 (packet 2)"},
		"no host":                      {reporter: router, kind: 3, code: 1, want: inspect.ErrorUnreachable, says: "ICMP host unreachable from 198.51.100.1 (packet 2)"},
		"forbidden":                    {reporter: router, kind: 3, code: 13, want: inspect.ErrorUnreachable, says: "administratively prohibited"},
		"too large":                    {reporter: router, kind: 3, code: 4},
		"time exceeded":                {reporter: router, kind: 11, code: 0},
		"of another connection":        {kind: 3, code: 3, change: func(q []byte) { q[21]++ }},
		"of an earlier one":            {kind: 3, code: 3, change: func(q []byte) { q[27]++ }},
		"of the other way":             {kind: 3, code: 3, change: func(q []byte) { copy(q[12:], slices.Concat(q[16:20], q[12:16], q[22:24], q[20:22])) }},
		"the rest of a fragmented one": {kind: 3, code: 3, change: func(q []byte) { q[7] = 5 }},
		"cut short":                    {kind: 3, code: 3, change: func(q []byte) { q[0] = 0x4F }},
		"and yet it is answered":       {kind: 3, code: 3, answered: true, want: inspect.ErrorEmpty},
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
	w.icmp(server, client, 1, 4, ip[:200])
	records, _ := recordsOf(t, w.b, capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.Error == nil {
		t.Fatalf("%d records", len(records))
	}
	if r := records[0]; r.Transport != inspect.TransportQUIC || r.ClientLeg.Error.Type != inspect.ErrorRefused || !strings.Contains(r.ClientLeg.Error.Message, "ICMP port unreachable from 2001:db8::2 (packet 2)") {
		t.Errorf("%s %+v", r.Transport, r.ClientLeg.Error)
	}
}
