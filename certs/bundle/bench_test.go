package bundle_test

import (
	"context"
	"testing"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/bundle"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// BenchmarkBuild is the whole way of an ordinary pile; its peer is the examination of the same chain, which is part of it twice.
func BenchmarkBuild(b *testing.B) {
	p := certstest.New(b)
	leaf := p.Leaf("www.example.com")
	list := append(leaf.Chain(), p.Root.Certificate)
	inputs := pile(certs.EncodePEM(list...), keyPEM(b, leaf))
	o := bundle.Options{Time: p.Now, Roots: p.Roots()}
	b.Run("bundle", func(b *testing.B) {
		for b.Loop() {
			if r := bundle.Build(context.Background(), bundle.Read(inputs), o); len(r.Bundles) != 1 {
				b.Fatal(r.Problems)
			}
		}
	})
	b.Run("examine alone", func(b *testing.B) {
		raw := [][]byte{list[0].Raw, list[1].Raw, list[2].Raw, list[3].Raw}
		for b.Loop() {
			if r := chain.Examine(raw, chain.Options{Time: p.Now, Roots: o.Roots}); !r.Trusted {
				b.Fatal(r.Faults)
			}
		}
	})
}
