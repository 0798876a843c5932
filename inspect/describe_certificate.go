package inspect

import (
	"crypto/dsa" // old certificates have such keys
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
)

// Bounds on what a record keeps of a presented chain.
const (
	maxCertificates     = 100 // as many as certs/chain looks at
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

// Present puts what a server presented into s: as many certificates as a record keeps, and how many came where that is fewer.
func (s *Server) Present(d *Describer, presented [][]byte) {
	s.CertificateChain, s.CertificatesSent = d.Certificates(presented), 0
	if len(presented) > len(s.CertificateChain) {
		s.CertificatesSent = len(presented)
	}
}

// DescribeCertificate is one certificate, as DER, in the record's words. One that does not parse says why. The description
// keeps der itself, unless it is very long.
func DescribeCertificate(der []byte) *Certificate {
	sum := sha256.Sum256(der)
	d := &Certificate{Hash: Hashes{SHA256: hex.EncodeToString(sum[:])}}
	if len(der) <= maxCertificateRaw {
		d.Raw = der
	}
	c, err := parseCertificate(der)
	if err != nil {
		d.Error = Bounded(err.Error())
		return d
	}
	d.Subject = Bounded(c.Subject.String())
	d.Issuer = Bounded(c.Issuer.String())
	d.SerialNumber = Bounded(serialNumber(c.SerialNumber))
	d.NotBefore, d.NotAfter = c.NotBefore.UTC(), c.NotAfter.UTC()
	d.PublicKeyAlgorithm = publicKeyAlgorithm(c)
	if d.PublicKeySize = keySize(c.PublicKey); d.PublicKeySize == 0 {
		d.PublicKeySize = unreadKeySize(c)
	}
	d.SignatureAlgorithm = signatureAlgorithm(c)
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

// serialNumber is a serial number in whole bytes, as RFC 5280, Section 4.1.2.2 counts them: 0AF3.
func serialNumber(n *big.Int) string {
	if n.Sign() == 0 {
		return "00"
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%X", sign, n.Bytes())
}

var (
	oidRSASSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10} // RFC 4055, Section 1.2
	oidEd448     = asn1.ObjectIdentifier{1, 3, 101, 113}              // RFC 8410, Section 3
)

// unreadKeySize is the size in bits of a key that crypto/x509 does not read; 0: it is of a kind that is not known here either.
func unreadKeySize(c *x509.Certificate) int {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil {
		return 0
	}
	switch {
	case info.Algorithm.Algorithm.Equal(oidRSASSAPSS):
		var key struct{ N, E *big.Int }
		if _, err := asn1.Unmarshal(info.Key.RightAlign(), &key); err == nil {
			return key.N.BitLen()
		}
	case info.Algorithm.Algorithm.Equal(oidEd448):
		return info.Key.BitLength
	case c.PublicKeyAlgorithm == x509.ECDSA && info.Key.BitLength > 8:
		if info.Key.Bytes[0] == 4 { // uncompressed (SEC 1, Section 2.3.3)
			return (info.Key.BitLength - 8) / 2
		}
		return info.Key.BitLength - 8
	}
	return 0
}

// publicKeyAlgorithm names the kind of a public key; one that the standard library does not know by its object identifier.
func publicKeyAlgorithm(c *x509.Certificate) string {
	if c.PublicKeyAlgorithm != x509.UnknownPublicKeyAlgorithm {
		return c.PublicKeyAlgorithm.String()
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil {
		return ""
	}
	switch {
	case info.Algorithm.Algorithm.Equal(oidRSASSAPSS):
		return "RSASSA-PSS"
	case info.Algorithm.Algorithm.Equal(oidEd448):
		return "Ed448"
	}
	return Bounded(info.Algorithm.Algorithm.String())
}

// signatureAlgorithm names the algorithm of a certificate's signature in the same way.
func signatureAlgorithm(c *x509.Certificate) string {
	if c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
		return c.SignatureAlgorithm.String()
	}
	var outer struct {
		Content   asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil {
		return ""
	}
	return Bounded(outer.Algorithm.Algorithm.String())
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
	case *ecdh.PublicKey: // X25519
		return 8 * len(k.Bytes())
	case *dsa.PublicKey:
		return k.P.BitLen()
	}
	return 0
}
