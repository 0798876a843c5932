package probe_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/tlstriage/tlstriage/inspect/probe"
)

// The peer is nginx in one process on the same machine, with an ECDSA certificate; the hellos are those that real clients sent.
func BenchmarkHellosToNginx(b *testing.B) {
	id := ecdsaIdentity(b, "bench.example")
	address := nginx(b, id, "ssl_protocols TLSv1.2 TLSv1.3;")
	var hellos []*probe.Hello
	for _, r := range recordedHellos(b) {
		h, err := probe.Parse(r.bytes(b))
		if err != nil {
			b.Fatal(err)
		}
		hellos = append(hellos, h)
	}
	for name, until := range map[string]probe.Goal{"hello": probe.UntilHello, "flight": probe.UntilFlight} {
		client := &probe.Client{}
		exchange := func(n int) {
			x := client.Exchange(b.Context(), probe.Target{Address: address}, hellos[n%len(hellos)].Fresh(), probe.Options{Until: until})
			if x.Outcome == probe.OutcomeNotConnected || x.Outcome == probe.OutcomeTimeout {
				b.Errorf("%s: %+v", x.Outcome, x.Error)
			}
		}
		b.Run(name+"/sequential", func(b *testing.B) {
			for n := range b.N {
				exchange(n)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hellos/s")
		})
		b.Run(name+"/concurrent", func(b *testing.B) {
			b.SetParallelism(16 / max(1, runtime.GOMAXPROCS(0)))
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					exchange(int(n.Add(1)))
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hellos/s")
		})
	}
}

func BenchmarkFresh(b *testing.B) {
	h := probe.Modern("bench.example")
	b.ReportAllocs()
	for b.Loop() {
		h.Fresh()
	}
}
