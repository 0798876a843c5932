package chain_test

import (
	"crypto/x509"
	"testing"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// BenchmarkExamine compares the examination of a healthy chain of three with what every client does with it: parse and
// verify by crypto/x509.
func BenchmarkExamine(b *testing.B) {
	p := certstest.New(b)
	presented := p.Make(certstest.Healthy, name).Raw()
	o := options(p)
	b.Run("examine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if r := chain.Examine(presented, o); !r.Valid {
				b.Fatal(r.Faults)
			}
		}
	})
	b.Run("x509", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var list []*x509.Certificate
			pool := x509.NewCertPool()
			for i, der := range presented {
				c, err := x509.ParseCertificate(der)
				if err != nil {
					b.Fatal(err)
				}
				list = append(list, c)
				if i > 0 {
					pool.AddCert(c)
				}
			}
			if _, err := list[0].Verify(x509.VerifyOptions{DNSName: o.Name, Roots: o.Roots, Intermediates: pool, CurrentTime: o.Time}); err != nil {
				b.Fatal(err)
			}
		}
	})
	missing := p.Make(certstest.MissingIntermediate, name).Raw()
	b.Run("examine-missing-intermediate", func(b *testing.B) {
		for b.Loop() {
			if r := chain.Examine(missing, o); r.Valid {
				b.Fatal("valid")
			}
		}
	})
}
