// Package certfile tells what an importer needs to know of a server's certificate file: the kind of its key and its names.
package certfile

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// MaxBytes bounds a certificate file.
const MaxBytes = 1 << 20

// Leaf is a server's own certificate.
type Leaf struct {
	Type  policy.CertificateType
	Names []string // DNS names, as the certificate has them
	// CommonName is the subject's; few programs choose certificates by it any more.
	CommonName string
	Bits       int // of an RSA key
}

// ErrNone says that there is no certificate in a file, which no program takes.
var ErrNone = errors.New("no certificate in PEM")

// Read reads the first certificate in a PEM file.
func Read(data []byte) (*Leaf, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%d bytes exceed %d", len(data), MaxBytes)
	}
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return leaf(cert)
	}
	return nil, ErrNone
}

func leaf(cert *x509.Certificate) (*Leaf, error) {
	l := &Leaf{Names: cert.DNSNames, CommonName: cert.Subject.CommonName}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		l.Type, l.Bits = policy.CertRSA, key.N.BitLen()
	case ed25519.PublicKey:
		l.Type = policy.CertEd25519
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			l.Type = policy.CertECDSAP256
		case elliptic.P384():
			l.Type = policy.CertECDSAP384
		case elliptic.P521():
			l.Type = policy.CertECDSAP521
		}
	}
	if l.Type == "" {
		return nil, fmt.Errorf("its key is %v, which no policy knows", cert.PublicKeyAlgorithm)
	}
	return l, nil
}

// Covers reports whether the certificate has name, which may itself be a wildcard. A "*." of the certificate stands for one
// label (RFC 9525, Section 6.3).
func (l *Leaf) Covers(name string) bool {
	for _, own := range l.Names {
		if strings.EqualFold(own, name) {
			return true
		}
		if rest, ok := strings.CutPrefix(own, "*."); ok {
			if first, domain, ok := strings.Cut(name, "."); ok && first != "" && strings.EqualFold(rest, domain) {
				return true
			}
		}
	}
	return false
}
