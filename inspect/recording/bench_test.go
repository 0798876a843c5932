package recording

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/report"
)

// sample is a recording of so many connections of 2,000 kinds of clients, in blocks that are read again and again.
func sample(tb testing.TB, connections int, raw report.Raw) (text []byte, records int) {
	tb.Helper()
	r := newRand(1)
	offers := make([]offer, 2000)
	for i := range offers {
		offers[i] = randomOffer(r)
	}
	for i := range connections {
		o := offers[r.IntN(len(offers))]
		o.name = fmt.Sprintf("host-%d.example.com", r.IntN(50))
		text = append(text, record(tb, o.hello(r), i, raw)...)
	}
	return text, connections
}

// repeated reads a text n times over.
type repeated struct {
	text []byte
	n    int
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.at == len(r.text) {
		r.n, r.at = r.n-1, 0
	}
	if r.n <= 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[r.at:])
	r.at += n
	return n, nil
}

// BenchmarkTally counts the clients of a recording. Its peer is what reading and counting lines alone takes.
func BenchmarkTally(b *testing.B) {
	text, records := sample(b, 8000, report.RawAll)
	const times = 10
	b.Run("tally", func(b *testing.B) {
		b.SetBytes(int64(len(text) * times))
		b.ReportAllocs()
		before := processorTime(b)
		defer func() {
			b.ReportMetric(float64(len(text)*times*b.N)/1e6/(processorTime(b)-before).Seconds(), "MB/cpu-s")
		}()
		for b.Loop() {
			var t Tally
			if err := t.Read(&repeated{text: text, n: times}, ""); err != nil || t.Connections != int64(records*times) {
				b.Fatal(t.Connections, err)
			}
		}
		b.ReportMetric(float64(len(text)/records), "B/record")
	})
	bare, _ := sample(b, 8000, report.RawNone)
	b.Run("tally, records without bytes", func(b *testing.B) {
		b.SetBytes(int64(len(bare) * times))
		b.ReportAllocs()
		before := processorTime(b)
		defer func() { // what it takes of a processor, whoever else wants it
			b.ReportMetric(float64(len(bare)*times*b.N)/1e6/(processorTime(b)-before).Seconds(), "MB/cpu-s")
		}()
		for b.Loop() {
			var t Tally
			if err := t.Read(&repeated{text: bare, n: times}, ""); err != nil || t.Connections != int64(records*times) {
				b.Fatal(t.Connections, err)
			}
		}
	})
	b.Run("tally, one processor", func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		b.SetBytes(int64(len(text) * times))
		for b.Loop() {
			var t Tally
			if err := t.Read(&repeated{text: text, n: times}, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lines alone", func(b *testing.B) {
		b.SetBytes(int64(len(text) * times))
		buf := make([]byte, 64<<10)
		for b.Loop() {
			lines := 0
			for r := (&repeated{text: text, n: times}); ; {
				n, err := r.Read(buf)
				lines += bytes.Count(buf[:n], []byte{'\n'})
				if err != nil {
					break
				}
			}
			if lines != records*times {
				b.Fatal(lines)
			}
		}
	})
}

// BenchmarkRecord is one record, in the fast way and in the plain one.
func BenchmarkRecord(b *testing.B) {
	r := newRand(2)
	line := bytes.TrimSpace(record(b, randomOffer(r).hello(r), 1, report.RawAll))
	var d decoder
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if reason, err := d.record(line); reason != entryAccepted {
				b.Fatal(reason, err)
			}
		}
	})
	b.Run("encoding json", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if reason, err := d.plain(line); reason != entryAccepted {
				b.Fatal(reason, err)
			}
		}
	})
}
