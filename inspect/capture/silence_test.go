package capture_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// TestSilenceUntilSomebodyGivesUp has a side that owes an answer and gives none. It is not the other, which closes in the end,
// that failed.
func TestSilenceUntilSomebodyGivesUp(t *testing.T) {
	talk := ecdhe(t)
	flight := 1 + slices.IndexFunc(talk[1:], func(x turn) bool { return x.client }) // with all that the server says first
	for name, test := range map[string]struct {
		turns  int // of the handshake
		client bool
		flags  byte
		wait   uint64
		want   inspect.ErrorType
		says   string
	}{
		"the client closes":                 {1, true, fin | ack, 3 * second, inspect.ErrorStalled, "the server said nothing for 3.0 s after the hello from the client (packet 4), which then gave up and closed the connection (packet 6)"},
		"the client resets":                 {1, true, rst | ack, 3 * second, inspect.ErrorStalled, "gave up and reset the connection (packet 6)"},
		"the client closes at once":         {1, true, fin | ack, second / 10, inspect.ErrorClosed, "the client closed the connection 100 ms after its hello, before an answer had reached it (packet 6)"},
		"the server closes":                 {1, false, fin | ack, 3 * second, inspect.ErrorClosed, "the server closed the connection"},
		"the client never answers a flight": {2, false, fin | ack, 60 * second, inspect.ErrorStalled, "the client said nothing for 60.0 s after the last message from the server (packet 5)"},
		"the client leaves after a flight":  {flight, true, fin | ack, 3 * second, inspect.ErrorClosed, "the client closed the connection"},
		"the client gets half a flight":     {2, true, fin | ack, 3 * second, inspect.ErrorStalled, "the server stopped in the middle of a message (packet 5) and said nothing for 3.0 s; then the client gave up and closed the connection (packet 7)"},
		"half a flight, and at once":        {2, true, fin | ack, second / 10, inspect.ErrorClosed, "the client closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			c, s := client(3), server()
			w.open(c, s)
			for _, x := range talk[:test.turns] {
				if x.client {
					w.segment(c, s, psh|ack, x.data, 0)
				} else {
					w.segment(s, c, psh|ack, x.data, 0)
				}
			}
			from, to := s, c
			if test.client {
				from, to = c, s
			}
			w.segment(to, from, ack, nil, 0)
			w.segment(from, to, test.flags, nil, test.wait)
			w.segment(to, from, fin|ack, nil, 10)
			records, _ := recordsOf(t, w.b, capture.Options{})
			if len(records) != 1 || records[0].ClientLeg.Error == nil {
				t.Fatalf("%d records", len(records))
			}
			e := records[0].ClientLeg.Error
			if e.Type != test.want || !strings.Contains(e.Message, test.says) {
				t.Errorf("%s: %s", e.Type, e.Message)
			}
		})
	}
}

// TestServerThatNeverCloses is told soon behind the client's FIN: nothing is expected of the handshake any more.
func TestServerThatNeverCloses(t *testing.T) {
	w := newBuilder()
	c, s := client(3), server()
	w.open(c, s)
	w.segment(c, s, psh|ack, ecdhe(t)[0].data, 10)
	w.segment(c, s, fin|ack, nil, 3e6)
	w.segment(s, c, ack, nil, 10)
	w.at += 7e6
	w.open(client(4), server())
	var told []*inspect.Connection
	tracker := capture.New(capture.Options{OnConnection: func(c *inspect.Connection) { told = append(told, c) }})
	defer tracker.Close()
	if err := tracker.Read(t.Context(), bytes.NewReader(w.b), "made"); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0].Capture.End != inspect.EndFINClient || told[0].ClientLeg.Error.Type != inspect.ErrorStalled {
		t.Errorf("%d records before the end: %+v", len(told), told)
	}
}

