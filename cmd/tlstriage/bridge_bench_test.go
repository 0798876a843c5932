//go:build linux

package main

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// keptClients is how many connections are kept open, each with one request under way.
const keptClients = 32

// kept is one of the programs that requests go through.
type kept struct {
	name    string
	address string
	pid     int
	open    []*tls.Conn
	took    time.Duration
	cpu     time.Duration
	each    []time.Duration // of every request
}

// BenchmarkKept is requests on connections that are kept, TLS to TLS, through the program and through HAProxy, and without anything between. They
// take turns, so that what else happens on the machine happens to all of them. Reported are requests a second, how long half of them
// and all but a hundredth take at most, what that adds to the way without a proxy, and the proxy's own time.
func BenchmarkKept(b *testing.B) {
	s := newBench(b)
	all := []*kept{{name: "direct", address: s.backend}}
	for _, p := range []proxyUnderTest{{"tlstriage", ours()}, {"haproxy", haproxy(true)}} {
		address, cmd, _ := p.run(b, s)
		all = append(all, &kept{name: p.name, address: address, pid: cmd.Process.Pid})
	}
	for _, k := range all {
		for range keptClients {
			c, err := s.dial(b.Context(), k.address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			k.open = append(k.open, c)
		}
		k.ask(b, 10) // warm
		k.each, k.took, k.cpu = nil, 0, 0
	}
	b.ResetTimer()
	for turn := range b.N {
		for i := range all {
			all[(turn+i)%len(all)].ask(b, 50)
		}
	}
	b.StopTimer()
	direct := all[0]
	for _, k := range all {
		slices.Sort(k.each)
		b.ReportMetric(float64(len(k.each))/k.took.Seconds(), k.name+"/s")
		b.ReportMetric(float64(k.at(50).Microseconds()), k.name+"-p50-µs")
		b.ReportMetric(float64(k.at(99).Microseconds()), k.name+"-p99-µs")
		if k != direct {
			b.ReportMetric(float64((k.at(50) - direct.at(50)).Microseconds()), k.name+"-added-p50-µs")
			b.ReportMetric(float64((k.at(99) - direct.at(99)).Microseconds()), k.name+"-added-p99-µs")
			b.ReportMetric(float64(k.cpu.Microseconds())/float64(len(k.each)), k.name+"-cpu-µs")
		}
	}
	b.ReportMetric(all[2].took.Seconds()/all[1].took.Seconds(), "x-haproxy")
	b.ReportMetric(0, "ns/op")
}

// at is the time within which a percentage of the requests was answered.
func (k *kept) at(percent int) time.Duration { return k.each[(len(k.each)-1)*percent/100] }

// ask has each connection do n requests.
func (k *kept) ask(b *testing.B, n int) {
	var mu sync.Mutex
	var clients sync.WaitGroup
	var before time.Duration
	if k.pid != 0 {
		before = cpuTime(k.pid)
	}
	start := time.Now()
	for _, c := range k.open {
		clients.Go(func() {
			buffer, own := make([]byte, 4096), make([]time.Duration, 0, n)
			for range n {
				begin := time.Now()
				if err := ask(c, 1000, buffer); err != nil {
					b.Error(k.name, err)
					return
				}
				own = append(own, time.Since(begin))
			}
			mu.Lock()
			k.each = append(k.each, own...)
			mu.Unlock()
		})
	}
	clients.Wait()
	k.took += time.Since(start)
	if k.pid != 0 {
		k.cpu += cpuTime(k.pid) - before
	}
}

// BenchmarkBesideStalledClients is what 2,000 clients that have stopped, in each phase as many, do to a good one: how long all but a
// hundredth of its requests and of its handshakes take at most, against the time before they came.
func BenchmarkBesideStalledClients(b *testing.B) {
	s := newBench(b)
	p := proxyUnderTest{"tlstriage", ours("--timeout-client-hello", "5m", "--timeout-handshake", "5m", "--timeout-idle", "1h")}
	address, _, _ := p.run(b, s)
	hello := recordOfHello(b)
	phases := []func(net.Conn) error{
		func(net.Conn) error { return nil },
		func(c net.Conn) error { _, err := c.Write(hello[:len(hello)/2]); return err },
		func(c net.Conn) error {
			if _, err := c.Write(hello); err != nil {
				return err
			}
			_, err := io.ReadFull(c, make([]byte, 5))
			return err
		},
		func(c net.Conn) error {
			return tls.Client(c, &tls.Config{RootCAs: s.roots, ServerName: benchName}).Handshake()
		},
		func(c net.Conn) error { // reads nothing of what it asked for
			c.(*net.TCPConn).SetReadBuffer(4096)
			t := tls.Client(c, &tls.Config{RootCAs: s.roots, ServerName: benchName})
			if err := t.Handshake(); err != nil {
				return err
			}
			_, err := io.WriteString(t, "10000000\n")
			return err
		},
	}
	const rounds = 200
	requests, handshakes := s.alone(b, address, rounds)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range 2000 {
		c, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			b.Fatal(err)
		}
		open = append(open, c)
		c.SetDeadline(time.Now().Add(patience))
		if err := phases[i%len(phases)](c); err != nil {
			b.Fatal(err)
		}
		c.SetDeadline(time.Time{})
	}
	b.ResetTimer()
	for range b.N {
		r, h := s.alone(b, address, rounds)
		b.ReportMetric(float64(r)/float64(requests), "x-request-p99")
		b.ReportMetric(float64(h)/float64(handshakes), "x-handshake-p99")
		b.ReportMetric(float64(r.Microseconds()), "request-p99-µs")
		b.ReportMetric(float64(h.Microseconds()), "handshake-p99-µs")
	}
	b.ReportMetric(0, "ns/op")
}

// alone is one good client: within what time all but a hundredth of its requests and of its handshakes are done.
func (s *bench) alone(b *testing.B, address string, rounds int) (request, handshake time.Duration) {
	var requests, handshakes []time.Duration
	buffer := make([]byte, 4096)
	for range rounds {
		begin := time.Now()
		c, err := s.dial(b.Context(), address)
		if err != nil {
			b.Fatal(err)
		}
		handshakes = append(handshakes, time.Since(begin))
		for range 10 {
			begin = time.Now()
			if err := ask(c, 1000, buffer); err != nil {
				b.Fatal(err)
			}
			requests = append(requests, time.Since(begin))
		}
		c.Close()
	}
	slices.Sort(requests)
	slices.Sort(handshakes)
	return requests[len(requests)*99/100], handshakes[len(handshakes)*99/100]
}
