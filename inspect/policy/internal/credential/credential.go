// Package credential reads the files that a configuration names for its keys: which kind of certificate they hold, for which
// names, and how large the parameters of a Diffie-Hellman exchange are. It is for the importers of configurations.
package credential

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlstriage/tlstriage/inspect/policy"
)

// MaxFileBytes bounds what is read of one file.
const MaxFileBytes = 1 << 20

// Certificate is what of a certificate decides on a handshake.
type Certificate struct {
	Type  policy.CertificateType
	Bits  int      // of the key
	Names []string // DNS names, as they stand in it; the common name where there are none
}

// Reasons for which a file does not tell.
var (
	ErrNoCertificate = errors.New("no PEM certificate in the file")
	ErrTooLarge      = fmt.Errorf("the file has more than %d bytes", MaxFileBytes)
	ErrUnknownKey    = errors.New("a kind of key that is not judged")
)

// ReadFile reads a whole file of at most MaxFileBytes. Its errors do not name the file.
func ReadFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err == nil && len(data) > MaxFileBytes {
		err = ErrTooLarge
	}
	return data, withoutPath(err)
}

// withoutPath leaves out operation and path, which stand beside the error anyway.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// Leaf reads the first certificate of PEM data, which is the one that a server serves.
func Leaf(data []byte) (Certificate, error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return Certificate{}, ErrNoCertificate
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			return parse(block.Bytes)
		}
	}
}

func parse(der []byte) (Certificate, error) {
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{Names: x.DNSNames}
	if len(c.Names) == 0 && x.Subject.CommonName != "" {
		c.Names = []string{x.Subject.CommonName}
	}
	switch key := x.PublicKey.(type) {
	case *rsa.PublicKey:
		c.Type, c.Bits = policy.CertRSA, key.N.BitLen()
	case ed25519.PublicKey:
		c.Type, c.Bits = policy.CertEd25519, 256
	case *ecdsa.PublicKey:
		c.Bits = key.Curve.Params().BitSize
		types := map[int]policy.CertificateType{256: policy.CertECDSAP256, 384: policy.CertECDSAP384, 521: policy.CertECDSAP521}
		if c.Type = types[c.Bits]; c.Type == "" {
			return c, fmt.Errorf("%w: ECDSA with %d bits", ErrUnknownKey, c.Bits)
		}
	default:
		return c, fmt.Errorf("%w: %v", ErrUnknownKey, x.PublicKeyAlgorithm)
	}
	return c, nil
}

// DHBits is the size of the prime of the first Diffie-Hellman parameters in PEM data; 0: there are none.
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

// HasKey reports whether PEM data holds a private key.
func HasKey(data []byte) bool { return bytes.Contains(data, []byte("PRIVATE KEY-----")) }