// TestPacketsThatOvertakeTheRequest captures the packets by which a connection begins in any order.
func TestPacketsThatOvertakeTheRequest(t *testing.T) {
	packets := packetsOf(t, conversationOf(pieces(ecdhe(t), 2000), 1000))
	whole, _ := recordsOf(t, pcapFile(littleEndian, 0xA1B2C3D4, packets), capture.Options{})
	want := summary(whole[0])
	for _, order := range [][]int{{1, 0, 2, 3}, {3, 0, 1, 2}, {0, 3, 1, 2}, {1, 3, 0, 2}, {1, 2, 3, 0}, {3, 1, 0, 2}} {
		changed := append([]capture.Packet(nil), packets...)
		for i, from := range order {
			changed[i] = packets[from]
			changed[i].Time = packets[i].Time
		}
		records, _ := recordsOf(t, pcapFile(littleEndian, 0xA1B2C3D4, changed), capture.Options{})
		if len(records) != 1 {
			t.Errorf("%v: %d records", order, len(records))
			continue
		}
		if got := summary(records[0]); got != want || records[0].Capture.Midstream || records[0].ClientLeg.Error != nil {
			t.Errorf("%v: %s, %+v, want %s", order, got, records[0].Capture, want)
		}
	}
}

// TestOneThatGoesOnHoldsUpNobody has a client that sends its hello a byte at a time, and others behind it.
func TestOneThatGoesOnHoldsUpNobody(t *testing.T) {
	talk := ecdhe(t)
	made := func() []byte {
		w := newBuilder()
		slow, s := client(1), server()
		w.open(slow, s)
		for i := range 20 {
			w.segment(slow, s, psh|ack, talk[0].data[i:i+1], second)
			c, s := client(10+i), server()
			w.open(c, s)
			for _, x := range talk {
				if x.client {
					w.segment(c, s, psh|ack, x.data, 10)
				} else {
					w.segment(s, c, psh|ack, x.data, 10)
				}
			}
			w.close(c, s)
		}
		return w.b
	}
	for _, limits := range []capture.Limits{{Wait: 6e9}, {Wait: 6e9, Handshakes: 1}, {Wait: 6e9, Records: 1}, {}} {
		t.Run(fmt.Sprintf("%+v", limits), func(t *testing.T) {
			records, stats := recordsOf(t, made(), capture.Options{Limits: limits})
			hurried := stats.Hurried > 0
			if len(records) != 21 && !hurried || len(records) < 20 { // one that was cut short in its first bytes is none of TLS
				t.Fatalf("%d records, %+v", len(records), stats)
			}
			at := -1
			last := uint64(0)
			for i, r := range records {
				if r.Client.Port == int(client(1).port) {
					at = i
				} else if r.Capture.FirstPacket < last {
					t.Errorf("packet %d behind %d", r.Capture.FirstPacket, last)
				} else {
					last = r.Capture.FirstPacket
				}
			}
			if hurried != (limits.Handshakes == 1 || limits.Records == 1) {
				t.Errorf("%+v", stats)
			}
			if overtaken := limits.Wait > 0; !hurried && (overtaken != (at == 20) || !overtaken && at != 0) {
				t.Errorf("the slow one is record %d", at)
			}
		})
	}
}

// TestFirstPacketsOnly has captures of which somebody kept the first packets of each connection: what must have gone on is no failure.
func TestFirstPacketsOnly(t *testing.T) {
	talk := ecdhe(t)
	var flight []byte
	for _, x := range talk[1:] {
		if x.client {
			break
		}
		flight = append(flight, x.data...)
	}
	for name, test := range map[string]struct {
		flight []byte // of the server
		acked  bool
		want   inspect.ErrorType
	}{
		"the hello is acknowledged and not answered": {nil, true, inspect.ErrorStalled},
		"the hello is not acknowledged":              {nil, false, ""},
		"the flight is not acknowledged":             {flight, false, ""},
		"the flight is not whole":                    {flight[:len(flight)-4], true, ""},
		"the client owes an answer":                  {flight, true, inspect.ErrorStalled},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			c, s := client(3), server()
			w.open(c, s)
			w.segment(c, s, psh|ack, talk[0].data, 10)
			if test.flight != nil {
				w.segment(s, c, psh|ack, test.flight, 10)
				if test.acked {
					w.segment(c, s, ack, nil, 10)
				}
			} else if test.acked {
				w.segment(s, c, ack, nil, 10)
			}
			w.at += 100e6
			w.open(client(4), server())
			records, _ := recordsOf(t, w.b, capture.Options{})
			if len(records) == 0 {
				t.Fatal("no records")
			}
			got := inspect.ErrorType("")
			if e := records[0].ClientLeg.Error; e != nil {
				got = e.Type
			}
			if got != test.want || records[0].Capture.End != inspect.EndIdle {
				t.Errorf("%q, %s", got, records[0].Capture.End)
			}
		})
	}
}
