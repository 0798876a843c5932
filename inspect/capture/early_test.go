package capture_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// healthy are the packets of connections on which application data went both ways.
func healthy(t *testing.T) map[string][]capture.Packet {
	t.Helper()
	certificate := selfSigned(t)
	talk := func(c, s *tls.Conn) {
		question, answer := make([]byte, 100), make([]byte, 300)
		if _, err := c.Write(question); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, question); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(answer); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
	}
	all := make(map[string][]capture.Packet)
	for name, change := range map[string]func(client, server *tls.Config){
		"TLS 1.2":                 func(client, _ *tls.Config) { client.MaxVersion = tls.VersionTLS12 },
		"TLS 1.3":                 func(*tls.Config, *tls.Config) {},
		"TLS 1.3 without tickets": func(_, server *tls.Config) { server.SessionTicketsDisabled = true },
		"TLS 1.3 after a HelloRetryRequest": func(client, server *tls.Config) {
			client.CurvePreferences, server.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}, []tls.CurveID{tls.CurveP384}
		},
	} {
		client := &tls.Config{InsecureSkipVerify: true, ServerName: "live.example.com"}
		server := &tls.Config{Certificates: []tls.Certificate{certificate}}
		change(client, server)
		all[name] = packetsOf(t, played(t, client, server, talk))
	}
	return all
}

// inTheFile gives packets the times of their places, as a capture would that has them in this order.
func inTheFile(packets []capture.Packet, order []capture.Packet) []byte {
	out := slices.Clone(order)
	for i := range out {
		out[i].Time = packets[i].Time
	}
	return pcapFile(littleEndian, 0xA1B2C3D4, out)
}

func fromTheServer(p capture.Packet) bool { return p.Data[26] == 192 }

// TestOrderIsToldByTheNumbers has the packets of healthy connections in another order than they were sent in, as several queues and merged
// taps give them: who acknowledges a byte had received it.
func TestOrderIsToldByTheNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	all := healthy(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		packets := all[name]
		orders := map[string][]capture.Packet{"as sent": packets}
		for i := range packets {
			for to := i + 1; to < min(len(packets), i+5); to++ {
				moved := slices.Insert(slices.Delete(slices.Clone(packets), i, i+1), to, packets[i])
				orders[fmt.Sprintf("packet %d behind %d", i+1, to+1)] = moved
			}
		}
		for i := range 200 {
			shuffled, window := slices.Clone(packets), float64(2+i%5)
			places := make([]float64, len(packets))
			for k := range places {
				places[k] = float64(k) + random.Float64()*window
			}
			places[0] = 0 // what comes long before the SYN is told as another connection
			slices.SortStableFunc(shuffled, func(a, b capture.Packet) int {
				return int((places[a.Number-1] - places[b.Number-1]) * 1e6)
			})
			orders[fmt.Sprint("shuffled ", i)] = shuffled
		}
		sides := slices.Clone(packets)
		slices.SortStableFunc(sides, func(a, b capture.Packet) int {
			switch from := fromTheServer(a); {
			case from == fromTheServer(b):
				return 0
			case from:
				return 1
			}
			return -1
		})
		orders["all of the client first"] = sides
		first := slices.IndexFunc(sides, fromTheServer)
		orders["all of the server first"] = slices.Concat(sides[first:], sides[:first])
		for order, shuffled := range orders {
			records, _ := recordsOf(t, inTheFile(packets, shuffled), capture.Options{})
			if len(records) != 1 {
				t.Errorf("%s, %s: %d records", name, order, len(records))
				continue
			}
			if r := records[0]; r.ClientLeg.Error != nil || r.Event.Outcome != inspect.Success || len(r.Capture.Inferred) > 0 || r.Client.Port != int(clientAt().port) {
				t.Errorf("%s, %s: %s %+v %+v", name, order, r.Event.Outcome, r.ClientLeg.Error, r.Capture)
			}
		}
	}
}

