package chain

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"strings"
)

// Bounds on what a stranger's chain may cost. What lies beyond a bound is said in a Malformed fault, never dropped in silence.
const (
	// MaxCertificates is how many presented certificates are looked at.
	MaxCertificates = 100
	// MaxBytes is how many bytes of certificates are looked at. crypto/tls takes 256 KiB, OpenSSL 100 KiB.
	MaxBytes = 1 << 20
	// MaxRSABits is the longest RSA key whose signatures are checked: the limit of crypto/tls, since checking costs the
	// square of the length (CVE-2023-29409).
	MaxRSABits = 8192

	maxIntermediates = 32   // handed to crypto/x509, nearest to the leaf first, in units of checkCost
	maxSignatureWork = 48   // of our own checks in the same units, beside those of crypto/x509, which counts for itself
	maxPathWork      = 80   // of the one path verified when many were presented, in the same units
	maxNames         = 10   // in a fault
	maxTextBytes     = 200  // of one string of a stranger in a fault
	maxErrorBytes    = 1000 // of Report.Err
	maxNamesCompared = 10_000
	maxFaults        = 64
	maxAlike         = 16 // faults of one kind that are not fatal
	maxUnparsed      = 16 // certificates that do not parse, each with a fault
	maxReasons       = 5  // of one verdict
)

// checkCost weighs a signature check with the key of c; P-256 is 2, some 60 µs. crypto/x509 tries up to a hundred paths, so that
// few certificates with dear keys are many checks: an honest chain has no more than two or three.
func checkCost(c *x509.Certificate) int {
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		switch bits := key.Curve.Params().BitSize; {
		case bits > 384:
			return 10
		case bits != 256: // P-256 has assembly of its own
			return 5
		}
	case *rsa.PublicKey:
		if key.N.BitLen() > 4096 {
			return 5
		}
	}
	return 2
}

// boundedError is an error of crypto/x509 whose text, made of a stranger's names, is cut. The error itself is below it.
type boundedError struct {
	error
	text string
}

func (e boundedError) Error() string { return e.text }

func (e boundedError) Unwrap() error { return e.error }

// bounded wraps an error whose text is too long.
func bounded(err error) error {
	if err == nil {
		return nil
	}
	if text := err.Error(); len(text) > maxErrorBytes {
		return boundedError{err, strings.ToValidUTF8(text[:maxErrorBytes], "") + "…"}
	}
	return err
}
