package chain_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/chain"
)

// A report must cost at most this much, and say at most that much, whatever a stranger presents.
const (
	costLimit = 100 * time.Millisecond
	sizeLimit = 64 << 10
)

func TestExamineIsBounded(t *testing.T) {
	p := certstest.New(t)
	cases := map[string][][]byte{}

	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("host-%d.some.where.example.com", i))
	}
	cases["10,000 names"] = raw(p.Leaf(names...).Chain()...)
	var long []string
	for i := range 4000 {
		long = append(long, fmt.Sprintf("%d.%s.%s.%s.%s", i, strings.Repeat("a", 63), strings.Repeat("b", 63), strings.Repeat("c", 63), strings.Repeat("d", 50)))
	}
	cases["a megabyte of long names"] = raw(p.Leaf(long...).Chain()...)
	cases["more than a megabyte"] = append(raw(p.Leaf(name).Chain()...), make([]byte, chain.MaxBytes))
	cases["a name as long as may be"] = raw(p.Issue(p.Issuing, certs.Template{CommonName: strings.Repeat("\x1b[31m", 10_000), Names: []string{strings.Repeat("x.", 30_000)}}).Chain()...)

	deep := p.Root
	for i := range 110 {
		deep = p.Issue(deep, certs.Template{CommonName: fmt.Sprint("CA ", i), CA: true})
	}
	cases["a path of 110 certificates"] = raw(p.Issue(deep, certs.Template{Names: []string{name}}).Chain()...)

	// A hundred certificates of one name and different P-521 keys, none of which signed the leaf: the dearest signatures to try.
	var twins [][]byte
	for range 100 {
		key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		twins = append(twins, p.Issue(p.Intermediate, certs.Template{CommonName: "Test Issuing", Organization: "Triage Test", CA: true, Signer: key}).Certificate.Raw)
	}
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	absent := p.SelfSign(certs.Template{CommonName: "Test Issuing", Organization: "Triage Test", CA: true, Signer: key})
	leaf := p.Issue(absent, certs.Template{Names: []string{name}})
	cases["a hundred issuers that did not sign"] = append([][]byte{leaf.Certificate.Raw}, twins...)

	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		cases["a ring of authorities with "+curve.Params().Name] = ring(t, p, curve)
	}

	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 65_535, 1), E: 65_537}
	cases["an RSA key of 65,536 bits"] = raw(p.Issue(p.Issuing, certs.Template{Names: []string{name}, Signer: fixedPublic{p.Issuing.Key, huge}}).Chain()...)
	bigCA := p.Issue(p.Root, certs.Template{CommonName: "Big", CA: true, Signer: fixedPublic{p.Issuing.Key, huge}})
	below := p.Issue(p.Issuing, certs.Template{Names: []string{name}})
	cases["an RSA key of 65,536 bits above"] = append(raw(below.Chain()...), bigCA.Certificate.Raw)

	for what, presented := range cases {
		t.Run(what, func(t *testing.T) {
			o := options(p)
			o.Known = []*x509.Certificate{p.Intermediate.Certificate, p.Issuing.Certificate, p.Root.Certificate}
			best := time.Hour
			var r *chain.Report
			for range 3 { // the least of three: other work on the machine is not ours
				start := time.Now()
				r = chain.Examine(presented, o)
				best = min(best, time.Since(start))
			}
			if limit := costLimit * raceFactor; best > limit {
				t.Errorf("took %v, want at most %v", best, limit)
			}
			for _, f := range r.Faults {
				if len(f.Names) > 10 {
					t.Errorf("%d names in a fault", len(f.Names))
				}
			}
			size := reportSize(r)
			if size > sizeLimit {
				t.Errorf("the report has %d bytes", size)
			}
			if len(presented) > chain.MaxCertificates && !strings.Contains(strings.Join(faults(r), " "), "cert-malformed") {
				t.Error("that not everything was looked at is not said")
			}
			t.Logf("%v, %d faults, %d bytes", best, len(r.Faults), size)
		})
	}
}

// reportSize is how many bytes of text a report holds, the certificates aside.
func reportSize(r *chain.Report) (size int) {
	for _, f := range r.Faults {
		size += len(f.ID) + len(f.Reason) + len(f.Detail) + len(f.Missing) + len(strings.Join(f.Names, "")) + 16*len(f.RefusedBy)
	}
	for _, v := range r.Verdicts {
		for _, b := range v.Reasons {
			size += len(b.Fault) + len(b.Reason) + len(b.Text)
		}
	}
	for _, s := range r.SCTs {
		size += len(s.Log) + len(s.Error) + 64
	}
	if r.Err != nil {
		size += len(r.Err.Error())
	}
	return size + 100*len(r.Paths)
}

// ring is a leaf below nine authorities that all certify each other: the number of paths is beyond counting.
// With no curve given it is P-256, and the root certifies each of them too.
func ring(t *testing.T, p *certstest.PKI, curve elliptic.Curve) [][]byte {
	t.Helper()
	rooted := curve == nil
	if rooted {
		curve = elliptic.P256()
	}
	var members []*certs.Pair
	for i := range 9 {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, p.SelfSign(certs.Template{CommonName: fmt.Sprint("Ring ", i), CA: true, Signer: key}))
	}
	presented := raw(p.Issue(members[0], certs.Template{Names: []string{name}}).Certificate)
	for _, a := range members {
		if rooted {
			presented = append(presented, p.Issue(p.Root, certs.Template{CommonName: a.Certificate.Subject.CommonName, CA: true, Signer: a.Key}).Certificate.Raw)
		}
		for _, b := range members {
			presented = append(presented, p.Issue(a, certs.Template{CommonName: b.Certificate.Subject.CommonName, CA: true, Signer: b.Key}).Certificate.Raw)
		}
	}
	return presented
}

func TestExamineRefusesKeysTooLargeToVerify(t *testing.T) {
	p := certstest.New(t)
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 16_383, 1), E: 65_537}
	r := chain.Examine(raw(p.Issue(p.Issuing, certs.Template{Names: []string{name}, Signer: fixedPublic{p.Issuing.Key, huge}}).Chain()...), options(p))
	if got := faults(r); !slices.Contains(got, "cert-weak-key") || r.Valid || r.Err == nil {
		t.Errorf("%v, valid %v, %v", got, r.Valid, r.Err)
	}
}

func TestExamineKeepsTheErrorBelowABoundedText(t *testing.T) {
	p := certstest.New(t)
	var names []string
	for i := range 90 {
		names = append(names, fmt.Sprintf("%d.%s.invalid", i, strings.Repeat("a", 60)))
	}
	r := chain.Examine(raw(p.Leaf(names...).Chain()...), options(p))
	var host x509.HostnameError
	if !errors.As(r.Err, &host) || len(r.Err.Error()) > 1100 {
		t.Errorf("%T with %d bytes", r.Err, len(r.Err.Error()))
	}
}
