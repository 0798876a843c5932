//go:build unix

package capture_test

import (
	"bytes"
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/capture"
)

func benchmarkRead(b *testing.B, file []byte, connections int) {
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	var stats capture.Stats
	before := processorTime(b)
	for b.Loop() {
		n := 0
		var err error
		stats, err = capture.Read(context.Background(), bytes.NewReader(file), "bench", capture.Options{OnConnection: func(*inspect.Connection) { n++ }})
		if err != nil || n != connections {
			b.Fatalf("%d records, want %d: %v", n, connections, err)
		}
	}
	seconds := (processorTime(b) - before).Seconds() / float64(b.N)
	b.ReportMetric(float64(connections)/seconds, "handshakes/cpu-s")
	b.ReportMetric(float64(stats.Packets)/seconds, "packets/cpu-s")
	b.ReportMetric(float64(len(file))/1e6/seconds, "MB/cpu-s")
}

// processorTime is what the process has used of all processors: what a benchmark says must not depend on its neighbours.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkHandshakes(b *testing.B) {
	b.Run("TLS12", func(b *testing.B) {
		benchmarkRead(b, handshakes(b, 10000, recorded(b, "zeek+zeek", "testing", "btest", "Traces", "tls", "ecdhe.pcap")), 10000)
	})
	b.Run("TLS13", func(b *testing.B) {
		benchmarkRead(b, handshakes(b, 10000, recorded(b, "CESNET+FlowTest", "pcap", "tls13.pcap")), 10000)
	})
}

func BenchmarkPayload(b *testing.B) { benchmarkRead(b, payload(b, 20, 1000), 20) }
