package why_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/why"
)

// FuzzExperiment has endpoints that answer each hello by what a script says, and hellos of any form: an experiment ends within its bounds,
// and whatever it says of a cause is whole.
func FuzzExperiment(f *testing.F) {
	for _, hello := range []*probe.Hello{probe.Modern(serverName), chromium(), older(nil), sslv2Hello(), postQuantum()} {
		flight, err := hello.Flight()
		if err != nil {
			f.Fatal(err)
		}
		for _, script := range [][]byte{{0}, {1, 2}, {3}, {4, 40}, {5, 1, 0, 2}, {6}} {
			f.Add(flight[0], script)
		}
	}
	serverHello := append([]byte{22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3}, make([]byte, 32)...)
	serverHello = append(append(serverHello, 0, 0xC0, 0x2F, 0), 22, 3, 3, 0, 4, 14, 0, 0, 0)
	f.Fuzz(func(t *testing.T, raw, script []byte) {
		t.Parallel() // of the seeds
		hello, err := probe.Parse(raw)
		if err != nil || len(script) == 0 || len(raw) > 4<<10 {
			t.Skip()
		}
		var n atomic.Int64
		answer := func(sent []byte) []byte {
			b := script[(int(n.Add(1))+len(sent))%len(script)]
			switch b % 8 {
			case 0:
				return nil
			case 1, 2:
				return []byte{21, 3, 3, 0, 2, 2, b}
			case 3, 4, 5:
				return serverHello
			case 6:
				return []byte("HTTP/1.1 400 Bad Request\r\n\r\n")
			}
			return script
		}
		client := &probe.Client{Timeouts: probe.Timeouts{Dial: time.Second, Answer: 50 * time.Millisecond, Finish: 20 * time.Millisecond, Idle: time.Millisecond}}
		client.Dial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				_ = far.SetDeadline(time.Now().Add(100 * time.Millisecond))
				b := make([]byte, 64<<10)
				k, err := far.Read(b)
				if err != nil {
					return
				}
				_, _ = far.Write(answer(b[:k]))
			}()
			return near, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		const most = 25
		r := (&why.Experiment{Client: client, Target: probe.Target{Address: "endpoint.example:443"}, Hello: hello, Names: []string{serverName}, Budget: most}).Run(ctx)
		if r.Connections > most || r.Verdict == why.Explained && len(r.Causes) == 0 || r.Verdict == why.NoFailure && len(r.Causes) > 0 {
			t.Errorf("%s with %d causes after %d connections", r.Verdict, len(r.Causes), r.Connections)
		}
		for _, c := range r.Causes {
			if c.ID == "" || c.Axis == "" || c.Sentence == "" || c.Evidence == "" {
				t.Errorf("%+v", c)
			}
		}
	})
}
