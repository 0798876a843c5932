package chain_test

import (
	"crypto"
)

// fixedPublic is a key to issue for that shows another public key: a certificate over a key that the issuer never had in
// hand, as in cross-signing.
type fixedPublic struct {
	crypto.Signer
	public crypto.PublicKey
}

func (f fixedPublic) Public() crypto.PublicKey { return f.public }
