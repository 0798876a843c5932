package capture_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

const second = 1_000_000 // of a builder's time

// failed is the one record of a capture, with its error.
func failed(t *testing.T, file []byte) (*inspect.Connection, *inspect.Error) {
	t.Helper()
	records, _ := recordsOf(t, file, capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.Error == nil {
		t.Fatalf("%d records", len(records))
	}
	return records[0], records[0].ClientLeg.Error
}

// TestClientThatLeavesBeforeTheAnswer closes the connection when the server's flight is on its way, or part of it is there. What the
// client had received is told by its own acknowledgements, not by the order in which packets were captured.
func TestClientThatLeavesBeforeTheAnswer(t *testing.T) {
	talk := ecdhe(t)
	hello, flight := talk[0].data, talk[1].data
	for name, test := range map[string]struct {
		wait    uint64
		heard   int // bytes of the flight that reached it
		first   bool
		flags   byte
		want    inspect.ErrorType
		says    string
		unheard *inspect.Unheard
	}{
		"at once":                            {wait: 30_000, flags: fin | ack, want: inspect.ErrorClosed, says: "the client closed the connection 30 ms after its hello, before an answer had reached it", unheard: &inspect.Unheard{Sent: int64(len(flight))}},
		"at once, captured at the server":    {wait: 30_000, first: true, flags: fin | ack, want: inspect.ErrorClosed, says: "before an answer had reached it", unheard: &inspect.Unheard{Sent: int64(len(flight))}},
		"by a reset":                         {wait: 30_000, flags: rst | ack, want: inspect.ErrorReset, unheard: &inspect.Unheard{Sent: int64(len(flight))}},
		"after a while":                      {wait: 3 * second, flags: fin | ack, want: inspect.ErrorStalled, says: "the server said nothing for 3.0 s after the hello from the client (packet 4), which then gave up and closed the connection (packet 5); an answer that came 3.0 s after it was too late", unheard: &inspect.Unheard{Sent: int64(len(flight))}},
		"in the middle of the server's part": {wait: 30_000, heard: 500, flags: fin | ack, want: inspect.ErrorClosed, says: "the client closed the connection", unheard: &inspect.Unheard{Received: 500, Records: records(flight, 500), Sent: int64(len(flight))}},
		"in the middle of the first record":  {wait: 30_000, heard: 7, flags: fin | ack, want: inspect.ErrorClosed, says: "before an answer had reached it", unheard: &inspect.Unheard{Received: 7, Sent: int64(len(flight))}},
		"between two that pass here":         {wait: 3 * second, first: true, flags: fin | ack, want: inspect.ErrorStalled, says: "the client gave up and closed the connection 3.0 s after its hello (packets 4 and 6); of an answer that passed here 0.0 s after the hello not one whole record had reached it", unheard: &inspect.Unheard{Sent: int64(len(flight))}},
		"behind all of it":                   {wait: 30_000, heard: len(flight), flags: fin | ack, want: inspect.ErrorClosed, says: "ms after the last message"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			c, s := client(3), server()
			w.open(c, s)
			w.segment(c, s, psh|ack, hello, 10)
			if test.heard > 0 {
				w.segment(s, c, ack, flight[:test.heard], 10)
			}
			began := s.seq
			answer := func() {
				if rest := flight[test.heard:]; len(rest) > 0 {
					w.segment(s, c, psh|ack, rest, 10)
				}
			}
			leave := func() {
				knows := *s
				knows.seq = began
				w.segment(c, &knows, test.flags, nil, test.wait)
			}
			if test.first {
				answer()
				leave()
			} else {
				leave()
				answer()
			}
			w.segment(c, s, rst, nil, 10)
			w.segment(s, c, fin|ack, nil, 10)
			r, e := failed(t, w.b)
			if e.Type != test.want || !strings.Contains(e.Message, test.says) {
				t.Errorf("%s: %s", e.Type, e.Message)
			}
			if got := r.Capture.Unheard; fmt.Sprint(got) != fmt.Sprint(test.unheard) && (got == nil || test.unheard == nil || *got != *test.unheard) {
				t.Errorf("unheard %+v, want %+v", got, test.unheard)
			}
		})
	}
}

// records is how many of the first n bytes are in whole records.
func records(b []byte, n int) (whole int64) {
	for at := 0; ; {
		at += 5 + int(b[at+3])<<8 + int(b[at+4])
		if at > n {
			return whole
		}
		whole = int64(at)
	}
}

// TestClientThatSaysNothing connects and does not send a byte.
func TestClientThatSaysNothing(t *testing.T) {
	for name, test := range map[string]struct {
		wait   uint64
		client bool
		want   inspect.ErrorType
		says   string
	}{
		"the server closes after a while": {20 * second, false, inspect.ErrorEmpty, "the client sent nothing for 20.0 s; then the server closed"},
		"the server closes at once":       {5000, false, inspect.ErrorClosed, "the server closed the connection 5 ms after it was open"},
		"the client closes":               {5000, true, inspect.ErrorEmpty, ""},
		"nobody closes":                   {0, false, inspect.ErrorEmpty, "nobody closed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBuilder()
			c, s := client(3), server()
			w.open(c, s)
			switch {
			case test.client:
				w.segment(c, s, fin|ack, nil, test.wait)
				w.segment(s, c, fin|ack, nil, 10)
			case test.wait > 0:
				w.segment(s, c, fin|ack, nil, test.wait)
				w.segment(c, s, fin|ack, nil, second)
			default:
				w.segment(client(4), server(), ack, []byte("what keeps the clock going"), 3600*second)
			}
			if _, e := failed(t, w.b); e.Type != test.want || !strings.Contains(e.Message, test.says) {
				t.Errorf("%s: %s", e.Type, e.Message)
			}
		})
	}
}

