package inspect_test

import (
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// BenchmarkObserver watches one leg from the hello to the record, with descriptions remembered from earlier connections.
func BenchmarkObserver(b *testing.B) {
	all := transcripts(b)
	for _, name := range []string{"TLS 1.3", "HelloRetryRequest", "TLS 1.2"} {
		b.Run(name, func(b *testing.B) {
			var d inspect.Describer
			tr := all[name]
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				o := inspect.NewObserver(&d)
				for _, s := range tr {
					o.Feed(s.from, s.data, now)
				}
				if t := o.TLS(); !t.Established {
					b.Fatal("not established")
				}
			}
		})
	}
}

func BenchmarkDescriber(b *testing.B) {
	h := recordedHellos(b)[0].hello
	for _, r := range recordedHellos(b) {
		if len(r.hello.Raw) > len(h.Raw) {
			h = r.hello // the largest one: post-quantum
		}
	}
	b.Run("hit", func(b *testing.B) {
		var d inspect.Describer
		b.ReportAllocs()
		for b.Loop() {
			d.Hello(h, wire.VersionTLS10, inspect.TransportTCP)
		}
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			inspect.DescribeHello(h, wire.VersionTLS10, inspect.TransportTCP)
		}
	})
	chain := identity(b, "api.example.com").Certificate
	b.Run("chain hit", func(b *testing.B) {
		var d inspect.Describer
		b.ReportAllocs()
		for b.Loop() {
			d.Certificates(chain)
		}
	})
	b.Run("chain miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			inspect.Certificates(chain)
		}
	})
}
