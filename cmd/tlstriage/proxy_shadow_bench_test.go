package main

import (
	"os/exec"
	"testing"
	"time"
)

// BenchmarkShadow is what `--shadow` costs the data path: full handshakes through the same program without a canary, with one, and with
// one that is sent a hello every second, which is the least interval that can be set. The three run side by side and take turns. b.N
// is the number of turns; 1 % and less is seen from some 200 on.
func BenchmarkShadow(b *testing.B) {
	s := newBench(b)
	type contender struct {
		proxyUnderTest
		address string
		pid     int
		took    time.Duration
		cpu     time.Duration
	}
	var all []*contender
	for _, p := range []proxyUnderTest{
		{"alone", ours()}, {"shadow", ours("--shadow", s.backend)}, {"shadow-each-second", ours("--shadow", s.backend, "--shadow-interval", "1s", "--shadow-rate", "1000")},
	} {
		c := &contender{proxyUnderTest: p}
		var cmd *exec.Cmd
		c.address, cmd, _ = p.run(b, s)
		c.pid = cmd.Process.Pid
		s.handshakes(b, c.address, handshakesPerTurn) // caches and heaps are warm
		all = append(all, c)
	}
	b.ResetTimer()
	for turn := range b.N {
		for i := range all {
			c := all[(turn+i)%len(all)]
			before, start := cpuTime(c.pid), time.Now()
			s.handshakes(b, c.address, handshakesPerTurn)
			c.took += time.Since(start)
			c.cpu += cpuTime(c.pid) - before
		}
	}
	b.StopTimer()
	for _, c := range all {
		b.ReportMetric(float64(b.N*handshakesPerTurn)/c.took.Seconds(), c.name+"/s")
		b.ReportMetric(float64(c.cpu.Microseconds())/float64(b.N*handshakesPerTurn), c.name+"-cpu-µs")
	}
	for _, c := range all[1:] {
		b.ReportMetric(all[0].took.Seconds()/c.took.Seconds(), "x-"+c.name)
		b.ReportMetric(c.cpu.Seconds()/all[0].cpu.Seconds(), "cpu-x-"+c.name)
	}
	b.ReportMetric(0, "ns/op")
}
