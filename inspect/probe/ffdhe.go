package probe

import (
	"math/big"
	"sync"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// ffdhePrime is the prime of a group of RFC 7919; nil for any other group.
func ffdhePrime(group wire.NamedGroup) *big.Int {
	switch group {
	case wire.GroupFfdhe2048:
		return ffdhe2048()
	case wire.GroupFfdhe3072:
		return ffdhe3072()
	case wire.GroupFfdhe4096:
		return ffdhe4096()
	case wire.GroupFfdhe6144:
		return ffdhe6144()
	case wire.GroupFfdhe8192:
		return ffdhe8192()
	}
	return nil
}

// The primes of RFC 7919, Appendix A, made the way they are defined there, when one is needed.
var (
	ffdhe2048 = sync.OnceValue(func() *big.Int { return eulerPrime(2048, 560316) })
	ffdhe3072 = sync.OnceValue(func() *big.Int { return eulerPrime(3072, 2625351) })
	ffdhe4096 = sync.OnceValue(func() *big.Int { return eulerPrime(4096, 5736041) })
	ffdhe6144 = sync.OnceValue(func() *big.Int { return eulerPrime(6144, 15705020) })
	ffdhe8192 = sync.OnceValue(func() *big.Int { return eulerPrime(8192, 10965728) })
)

// eulerPrime is 2^b - 2^(b-64) + (floor(2^(b-130) e) + x) 2^64 - 1.
func eulerPrime(bits uint, x int64) *big.Int {
	one := big.NewInt(1)
	const guard = 64 // bits more than are needed, for what is lost to rounding
	scale := new(big.Int).Lsh(one, bits-130+guard)
	e, term := new(big.Int), new(big.Int).Set(scale)
	for n := int64(1); term.Sign() > 0; n++ { // e = 1/0! + 1/1! + 1/2! + ...
		e.Add(e, term)
		term = new(big.Int).Quo(term, big.NewInt(n))
	}
	e.Rsh(e, guard)
	p := new(big.Int).Lsh(one, bits)
	p.Sub(p, new(big.Int).Lsh(one, bits-64))
	p.Add(p, new(big.Int).Lsh(e.Add(e, big.NewInt(x)), 64))
	return p.Sub(p, one)
}
