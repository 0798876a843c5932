package probe

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"errors"
	"math/big"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// privateShare is a key share of ours with what its secret is made from. Which parts are there, and in which order they stand
// in the share, follows from the group.
type privateShare struct {
	group    wire.NamedGroup
	public   []byte
	curve    *ecdh.PrivateKey
	kem768   *mlkem.DecapsulationKey768
	kem1024  *mlkem.DecapsulationKey1024
	exponent *big.Int // FFDHE
	scalar   []byte   // X448
	one      int      // curves whose point is the generator: bytes of a coordinate
}

// errNoSecret says that a share of ours leads to no secret: its group's mathematics is not at hand.
var errNoSecret = errors.New("probe: no shared secret can be made for the group")

// kemFirst tells the hybrids in whose share and secret the post-quantum part comes first: draft-ietf-tls-ecdhe-mlkem has
// X25519MLKEM768 the other way round than its siblings.
func kemFirst(g wire.NamedGroup) bool { return g == wire.GroupX25519MLKEM768 }

// newShare makes a key share; ok is false for a group that it cannot be made for.
func newShare(group wire.NamedGroup) (s privateShare, ok bool) {
	s.group = group
	if curve := curveOf(group); curve != nil {
		key, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			return s, false
		}
		s.curve, s.public = key, key.PublicKey().Bytes()
	}
	switch group {
	case wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1:
		return s, true
	case wire.GroupX25519MLKEM768, wire.GroupSecP256r1MLKEM768, wire.GroupMLKEM768,
		wire.GroupX25519Kyber768Draft00, wire.GroupSecP256r1Kyber768Draft00: // the draft's keys have the same form; its secrets differ
		key, err := mlkem.GenerateKey768()
		if err != nil {
			return s, false
		}
		s.kem768 = key
		s.public = joined(group, s.public, key.EncapsulationKey().Bytes())
		return s, true
	case wire.GroupSecP384r1MLKEM1024, wire.GroupMLKEM1024:
		key, err := mlkem.GenerateKey1024()
		if err != nil {
			return s, false
		}
		s.kem1024 = key
		s.public = joined(group, s.public, key.EncapsulationKey().Bytes())
		return s, true
	case wire.GroupX448:
		s.scalar = random(x448Size)
		s.public = x448(s.scalar, x448Base())
		return s, true
	case wire.GroupMLKEM512:
		s.public = append(make([]byte, 768), random(32)...) // a well-formed key of nobody
		return s, true
	}
	if point, size, known := generatorOf(group); known {
		s.public, s.one = point, size
		return s, true
	}
	if prime := ffdhePrime(group); prime != nil {
		s.exponent = new(big.Int).SetBytes(random(32)) // RFC 7919, Section 5.2: 225 to 400 bits, by size
		size := (prime.BitLen() + 7) / 8
		s.public = new(big.Int).Exp(big.NewInt(2), s.exponent, prime).FillBytes(make([]byte, size))
		return s, true
	}
	return s, false
}

func joined(group wire.NamedGroup, curve, kem []byte) []byte {
	if kemFirst(group) {
		return append(kem, curve...)
	}
	return append(curve, kem...)
}

// curveOf is the elliptic curve of a group, or of the classical half of a hybrid.
func curveOf(group wire.NamedGroup) ecdh.Curve {
	switch group {
	case wire.GroupX25519, wire.GroupX25519MLKEM768, wire.GroupX25519Kyber768Draft00:
		return ecdh.X25519()
	case wire.GroupSecp256r1, wire.GroupSecP256r1MLKEM768, wire.GroupSecP256r1Kyber768Draft00:
		return ecdh.P256()
	case wire.GroupSecp384r1, wire.GroupSecP384r1MLKEM1024:
		return ecdh.P384()
	case wire.GroupSecp521r1:
		return ecdh.P521()
	}
	return nil
}

// secret is the shared secret with the server's share (RFC 8446, Section 7.4).
func (s *privateShare) secret(server []byte) ([]byte, error) {
	switch s.group {
	case wire.GroupMLKEM512, wire.GroupX25519Kyber768Draft00, wire.GroupSecP256r1Kyber768Draft00:
		return nil, errNoSecret
	}
	if s.exponent != nil {
		return s.finiteField(server)
	}
	if s.scalar != nil {
		if len(server) != x448Size {
			return nil, errNoSecret
		}
		return x448(s.scalar, server), nil
	}
	if s.one > 0 { // the scalar is one: the secret is the server's own x-coordinate
		if len(server) != 1+2*s.one {
			return nil, errNoSecret
		}
		return server[1 : 1+s.one], nil
	}
	var kem, curve []byte
	var err error
	switch {
	case s.kem768 != nil:
		if len(server) < mlkem.CiphertextSize768 {
			return nil, errNoSecret
		}
		part, rest := s.split(server, mlkem.CiphertextSize768)
		server = rest
		kem, err = s.kem768.Decapsulate(part)
	case s.kem1024 != nil:
		if len(server) < mlkem.CiphertextSize1024 {
			return nil, errNoSecret
		}
		part, rest := s.split(server, mlkem.CiphertextSize1024)
		server = rest
		kem, err = s.kem1024.Decapsulate(part)
	}
	if err == nil && s.curve != nil {
		var peer *ecdh.PublicKey
		if peer, err = s.curve.Curve().NewPublicKey(server); err == nil {
			curve, err = s.curve.ECDH(peer)
		}
	}
	if err != nil {
		return nil, err
	}
	return joined(s.group, curve, kem), nil
}

// split divides the share of a hybrid into the post-quantum part of so many bytes and the classical one.
func (s *privateShare) split(server []byte, size int) (kem, curve []byte) {
	if kemFirst(s.group) {
		return server[:size], server[size:]
	}
	return server[len(server)-size:], server[:len(server)-size]
}

// finiteField is the secret of a finite field group, as long as its prime (RFC 8446, Section 7.4.1).
func (s *privateShare) finiteField(server []byte) ([]byte, error) {
	prime := ffdhePrime(s.group)
	y := new(big.Int).SetBytes(server)
	// RFC 7919, Section 3: 1 < dh_Y < dh_p - 1
	if y.Cmp(big.NewInt(1)) <= 0 || y.Cmp(new(big.Int).Sub(prime, big.NewInt(1))) >= 0 {
		return nil, errNoSecret
	}
	return new(big.Int).Exp(y, s.exponent, prime).FillBytes(make([]byte, (prime.BitLen()+7)/8)), nil
}
