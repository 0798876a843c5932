package chain

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// oidECPublicKey is id-ecPublicKey (RFC 5480, Section 2.1.1), 1.2.840.10045.2.1, as it is encoded.
var oidECPublicKey = []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}

// parseForeignCurve parses a certificate that crypto/x509 refuses because its key lies on a curve that has a name and is none of the four
// that it knows: brainpoolP256r1 (RFC 5639), secp256k1. It is well-formed, and what signed it can be checked; its own key stays unread.
// nil: the refusal has another reason.
//
// A copy of the bytes is changed in the algorithm of the key, so that it is taken for one of an unknown kind; the result has the bytes as sent.
func parseForeignCurve(der []byte) *x509.Certificate {
	tbs, whole, algorithm := locateKey(der)
	if !bytes.Equal(algorithm, oidECPublicKey) {
		return nil
	}
	altered := slices.Clone(der)
	altered[cap(der)-cap(algorithm)+len(algorithm)-1] = 0x7f // both are slices of one array
	c, err := x509.ParseCertificate(altered)
	if err != nil {
		return nil
	}
	c.Raw, c.RawTBSCertificate, c.RawSubjectPublicKeyInfo = der, tbs, whole
	if foreignCurve(c) == "" { // explicit parameters "MUST NOT be used" (RFC 5480, Section 2.1.1)
		return nil
	}
	return c
}

// locateKey finds the signed part of a certificate, in it the SubjectPublicKeyInfo, and in that the content of the algorithm's identifier.
func locateKey(der []byte) (tbs, whole, algorithm []byte) {
	outer := cryptobyte.String(der)
	var body, inner, fields, key, identifier, oid cryptobyte.String
	if !outer.ReadASN1(&body, cbasn1.SEQUENCE) || !outer.Empty() || !body.ReadASN1Element(&inner, cbasn1.SEQUENCE) {
		return nil, nil, nil
	}
	tbs = inner
	if !inner.ReadASN1(&fields, cbasn1.SEQUENCE) || !fields.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || !fields.SkipASN1(cbasn1.INTEGER) {
		return nil, nil, nil
	}
	for range 4 { // signature, issuer, validity, subject
		if !fields.SkipASN1(cbasn1.SEQUENCE) {
			return nil, nil, nil
		}
	}
	if !fields.ReadASN1Element(&key, cbasn1.SEQUENCE) {
		return nil, nil, nil
	}
	whole = key
	if !key.ReadASN1(&key, cbasn1.SEQUENCE) || !key.ReadASN1(&identifier, cbasn1.SEQUENCE) || !identifier.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
		return nil, nil, nil
	}
	return tbs, whole, oid
}

// foreignCurve names the curve of a key that crypto/x509 does not read, by its object identifier where no name of it is known here; empty: it
// is no such key.
func foreignCurve(c *x509.Certificate) string {
	if c.PublicKey != nil {
		return ""
	}
	info, ok := keyInfo(c)
	if !ok || !info.Algorithm.Algorithm.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}) {
		return ""
	}
	var curve asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &curve); err != nil || len(rest) > 0 {
		return ""
	}
	for _, known := range []struct {
		id   asn1.ObjectIdentifier
		name string
	}{
		{asn1.ObjectIdentifier{1, 3, 132, 0, 10}, "secp256k1"},
		{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7}, "brainpoolP256r1 (RFC 5639)"},
		{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 9}, "brainpoolP320r1 (RFC 5639)"},
		{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11}, "brainpoolP384r1 (RFC 5639)"},
		{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 13}, "brainpoolP512r1 (RFC 5639)"},
		{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 1}, "secp192r1"},
		{asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}, "SM2"},
	} {
		if curve.Equal(known.id) {
			return known.name
		}
	}
	return curve.String()
}
