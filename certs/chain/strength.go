package chain

import (
	"bytes"
	"crypto/dsa" //lint:ignore SA1019 only to name the key for what it is
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
)

// judgeKeys reports weak keys and signatures of the chain. A root's own are not judged: it is trusted, or not, as it is.
func (e *examination) judgeKeys() {
	for _, c := range e.certs {
		if !c.inPath || c.self && c != e.leaf {
			continue
		}
		what := Subject(c.Certificate)
		fatal := !e.avoidable(c)
		if weak := weakKey(c.Certificate); weak != "" {
			e.add(Fault{ID: WeakKey, Index: c.index, Fatal: fatal, Detail: fmt.Sprintf("the key of %s is %s", what, weak)})
		}
		if c == e.leaf {
			if curve := foreignCurve(c.Certificate); curve != "" {
				e.add(Fault{ID: UncommonAlgorithm, Reason: ReasonUncommonCurve, Index: c.index, Detail: fmt.Sprintf(
					"the key of %s is on the curve %s: OpenSSL takes it, from clients before TLS 1.3 that have the curve among their groups, and so did Java up to 15; browsers, GnuTLS, clients built with Go and load balancers of clouds do not know it", what, curve)})
			} else if kind := uncommonKey(c.Certificate); kind != "" {
				e.add(Fault{ID: UncommonAlgorithm, Reason: ReasonUncommonKey, Index: c.index, Detail: fmt.Sprintf(
					"the key of %s is %s: OpenSSL and GnuTLS take it, and so does Java from 11 or 15 on; browsers, clients built with Go and load balancers of clouds do not", what, kind)})
			} else if c.PublicKey == nil {
				e.add(Fault{ID: UncommonAlgorithm, Reason: ReasonUnknownAlgorithm, Index: c.index, Fatal: true, Detail: fmt.Sprintf("the key of %s is of a kind that is not known here, nor to most clients", what)})
			}
		}
		if curve := foreignCurve(c.Certificate); curve != "" && c != e.leaf {
			e.add(Fault{ID: UncommonAlgorithm, Reason: ReasonUncommonCurve, Index: c.index, Fatal: fatal, Detail: fmt.Sprintf(
				"the key of %s is on the curve %s, so that what it signed could not be checked here: OpenSSL knows it; browsers, GnuTLS and clients built with Go refuse it", what, curve)})
		}
		if c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm && !c.self {
			kind, checked := uncommonSignature(c.Certificate)
			switch {
			case kind == "":
				e.add(Fault{ID: UncommonAlgorithm, Reason: ReasonUnknownAlgorithm, Index: c.index, Fatal: fatal, Detail: fmt.Sprintf(
					"%s is signed with an algorithm that is not known here: the signature was not checked, and clients built with Go refuse it", what)})
			case checked && e.issuerKnown(c):
				e.add(Fault{ID: UncommonAlgorithm, Reason: ReasonUncommonSignature, Index: c.index, Fatal: fatal, Detail: fmt.Sprintf(
					"%s is signed with %s, and the signature holds: OpenSSL and GnuTLS take it; clients built with Go refuse it", what, kind)})
			default:
				// Fatal, for a signature that nobody checked is worth nothing to who decides by this whom to trust.
				e.add(Fault{ID: UncommonAlgorithm, Reason: ReasonUncommonSignature, Index: c.index, Fatal: fatal, Detail: fmt.Sprintf(
					"%s is signed with %s, which could not be checked here: OpenSSL and GnuTLS know it; clients built with Go refuse it", what, kind)})
			}
		}
		if weak := weakSignature(c.Certificate); weak != "" && !c.self {
			e.add(Fault{ID: WeakSignature, Reason: weakReason(c.Certificate), Index: c.index, Fatal: fatal, Detail: fmt.Sprintf("%s is signed with %s, which clients refuse", what, weak)})
		}
	}
}

// unverifiable says whether crypto/x509 refuses the signature of c for its algorithm, before any key is tried.
func unverifiable(c *x509.Certificate) bool {
	return weakSignature(c) != "" || c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm
}

// avoidable says whether a verified path stands without c.
func (e *examination) avoidable(c *cert) bool {
	return slices.ContainsFunc(e.strict, func(path []*x509.Certificate) bool {
		return !slices.ContainsFunc(path, func(k *x509.Certificate) bool { return bytes.Equal(k.Raw, c.Raw) })
	})
}

// weakKey says what is weak about a key; empty when nothing is. Below 112 bits of security clients refuse it at their default
// settings (OpenSSL at security level 2, browsers): NIST SP 800-57, Part 1, Table 2.
func weakKey(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < 2048:
			return fmt.Sprintf("RSA with %d bits; 2048 is the least that clients take", bits)
		case bits > MaxRSABits:
			return fmt.Sprintf("RSA with %d bits; many clients take no more than %d", bits, MaxRSABits)
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < 256 {
			return fmt.Sprintf("an elliptic-curve key with %d bits; 256 is the least that clients take", bits)
		}
	case *dsa.PublicKey:
		return "a DSA key, which TLS no longer uses (RFC 8446, Section 4.2.3)"
	}
	return ""
}

// weakSignature names the broken algorithm that a certificate is signed with; empty when it is none (RFC 9155; RFC 8446,
// Section 4.2.3).
func weakSignature(c *x509.Certificate) string {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return c.SignatureAlgorithm.String()
	}
	return ""
}