// TestSecondAnswerToTheRequest has a SYN-ACK with another number behind the one that the client took, as some middleboxes send it;
// and one in the place of a first that the client never took.
func TestSecondAnswerToTheRequest(t *testing.T) {
	talk := ecdhe(t)
	say := func(w *builder, c, s *side) {
		for _, x := range talk {
			if x.client {
				w.segment(c, s, psh|ack, x.data, 10)
			} else {
				w.segment(s, c, psh|ack, x.data, 10)
			}
		}
		w.close(c, s)
	}
	check := func(name string, w *builder) {
		records, _ := recordsOf(t, w.b, capture.Options{})
		if len(records) != 1 || records[0].ClientLeg.Error != nil || !records[0].ClientLeg.Established() || records[0].Capture.Stuck != nil {
			t.Errorf("%s: %d records, %+v", name, len(records), records[0].ClientLeg.Error)
		}
	}
	other := server()
	other.seq += 99_310_615

	w, c, s := newBuilder(), client(3), server()
	w.open(c, s)
	w.segment(other, &side{seq: c.seq, ip: c.ip, port: c.port}, syn|ack, nil, 600_000)
	w.segment(c, s, ack, nil, 10)
	say(w, c, s)
	check("behind the right one", w)

	w, c, s = newBuilder(), client(3), server()
	w.segment(c, s, syn, nil, 10)
	w.segment(other, c, syn|ack, nil, 10)
	w.segment(s, c, syn|ack, nil, 10)
	w.segment(c, s, ack, nil, 10)
	say(w, c, s)
	check("before the right one", w)
}

// TestHelloWhoseFirstRecordIsItsHeader cuts the four bytes of the message's header off into a record of their own, in a connection of
// which the beginning is not in the capture.
func TestHelloWhoseFirstRecordIsItsHeader(t *testing.T) {
	hello := ecdhe(t)[0].data
	cut := append([]byte{22, 3, 1, 0, 4}, hello[5:9]...)
	n := len(hello) - 9
	cut = append(append(cut, 22, 3, 1, byte(n>>8), byte(n)), hello[9:]...)
	w, c, s := newBuilder(), client(3), server()
	w.segment(c, s, psh|ack, cut, 10)
	records, _ := recordsOf(t, w.b, capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.TLS.Client == nil || len(records[0].ClientLeg.TLS.Client.SupportedCiphers) == 0 {
		t.Fatalf("%d records", len(records))
	}
	cut[9] = 23 // what follows is no handshake
	w, c, s = newBuilder(), client(3), server()
	w.segment(c, s, psh|ack, cut, 10)
	if records, _ := recordsOf(t, w.b, capture.Options{}); len(records) != 0 {
		t.Errorf("%d records of what is no hello", len(records))
	}
}

// TestDisguisedAsSSLv2 has what Skype sends: a hello in the format of SSLv2, and without waiting for an answer bytes that are no TLS.
func TestDisguisedAsSSLv2(t *testing.T) {
	hello := []byte{0x80, 70, 1, 3, 1, 0, 45, 0, 0, 0, 16}
	for i := range 15 {
		hello = append(hello, 0, 0, byte(i+1))
	}
	hello = append(hello, make([]byte, 16)...)
	answer := append([]byte{0x80, 11 + 10 + 3 + 16, 4, 0, 1, 0, 2, 0, 10, 0, 3, 0, 16}, make([]byte, 10+3+16)...)
	made := func(behind []byte, answered bool) []byte {
		w, c, s := newBuilder(), client(3), server()
		w.open(c, s)
		w.segment(c, s, psh|ack, hello, 10)
		w.segment(s, c, ack, nil, 10)
		if answered {
			w.segment(s, c, psh|ack, answer, 10)
		}
		w.segment(c, s, psh|ack, behind, 10)
		for range 5 {
			w.segmentAt(c, s, c.seq-uint32(len(behind)), psh|ack, behind, second)
		}
		w.close(c, s)
		return w.b
	}
	r, e := failed(t, made([]byte("\xb0\x93\xce\xad and so on, for a while"), false))
	if e.Type != inspect.ErrorNotTLS || e.Phase != inspect.PhasePeek || r.ClientLeg.FirstBytes == nil || r.ClientLeg.TLS.Client == nil {
		t.Errorf("%+v, first bytes %v", e, r.ClientLeg.FirstBytes)
	}
	if _, e := failed(t, made([]byte{21, 3, 1, 0, 2, 2, 40}, false)); e.Type == inspect.ErrorNotTLS { // an alert is TLS
		t.Errorf("%+v", e)
	}
	w, c, srv := newBuilder(), client(3), server()
	w.open(c, srv)
	w.segment(c, srv, psh|ack, hello, 10)
	w.segment(c, srv, psh|ack, []byte("\xb0\x93\xce\xad and so on"), 10)
	w.segment(c, srv, fin|ack, nil, 10)
	srv.seq += 79 // what it said is lost, before the client had it
	w.segment(srv, c, fin|ack, nil, 10)
	if _, e := failed(t, w.b); e.Type != inspect.ErrorNotTLS {
		t.Errorf("%+v", e)
	}
	records, _ := recordsOf(t, made([]byte("\x80\x10\x02 the client's key"), true), capture.Options{})
	if len(records) != 1 || records[0].ClientLeg.TLS.Version != "SSLv2" || records[0].ClientLeg.Error != nil && records[0].ClientLeg.Error.Type == inspect.ErrorNotTLS {
		t.Errorf("%d records of SSLv2 in earnest, %+v", len(records), records[0].ClientLeg)
	}
}
