package probe

import (
	"math/big"
	"slices"
	"sync"
)

// x448Size is the length of a scalar and of a coordinate of X448 (RFC 7748, Section 5).
const x448Size = 56

// x448Prime is 2^448 - 2^224 - 1 (RFC 7748, Section 4.2).
var x448Prime = sync.OnceValue(func() *big.Int {
	one := big.NewInt(1)
	p := new(big.Int).Lsh(one, 448)
	p.Sub(p, new(big.Int).Lsh(one, 224))
	return p.Sub(p, one)
})

// x448Base is the u-coordinate of the base point.
func x448Base() []byte {
	u := make([]byte, x448Size)
	u[0] = 5
	return u
}

// x448 multiplies a point by a scalar: the Montgomery ladder of RFC 7748, Section 5. Its time depends on the scalar, which is good enough for
// keys that protect nothing: an experiment says nothing that is secret.
func x448(scalar, u []byte) []byte {
	k := slices.Clone(scalar)
	k[0] &= 252
	k[x448Size-1] |= 128
	p := x448Prime()
	number := func(little []byte) *big.Int {
		digits := slices.Clone(little)
		slices.Reverse(digits)
		return new(big.Int).SetBytes(digits)
	}
	mod := func(v *big.Int) *big.Int { return v.Mod(v, p) }
	add := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Add(a, b)) }
	sub := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Sub(a, b)) }
	mul := func(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }
	x1 := mod(number(u))
	x2, z2, x3, z3 := big.NewInt(1), big.NewInt(0), x1, big.NewInt(1)
	a24 := big.NewInt(39081) // (156326 - 2) / 4
	bits := number(k)
	swap := uint(0)
	for t := 447; t >= 0; t-- {
		bit := bits.Bit(t)
		if swap != bit {
			x2, x3, z2, z3 = x3, x2, z3, z2
		}
		swap = bit
		a, b, c, d := add(x2, z2), sub(x2, z2), add(x3, z3), sub(x3, z3)
		aa, bb, da, cb := mul(a, a), mul(b, b), mul(d, a), mul(c, b)
		e := sub(aa, bb)
		sum, difference := add(da, cb), sub(da, cb)
		x3, z3 = mul(sum, sum), mul(x1, mul(difference, difference))
		x2, z2 = mul(aa, bb), mul(e, add(aa, mul(a24, e)))
	}
	if swap == 1 {
		x2, z2 = x3, z3
	}
	inverse := new(big.Int).Exp(z2, new(big.Int).Sub(p, big.NewInt(2)), p)
	out := mul(x2, inverse).FillBytes(make([]byte, x448Size))
	slices.Reverse(out)
	return out
}
