package openssl

import (
	"encoding/pem"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DHBits is the size of the prime of the first Diffie-Hellman parameters in PEM data (RFC 7919 calls them finite-field
// parameters); 0: there are none.
func DHBits(data []byte) int {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return 0
		}
		if block.Type != "DH PARAMETERS" && block.Type != "X9.42 DH PARAMETERS" {
			continue
		}
		s := cryptobyte.String(block.Bytes)
		var sequence cryptobyte.String
		prime := new(big.Int)
		if s.ReadASN1(&sequence, asn1.SEQUENCE) && sequence.ReadASN1Integer(prime) {
			return prime.BitLen()
		}
		return 0
	}
}
