package revocation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1" // hashes of certificate ids and of signatures, by crypto.Hash
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxRSABits is the longest RSA key whose signatures are checked: the cost is the square of the length (CVE-2023-29409).
const maxRSABits = 8192

// algorithm is a signature algorithm. Its hash is 0 for Ed25519, which signs the message itself.
type algorithm struct {
	x509 x509.SignatureAlgorithm
	hash crypto.Hash
}

// weak says why a signature of this algorithm proves nothing; empty when it does. The CA/Browser Forum's Baseline Requirements,
// Section 7.1.3.2, have had no SHA-1 in OCSP responses and revocation lists since June 2022.
func (a algorithm) weak(allowSHA1 bool) string {
	if a.hash == crypto.SHA1 && !allowSHA1 {
		return fmt.Sprintf("it is signed with %s, which can be forged", a.x509)
	}
	return ""
}

// algorithmByOID names the algorithms whose object identifier says it all. RSA-PSS is in readPSS.
func algorithmByOID(oid asn1.ObjectIdentifier) (algorithm, bool) {
	switch oid.String() {
	case "1.2.840.113549.1.1.5":
		return algorithm{x509.SHA1WithRSA, crypto.SHA1}, true
	case "1.2.840.113549.1.1.11":
		return algorithm{x509.SHA256WithRSA, crypto.SHA256}, true
	case "1.2.840.113549.1.1.12":
		return algorithm{x509.SHA384WithRSA, crypto.SHA384}, true
	case "1.2.840.113549.1.1.13":
		return algorithm{x509.SHA512WithRSA, crypto.SHA512}, true
	case "1.2.840.10045.4.1":
		return algorithm{x509.ECDSAWithSHA1, crypto.SHA1}, true
	case "1.2.840.10045.4.3.2":
		return algorithm{x509.ECDSAWithSHA256, crypto.SHA256}, true
	case "1.2.840.10045.4.3.3":
		return algorithm{x509.ECDSAWithSHA384, crypto.SHA384}, true
	case "1.2.840.10045.4.3.4":
		return algorithm{x509.ECDSAWithSHA512, crypto.SHA512}, true
	case "1.3.101.112":
		return algorithm{x509: x509.PureEd25519}, true
	}
	return algorithm{}, false
}

// hashByOID names the hashes of certificate ids and RSA-PSS parameters.
func hashByOID(oid asn1.ObjectIdentifier) (crypto.Hash, bool) {
	switch oid.String() {
	case "1.3.14.3.2.26":
		return crypto.SHA1, true
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256, true
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384, true
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512, true
	}
	return 0, false
}

const oidRSAPSS = "1.2.840.113549.1.1.10"

// readAlgorithm reads the content of an AlgorithmIdentifier (RFC 5280, Section 4.1.1.2).
func readAlgorithm(in cryptobyte.String) (algorithm, error) {
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1ObjectIdentifier(&oid) {
		return algorithm{}, errors.New("signature algorithm: no object identifier")
	}
	if oid.String() == oidRSAPSS {
		return readPSS(in)
	}
	a, known := algorithmByOID(oid)
	if !known {
		return algorithm{}, fmt.Errorf("signature algorithm %s is not supported", clip(oid.String()))
	}
	return a, nil
}

// readPSS reads RSASSA-PSS-params (RFC 4055, Section 3.1). As in crypto/x509 the mask is made with the same hash, and the salt
// is as long as it.
func readPSS(in cryptobyte.String) (algorithm, error) {
	wrong := errors.New("signature algorithm: RSA-PSS parameters other than of SHA-256, SHA-384 or SHA-512 with a salt as long as the hash")
	var params, field, inner, mgf cryptobyte.String
	var oid, maskOID, maskHash asn1.ObjectIdentifier
	var salt int
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }
	if !in.ReadASN1(&params, cbasn1.SEQUENCE) ||
		!params.ReadASN1(&field, explicit(0)) || !field.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&oid) ||
		!params.ReadASN1(&field, explicit(1)) || !field.ReadASN1(&mgf, cbasn1.SEQUENCE) || !mgf.ReadASN1ObjectIdentifier(&maskOID) ||
		!mgf.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1ObjectIdentifier(&maskHash) ||
		!params.ReadASN1(&field, explicit(2)) || !field.ReadASN1Integer(&salt) {
		return algorithm{}, wrong
	}
	hash, known := hashByOID(oid)
	if !known || hash == crypto.SHA1 || !oid.Equal(maskHash) || maskOID.String() != "1.2.840.113549.1.1.8" || salt != hash.Size() {
		return algorithm{}, wrong
	}
	switch hash {
	case crypto.SHA256:
		return algorithm{x509.SHA256WithRSAPSS, hash}, nil
	case crypto.SHA384:
		return algorithm{x509.SHA384WithRSAPSS, hash}, nil
	}
	return algorithm{x509.SHA512WithRSAPSS, hash}, nil
}

// verify checks a signature over a digest, or over the message itself where the algorithm has no hash. crypto/x509 wants the
// whole message in memory, and a revocation list is not kept there.
func (a algorithm) verify(signer *x509.Certificate, digest, signature []byte) error {
	if err := checkable(signer); err != nil {
		return err
	}
	var ok bool
	switch key := signer.PublicKey.(type) {
	case *rsa.PublicKey:
		switch a.x509 {
		case x509.SHA1WithRSA, x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA:
			ok = rsa.VerifyPKCS1v15(key, a.hash, digest, signature) == nil
		case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
			ok = rsa.VerifyPSS(key, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		default:
			return fmt.Errorf("the signature is %s, the key of %s RSA", a.x509, subject(signer))
		}
	case *ecdsa.PublicKey:
		switch a.x509 {
		case x509.ECDSAWithSHA1, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
			ok = ecdsa.VerifyASN1(key, digest, signature)
		default:
			return fmt.Errorf("the signature is %s, the key of %s ECDSA", a.x509, subject(signer))
		}
	case ed25519.PublicKey:
		if a.x509 != x509.PureEd25519 {
			return fmt.Errorf("the signature is %s, the key of %s Ed25519", a.x509, subject(signer))
		}
		ok = ed25519.Verify(key, digest, signature)
	default:
		return fmt.Errorf("the key of %s is of an unsupported kind", subject(signer))
	}
	if !ok {
		return fmt.Errorf("the %s signature is not by the key of %s", a.x509, subject(signer))
	}
	return nil
}

// checkable refuses keys whose signatures cost too much to check.
func checkable(c *x509.Certificate) error {
	if key, isRSA := c.PublicKey.(*rsa.PublicKey); isRSA && key.N.BitLen() > maxRSABits {
		return fmt.Errorf("the RSA key of %s has %d bits; signatures are checked up to %d", subject(c), key.N.BitLen(), maxRSABits)
	}
	return nil
}

// signedBy checks the signature of a certificate by another, key lengths bounded. SHA-1 is refused as crypto/x509 does for certificates.
func signedBy(c, issuer *x509.Certificate) error {
	if err := checkable(issuer); err != nil {
		return err
	}
	return c.CheckSignatureFrom(issuer)
}
