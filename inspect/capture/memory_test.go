package capture_test

import (
	"context"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

// stream makes up a capture as it is read: connections that end, that never do, that lose segments, and many that only ask.
type stream struct {
	w    *builder
	talk []turn
	left int64
	n    int
	at   int
}

func (g *stream) Read(b []byte) (int, error) {
	if g.at == len(g.w.b) {
		if g.left <= 0 {
			return 0, io.EOF
		}
		g.w.b, g.at = g.w.b[:0], 0
		for range 20 {
			g.connection()
		}
		g.left -= int64(len(g.w.b))
	}
	n := copy(b, g.w.b[g.at:])
	g.at += n
	return n, nil
}

var fullSegment = func() []byte {
	b := make([]byte, 1448)
	copy(b, []byte{23, 3, 3, 5, 163})
	return b
}()

func (g *stream) connection() {
	g.n++
	c, s := client(g.n%(1<<24)), server()
	c.port = uint16(1024 + g.n%64000)
	g.w.segment(c, s, syn, nil, 200)
	if g.n%5 == 0 {
		return
	}
	g.w.segment(s, c, syn|ack, nil, 10)
	g.w.segment(c, s, ack, nil, 10)
	for i, x := range g.talk {
		from, to := s, c
		if x.client {
			from, to = c, s
		}
		if g.n%7 == 0 && i == 2 {
			from.seq += uint32(len(x.data)) // lost
			continue
		}
		if g.n%11 == 0 && i == 4 {
			return // never ends
		}
		g.w.segment(from, to, psh|ack, x.data, 10)
	}
	for range 20 * (g.n % 3) {
		g.w.segment(s, c, ack, fullSegment, 2)
	}
	if g.n%13 != 0 {
		g.w.close(c, s)
	}
}

// TestConstantMemory reads a capture that is larger than what may be used for it. TLSTRIAGE_CAPTURE_GB makes it larger still.
func TestConstantMemory(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() {
		size = 32 << 20
	}
	if gb, err := strconv.Atoi(os.Getenv("TLSTRIAGE_CAPTURE_GB")); err == nil {
		size = int64(gb) << 30
	}
	g := &stream{w: newBuilder(), talk: ecdhe(t), left: size}
	records, most := 0, uint64(0)
	var m runtime.MemStats
	debug.FreeOSMemory() // what other tests have left
	stats, err := capture.Read(context.Background(), g, "stream", capture.Options{OnConnection: func(*inspect.Connection) {
		if records++; records%256 == 0 {
			runtime.ReadMemStats(&m)
			most = max(most, m.Sys-m.HeapReleased)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MB, %d packets, %d connections, at most %d MB from the system; %+v", stats.Bytes>>20, stats.Packets, records, most>>20, stats)
	if most > 256<<20 || most == 0 {
		t.Errorf("%d MB were taken from the system", most>>20)
	}
}
