package inspect

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// CertificateCurve is the curve of a certificate's key, as the group that a client before TLS 1.3 has to offer for it to be chosen (RFC 8422,
// Section 5.1.1); false: its key is of another kind, or on a curve without a code point.
func CertificateCurve(der []byte) (wire.NamedGroup, bool) {
	_, _, curve, ok := curveInCertificate(der)
	if !ok {
		return 0, false
	}
	for _, known := range []struct {
		id    asn1.ObjectIdentifier
		group wire.NamedGroup
	}{
		{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, wire.GroupSecp256r1},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, wire.GroupSecp384r1},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, wire.GroupSecp521r1},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 33}, wire.GroupSecp224r1},
		{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 1}, wire.GroupSecp192r1},
		{asn1.ObjectIdentifier{1, 3, 132, 0, 10}, wire.GroupSecp256k1},
		{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7}, wire.GroupBrainpoolP256r1},
		{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11}, wire.GroupBrainpoolP384r1},
		{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 13}, wire.GroupBrainpoolP512r1},
	} {
		if curve.Equal(known.id) {
			return known.group, true
		}
	}
	return 0, false
}

// parseCertificate is x509.ParseCertificate, which takes a key on a curve that crypto/x509 does not know (brainpoolP256r1, secp256k1) for one
// of an unknown kind in place of refusing the whole certificate.
func parseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err == nil {
		return c, nil
	}
	whole, algorithm, _, ok := curveInCertificate(der)
	if !ok {
		return nil, err
	}
	altered := slices.Clone(der)
	altered[cap(der)-cap(algorithm)+len(algorithm)-1] = 0x7f // both are slices of one array
	if c, failed := x509.ParseCertificate(altered); failed == nil {
		c.Raw, c.RawSubjectPublicKeyInfo, c.PublicKeyAlgorithm = der, whole, x509.ECDSA
		return c, nil
	}
	return nil, err
}

// curveInCertificate finds the SubjectPublicKeyInfo of an elliptic-curve key (RFC 5480), in it the content of its algorithm's identifier, and
// the name of its curve.
func curveInCertificate(der []byte) (whole, algorithm []byte, curve asn1.ObjectIdentifier, ok bool) {
	outer := cryptobyte.String(der)
	var body, fields, key, identifier, oid cryptobyte.String
	if !outer.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&fields, cbasn1.SEQUENCE) ||
		!fields.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || !fields.SkipASN1(cbasn1.INTEGER) {
		return nil, nil, nil, false
	}
	for range 4 { // signature, issuer, validity, subject
		if !fields.SkipASN1(cbasn1.SEQUENCE) {
			return nil, nil, nil, false
		}
	}
	if !fields.ReadASN1Element(&key, cbasn1.SEQUENCE) {
		return nil, nil, nil, false
	}
	whole = key
	if !key.ReadASN1(&key, cbasn1.SEQUENCE) || !key.ReadASN1(&identifier, cbasn1.SEQUENCE) || !identifier.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) ||
		!bytes.Equal(oid, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}) || !identifier.ReadASN1ObjectIdentifier(&curve) {
		return nil, nil, nil, false
	}
	return whole, oid, curve, true
}
