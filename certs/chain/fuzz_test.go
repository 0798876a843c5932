package chain_test

import (
	"bytes"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// FuzzExamine presents arbitrary bytes as up to three certificates. Whatever they are: no panic, bounded text, and a
// verdict that follows from the faults and is never kinder than crypto/x509 about trust.
func FuzzExamine(f *testing.F) {
	p := certstest.NewAt(f, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	var seeds [][][]byte
	for _, kind := range certstest.Kinds() {
		seeds = append(seeds, p.Make(kind, name).Raw())
	}
	log := p.NewCTLog("log", certs.ECDSAP256)
	seeds = append(seeds, [][]byte{p.Embed(p.Issuing, p.Leaf(name).Certificate, p.Now, log), p.Issuing.Certificate.Raw, log.SCT(p.Now, 0, []byte("x"))})
	for _, edit := range []func(*certstest.TBS){
		func(t *certstest.TBS) { t.SerialNumber = big.NewInt(-1) },
		func(t *certstest.TBS) {
			t.Set(certstest.SAN(certstest.DNS("b\u00fccher.*.x_y."), certstest.Address([]byte(name))))
		},
		func(t *certstest.TBS) { t.Set(certstest.MustStaple()); t.Drop(certstest.OIDAuthorityKeyID) },
		func(t *certstest.TBS) { t.Version, t.Extensions = 0, nil },
	} {
		seeds = append(seeds, [][]byte{p.Forge(p.Issuing, p.Leaf(name).Certificate, 0, edit), p.Issuing.Certificate.Raw, p.Intermediate.Certificate.Raw})
	}
	for _, c := range seeds {
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
		o.SCTs, o.OCSPResponse = [][]byte{c, b[:min(len(b), 200)]}, c
		o.Stores = []chain.Store{{Name: "other", Roots: p.Roots(), Public: true}}
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
		if n := reportSize(r); n > sizeLimit {
			t.Fatalf("the report has %d bytes", n)
		}
		for _, v := range r.Verdicts {
			if !v.Accepts && len(v.Reasons) == 0 {
				t.Fatalf("%s refuses for no reason", v.Family)
			}
			if v.Family == chain.FamilyGo && v.Accepts != (r.Err == nil) {
				t.Fatalf("the verdict of Go is %v, and crypto/x509 says %v", v.Accepts, r.Err)
			}
		}
		if r.Err != nil && r.Valid {
			t.Fatalf("crypto/x509 refuses (%v) what is called valid: %+v", r.Err, r.Faults)
		}
	})
}

// FuzzParseSCTList reads arbitrary bytes as a list of timestamps: what is taken must make the same bytes again.
func FuzzParseSCTList(f *testing.F) {
	p := certstest.NewAt(f, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	log := p.NewCTLog("log", certs.ECDSAP256)
	f.Add(certstest.SCTList(log.SCT(p.Now, 0, []byte("entry"))))
	f.Add(certstest.SCTList(log.SCT(p.Now, 0, []byte("entry")), []byte{1, 2, 3}))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := chain.ParseSCTList(b)
		if err != nil {
			return
		}
		var again [][]byte
		for _, s := range list {
			if s.Version != 0 {
				return // only the version is kept
			}
			one := append([]byte{0}, s.LogID[:]...)
			one = append(one, big.NewInt(s.Time.UnixMilli()).FillBytes(make([]byte, 8))...)
			one = append(append(one, byte(len(s.Extensions)>>8), byte(len(s.Extensions))), s.Extensions...)
			one = append(one, s.Hash, s.Algorithm, byte(len(s.Signature)>>8), byte(len(s.Signature)))
			again = append(again, append(one, s.Signature...))
		}
		if !bytes.Equal(certstest.SCTList(again...), b) {
			t.Fatalf("%x is read as %+v", b, list)
		}
	})
}

// FuzzParseLogList reads arbitrary bytes as a log list: a list is found again by its identifiers, and errors are bounded.
func FuzzParseLogList(f *testing.F) {
	p := certstest.NewAt(f, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	f.Add(certstest.LogListJSON(p.NewCTLog("ec", certs.ECDSAP256), p.NewCTLog("rsa", certs.RSA2048)))
	f.Add([]byte(`{"operators":[{"logs":[{"key":"AAAA"}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := chain.ParseLogList(b)
		switch {
		case err == nil && list.Len() == 0:
			t.Fatal("a list of nothing")
		case err != nil && (list != nil || len(err.Error()) > 2000):
			t.Fatalf("%d bytes of error", len(err.Error()))
		}
	})
}

// FuzzReadInput reads arbitrary bytes as a file: certificates are parts of it, and problems are few.
func FuzzReadInput(f *testing.F) {
	p := certstest.NewAt(f, time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	leaf := p.Leaf(name)
	f.Add(certs.EncodePEM(leaf.Chain()...))
	f.Add(leaf.Certificate.Raw)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----BEGIN X-----\n-----END X-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := chain.ReadInput(b)
		if len(in.Certificates) > chain.MaxCertificates || len(in.Problems) > 64 || len(in.Certificates)+len(in.Problems) == 0 {
			t.Fatalf("%d certificates, %d problems", len(in.Certificates), len(in.Problems))
		}
		lines := bytes.Count(b, []byte{'\n'}) + 1
		if slices.ContainsFunc(in.Problems, func(p chain.InputProblem) bool { return p.Line > lines || p.Detail == "" || len(p.Detail) > 1000 }) {
			t.Fatalf("%+v", in.Problems)
		}
	})
}
