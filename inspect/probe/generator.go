package probe

import (
	"encoding/hex"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// Generators of curves that the standard library does not have (RFC 5639, Section 3; RFC 8998). A key share must be a point on
// its curve, or the server answers illegal_parameter: the generator is one, as the public key to the private key one.
const (
	brainpoolP256 = "048bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997"
	brainpoolP384 = "041d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315"
	brainpoolP512 = "0481aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f8227dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892"
	curveSM2      = "0432c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)

// generatorOf is the generator as an uncompressed point, and the bytes of a coordinate.
func generatorOf(group wire.NamedGroup) (point []byte, size int, ok bool) {
	var text string
	switch group {
	case wire.GroupBrainpoolP256r1, wire.GroupBrainpoolP256r1tls13:
		text = brainpoolP256
	case wire.GroupBrainpoolP384r1, wire.GroupBrainpoolP384r1tls13:
		text = brainpoolP384
	case wire.GroupBrainpoolP512r1, wire.GroupBrainpoolP512r1tls13:
		text = brainpoolP512
	case wire.GroupCurveSM2:
		text = curveSM2
	default:
		return nil, 0, false
	}
	point, err := hex.DecodeString(text)
	return point, len(point) / 2, err == nil
}
