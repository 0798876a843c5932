package chain

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
)

var (
	oidRSASSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidEd448     = asn1.ObjectIdentifier{1, 3, 101, 113}
)

// publicKeyInfo is SubjectPublicKeyInfo (RFC 5280, Section 4.1.2.7).
type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// keyInfo reads the key of a certificate as it lies there.
func keyInfo(c *x509.Certificate) (info publicKeyInfo, ok bool) {
	rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info)
	return info, err == nil && len(rest) == 0
}

// pssKey is a key that is for RSASSA-PSS alone (RFC 4055, Section 1.2): an RSA key under an object identifier of its own, which
// crypto/x509 does not read. nil: it is none.
func pssKey(c *x509.Certificate) *rsa.PublicKey {
	info, ok := keyInfo(c)
	if !ok || !info.Algorithm.Algorithm.Equal(oidRSASSAPSS) {
		return nil
	}
	var key struct{ N, E *big.Int }
	if rest, err := asn1.Unmarshal(info.Key.RightAlign(), &key); err != nil || len(rest) > 0 || key.N.Sign() <= 0 || !key.E.IsInt64() || key.E.Int64() < 3 || key.E.Int64() > 1<<31-1 {
		return nil
	}
	return &rsa.PublicKey{N: key.N, E: int(key.E.Int64())}
}

// adoptKey fills in a key of RSASSA-PSS, so that what it signed can be checked.
func adoptKey(c *x509.Certificate) {
	if c.PublicKey != nil {
		return
	}
	if key := pssKey(c); key != nil {
		c.PublicKey, c.PublicKeyAlgorithm = key, x509.RSA
	}
}

// uncommonKey names a key that some clients take and others do not; empty: all take it, or none.
func uncommonKey(c *x509.Certificate) string {
	if key := pssKey(c); key != nil {
		return fmt.Sprintf("one for RSASSA-PSS alone (RFC 4055), with %d bits", key.N.BitLen())
	}
	if info, ok := keyInfo(c); ok && info.Algorithm.Algorithm.Equal(oidEd448) {
		return "one of Ed448 (RFC 8410)"
	}
	return ""
}

// signatureInfo is what a certificate says of its signature.
func signatureInfo(c *x509.Certificate) pkix.AlgorithmIdentifier {
	var outer struct {
		Content   asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil {
		return pkix.AlgorithmIdentifier{}
	}
	return outer.Algorithm
}

// uncommonSignature names a signature that crypto/x509 does not know and others do, and says whether it can be checked here; empty: it is
// not known at all.
func uncommonSignature(c *x509.Certificate) (kind string, checkable bool) {
	switch info := signatureInfo(c); {
	case info.Algorithm.Equal(oidEd448):
		return "Ed448 (RFC 8410)", false
	case info.Algorithm.Equal(oidRSASSAPSS):
		_, checkable = pssHash(info)
		return "RSASSA-PSS with parameters that are not the usual ones (RFC 4055)", checkable
	}
	return "", false
}

// pssParameters are RSASSA-PSS-params (RFC 4055, Section 3.1). The defaults are those of SHA-1.
type pssParameters struct {
	Hash    pkix.AlgorithmIdentifier `asn1:"explicit,tag:0,optional"`
	Mask    pkix.AlgorithmIdentifier `asn1:"explicit,tag:1,optional"`
	Salt    int                      `asn1:"explicit,tag:2,optional,default:20"`
	Trailer int                      `asn1:"explicit,tag:3,optional,default:1"`
}

// pssHash is the hash of a signature of RSASSA-PSS whose mask is made with the same one; false: another that crypto/rsa does not check.
func pssHash(info pkix.AlgorithmIdentifier) (crypto.Hash, bool) {
	var p pssParameters
	if rest, err := asn1.Unmarshal(info.Parameters.FullBytes, &p); err != nil || len(rest) > 0 || p.Trailer != 1 || !p.Mask.Algorithm.Equal(oidMGF1) {
		return 0, false
	}
	var mask pkix.AlgorithmIdentifier
	if _, err := asn1.Unmarshal(p.Mask.Parameters.FullBytes, &mask); err != nil || !mask.Algorithm.Equal(p.Hash.Algorithm) {
		return 0, false
	}
	for _, known := range []struct {
		last int
		hash crypto.Hash
	}{{1, crypto.SHA256}, {2, crypto.SHA384}, {3, crypto.SHA512}} {
		if p.Hash.Algorithm.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, known.last}) && known.hash.Available() {
			return known.hash, true
		}
	}
	return 0, false
}

// pssHolds checks a signature of RSASSA-PSS with whatever length of salt; what cannot be checked is believed.
func pssHolds(child, parent *x509.Certificate) bool {
	hash, ok := pssHash(signatureInfo(child))
	key, isRSA := parent.PublicKey.(*rsa.PublicKey)
	if !ok || !isRSA {
		return true
	}
	h := hash.New()
	h.Write(child.RawTBSCertificate)
	return rsa.VerifyPSS(key, hash, h.Sum(nil), child.Signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
}

// issuerKnown says whether the certificate that signed c was sent, or is among the verified ones, so that its signature was checked.
func (e *examination) issuerKnown(c *cert) bool { return len(e.issuers(c.Certificate)) > 0 }
