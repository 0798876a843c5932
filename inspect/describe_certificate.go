package inspect

import (
	"crypto/dsa" //nolint:staticcheck // old certificates have such keys
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
)

// Bounds on what a record keeps of a presented chain.
const (
	maxCertificates     = 32
	maxAlternativeNames = 100
	maxCertificateRaw   = 16 << 10
)

// Certificates are presented certificates in the record's words, in the order in which they came.
func Certificates(presented [][]byte) []Certificate {
	described := make([]Certificate, 0, min(len(presented), maxCertificates))
	for _, der := range presented[:min(len(presented), maxCertificates)] {
		described = append(described, *DescribeCertificate(der))
	}
	return described
}

// DescribeCertificate is one certificate, as DER, in the record's words. One that does not parse says why.
func DescribeCertificate(der []byte) *Certificate {
	sum := sha256.Sum256(der)
	d := &Certificate{Hash: Hashes{SHA256: hex.EncodeToString(sum[:])}}
	if len(der) <= maxCertificateRaw {
		d.Raw = der
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		d.Error = Bounded(err.Error())
		return d
	}
	d.Subject = Bounded(c.Subject.String())
	d.Issuer = Bounded(c.Issuer.String())
	d.SerialNumber = fmt.Sprintf("%X", c.SerialNumber.Bytes())
	d.NotBefore, d.NotAfter = c.NotBefore.UTC(), c.NotAfter.UTC()
	d.PublicKeyAlgorithm = c.PublicKeyAlgorithm.String()
	d.PublicKeySize = keySize(c.PublicKey)
	d.SignatureAlgorithm = c.SignatureAlgorithm.String()
	d.IsCA = c.IsCA
	for _, n := range c.DNSNames {
		d.AlternativeNames = append(d.AlternativeNames, Bounded(n))
	}
	for _, ip := range c.IPAddresses {
		d.AlternativeNames = append(d.AlternativeNames, ip.String())
	}
	for _, a := range c.EmailAddresses {
		d.AlternativeNames = append(d.AlternativeNames, Bounded(a))
	}
	for _, u := range c.URIs {
		d.AlternativeNames = append(d.AlternativeNames, Bounded(u.String()))
	}
	if len(d.AlternativeNames) > maxAlternativeNames {
		rest := len(d.AlternativeNames) - maxAlternativeNames
		d.AlternativeNames = append(d.AlternativeNames[:maxAlternativeNames:maxAlternativeNames], fmt.Sprintf("… and %d more", rest))
	}
	return d
}

// keySize is the size of a public key in bits; 0 for a key of an unknown kind.
func keySize(key any) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return 8 * len(k)
	case *dsa.PublicKey:
		return k.P.BitLen()
	}
	return 0
}