// TestMissingIsNotUnsent leaves packets out beside the server's SYN, by which alone the beginning of what it says would be known: the
// client's first acknowledgement says it, too, and what was acknowledged was sent.
func TestMissingIsNotUnsent(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	all := healthy(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		packets := all[name]
		var files [][]capture.Packet
		for from := 2; from < len(packets); from++ {
			for to := from + 1; to <= len(packets); to++ {
				some := slices.Delete(slices.Clone(packets), from, to)
				files = append(files, slices.Delete(some, 1, 2))
			}
		}
		for i := range 300 {
			files = append(files, slices.DeleteFunc(slices.Clone(packets), func(p capture.Packet) bool {
				return random.Float64() < 0.2+float64(i%3)/4
			}))
		}
		for _, some := range files {
			if len(some) == 0 {
				continue
			}
			records, _ := recordsOf(t, pcapFile(littleEndian, 0xA1B2C3D4, some), capture.Options{})
			for _, r := range records {
				if r.Event.Outcome == inspect.Failure {
					var left []uint64
					for _, p := range some {
						left = append(left, p.Number)
					}
					t.Errorf("%s, packets %d of %d: %+v", name, left, len(packets), r.ClientLeg.Error)
				}
			}
		}
	}
}

// TestBytesThatNeverCome has a client that acknowledges what is not in the capture, and goes on: what it says waits for that a moment only.
func TestBytesThatNeverCome(t *testing.T) {
	packets := healthy(t)["TLS 1.3"]
	some := slices.DeleteFunc(slices.Clone(packets), func(p capture.Packet) bool { return fromTheServer(p) && p.Number > 2 })
	later := packets[0] // of another connection
	later.Time, later.Data = later.Time.Add(10e9), bytes.Clone(later.Data)
	later.Data[34] ^= 1
	some = append(some, later)
	var told []*inspect.Connection
	tracker := capture.New(capture.Options{OnConnection: func(c *inspect.Connection) { told = append(told, c) }})
	defer tracker.Close()
	if err := tracker.Read(t.Context(), bytes.NewReader(pcapFile(littleEndian, 0xA1B2C3D4, some)), "made"); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0].Event.Outcome == inspect.Failure || told[0].ClientLeg.TLS.Client == nil || told[0].Capture.End != inspect.EndFINClient {
		t.Errorf("%d records before the end: %+v", len(told), told)
	}
}

// TestFinishedThatNeverArrives has a client that sends its Finished again and again, with more behind it and at last a FIN. Nothing of it is
// acknowledged: the handshake looks done from where the client sits, and is not.
func TestFinishedThatNeverArrives(t *testing.T) {
	talk := spoken(t, &tls.Config{InsecureSkipVerify: true}, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, SessionTicketsDisabled: true}, func(c, s *tls.Conn) {
		_, _ = c.Write([]byte("request"))
		_, _ = io.ReadFull(s, make([]byte, 7))
	})
	hello, flight, finished, request := talk[0].data, talk[1].data, talk[2].data, talk[3].data
	for _, reached := range []bool{false, true} {
		w := newBuilder()
		c, s := client(5), server()
		w.open(c, s)
		w.segment(c, s, psh|ack, hello, 10)
		w.segment(s, c, psh|ack, flight, 10)
		at := c.seq
		w.segment(c, s, psh|ack, finished, 10)
		if reached {
			w.segment(s, c, ack, nil, 10)
			at = c.seq
		}
		w.segment(c, s, psh|ack, request, 10)
		w.segment(c, s, fin|ack, nil, 10)
		again := slices.Concat(finished, request)
		if reached {
			again = request
		}
		for i := range 4 {
			w.segmentAt(c, s, at, psh|ack, again, second<<i)
		}
		records, _ := recordsOf(t, w.b, capture.Options{})
		if len(records) != 1 {
			t.Fatalf("%d records", len(records))
		}
		r := records[0]
		switch e := r.ClientLeg.Error; {
		case reached && (e != nil || r.Event.Outcome != inspect.Success):
			t.Errorf("the Finished was acknowledged: %+v", e)
		case !reached && (e == nil || e.Type != inspect.ErrorStuck || r.ClientLeg.TLS.Established):
			t.Errorf("%s, %+v, %+v", r.Event.Outcome, e, r.Capture.Stuck)
		}
	}
}
