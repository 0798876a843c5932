package scan

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync"

	"github.com/tlstriage/tlstriage/inspect/probe"
	"github.com/tlstriage/tlstriage/inspect/wire"
)

// FiniteField is a Diffie-Hellman group over integers that an endpoint uses in TLS 1.2 and older.
type FiniteField struct {
	Bits       int      `json:"bits"`
	Known      string   `json:"known,omitempty"` // a prime that many use: the group's name
	Negotiated bool     `json:"negotiated"`      // chosen because the client offered it (RFC 7919)
	Versions   []string `json:"versions,omitempty"`
	Ciphers    []string `json:"ciphers,omitempty"` // that it was used in

	prime []byte
}

// finiteFields finds the parameters of the DHE suites: those that came with each suite of each version, for an endpoint may have
// others for EXPORT or anonymous suites and for short keys, and those that come in the newest version when groups of RFC 7919 are
// offered.
func (s *session) finiteFields(ctx context.Context, newest wire.Version, r *Report) []FiniteField {
	var fields []FiniteField
	note := func(k *wire.ServerKeyExchange, v wire.Version, suite wire.CipherSuite, negotiated bool) {
		known := nameOfPrime(k.Prime)
		i := slices.IndexFunc(fields, func(f FiniteField) bool { return bytes.Equal(f.prime, k.Prime) })
		if i < 0 {
			if len(fields) == maxFiniteFields {
				return
			}
			i = len(fields)
			fields = append(fields, FiniteField{Bits: k.PrimeBits, Known: known, Negotiated: negotiated, prime: bytes.Clone(k.Prime)})
		}
		f := &fields[i]
		if name := v.String(); !slices.Contains(f.Versions, name) {
			f.Versions = append(f.Versions, name)
		}
		if name := suite.String(); !slices.Contains(f.Ciphers, name) {
			f.Ciphers = append(f.Ciphers, name)
		}
	}
	for _, v := range versions() {
		if e := r.enumerated[v]; e != nil {
			for _, taken := range e.seen {
				if k := taken.exchange; k != nil && k.PrimeBits > 0 {
					note(k, v, taken.hello.CipherSuite, false)
				}
			}
		}
	}
	finite := byKeyExchange(r.suites(newest), "DHE")
	if len(finite) == 0 {
		return fields
	}
	remaining := slices.Clone(registry().finite)
	for len(remaining) > 0 {
		h := s.hello(newest, finite)
		h.SetGroups(remaining...)
		x := s.ask(ctx, h, probe.Options{})
		k := x.KeyExchange
		if k == nil || k.PrimeBits == 0 {
			if nature := natureOf(x); nature != said && nature != chosen {
				s.doubt(whatFields, fmt.Sprintf("%s: groups of RFC 7919: %s", newest, x.Describe()))
			}
			break
		}
		known := nameOfPrime(k.Prime)
		i := slices.IndexFunc(remaining, func(g wire.NamedGroup) bool { return g.String() == known })
		note(k, newest, suiteOf(x), i >= 0)
		if i < 0 {
			break // its own, whatever is offered
		}
		remaining = slices.Delete(remaining, i, i+1)
	}
	return fields
}

// maxFiniteFields is the most primes that are kept: an endpoint that makes one for each handshake has no end of them.
const maxFiniteFields = 32

// nameOfPrime names a prime that was published, so that many endpoints use it; empty: none of those.
func nameOfPrime(prime []byte) string {
	return knownPrimes()[new(big.Int).SetBytes(prime).String()]
}

// knownPrimes are the groups of RFC 2409, RFC 3526 and RFC 7919, which all are a constant's digits between ones, so that they can be
// made from a length and one number.
var knownPrimes = sync.OnceValue(func() map[string]string {
	known := map[string]string{}
	for _, p := range []struct {
		bits uint
		add  int64
		name string
	}{
		{768, 149686, "RFC 2409 Oakley group 1"}, {1024, 129093, "RFC 2409 Oakley group 2"}, {1536, 741804, "RFC 3526 group 5 (1536 bits)"},
		{2048, 124476, "RFC 3526 group 14 (2048 bits)"}, {3072, 1690314, "RFC 3526 group 15 (3072 bits)"}, {4096, 240904, "RFC 3526 group 16 (4096 bits)"},
		{6144, 929484, "RFC 3526 group 17 (6144 bits)"}, {8192, 4743158, "RFC 3526 group 18 (8192 bits)"},
	} {
		known[primeOf(pi, p.bits, p.add).String()] = p.name
	}
	for _, p := range []struct {
		bits  uint
		add   int64
		group wire.NamedGroup
	}{
		{2048, 560316, wire.GroupFfdhe2048}, {3072, 2625351, wire.GroupFfdhe3072}, {4096, 5736041, wire.GroupFfdhe4096},
		{6144, 15705020, wire.GroupFfdhe6144}, {8192, 10965728, wire.GroupFfdhe8192},
	} {
		known[primeOf(euler, p.bits, p.add).String()] = p.group.String()
	}
	return known
})

// primeOf is 2^b - 2^(b-64) - 1 + 2^64 (floor(2^(b-130) c) + x), of a constant c.
func primeOf(constant func(shift uint) *big.Int, bits uint, add int64) *big.Int {
	one := big.NewInt(1)
	middle := constant(bits - 130)
	middle.Add(middle, big.NewInt(add)).Lsh(middle, 64)
	p := new(big.Int).Lsh(one, bits)
	p.Sub(p, new(big.Int).Lsh(one, bits-64)).Sub(p, one)
	return p.Add(p, middle)
}

// guard is how many bits more are computed than are needed.
const guard = 64

// pi is floor(2^shift π), by Machin's formula.
func pi(shift uint) *big.Int {
	scale := new(big.Int).Lsh(big.NewInt(1), shift+guard)
	arctan := func(x int64) *big.Int { // of 1/x
		sum, term := new(big.Int), new(big.Int).Quo(scale, big.NewInt(x))
		square, part := big.NewInt(x*x), new(big.Int)
		for n := int64(1); term.Sign() != 0; n += 2 {
			part.Quo(term, big.NewInt(n))
			if n%4 == 1 {
				sum.Add(sum, part)
			} else {
				sum.Sub(sum, part)
			}
			term.Quo(term, square)
		}
		return sum
	}
	four := arctan(5)
	four.Lsh(four, 2).Sub(four, arctan(239)).Lsh(four, 2)
	return four.Rsh(four, guard)
}

// euler is floor(2^shift e), by its series.
func euler(shift uint) *big.Int {
	term := new(big.Int).Lsh(big.NewInt(1), shift+guard)
	sum := new(big.Int)
	for n := int64(1); term.Sign() != 0; n++ {
		sum.Add(sum, term)
		term.Quo(term, big.NewInt(n))
	}
	return sum.Rsh(sum, guard)
}
