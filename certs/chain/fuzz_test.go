package chain_test

import (
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// FuzzExamine presents arbitrary bytes as up to three certificates. Whatever they are: no panic, bounded text, and a
// verdict that follows from the faults and is never kinder than crypto/x509 about trust.
func FuzzExamine(f *testing.F) {
	p := certstest.NewAt(f, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	for _, kind := range certstest.Kinds() {
		c := p.Make(kind, name).Raw()
		for len(c) < 3 {
			c = append(c, nil)
		}
		f.Add(c[0], c[1], c[2], name)
	}
	f.Add([]byte{}, []byte{0x30, 0x80}, []byte("x"), "")
	f.Add([]byte{0x30}, []byte{}, []byte{}, "::1")
	f.Fuzz(func(t *testing.T, a, b, c []byte, asked string) {
		presented := [][]byte{a, b, c}
		for len(presented) > 1 && len(presented[len(presented)-1]) == 0 {
			presented = presented[:len(presented)-1]
		}
		o := options(p)
		o.Name = asked
		r := chain.Examine(presented, o)
		if len(r.Presented) != len(presented) || len(r.Raw) != len(presented) {
			t.Fatal("certificates were lost")
		}
		fatal := false
		for _, fault := range r.Faults {
			fatal = fatal || fault.Fatal
			if len(fault.Detail) > 4000 || len(fault.Names) > 10 || fault.Index < -1 || fault.Index >= len(presented) {
				t.Fatalf("out of bounds: %+v", fault)
			}
		}
		if r.Valid == fatal {
			t.Fatalf("valid %v with %+v", r.Valid, r.Faults)
		}
		if r.Err != nil && r.Valid {
			t.Fatalf("crypto/x509 refuses (%v) what is called valid: %+v", r.Err, r.Faults)
		}
	})
}
