package chain

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/md5" // so that a chain signed with MD5 is still put together, and reported for what it is
	"crypto/rsa"
	_ "crypto/sha1" // likewise
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// linker answers whether one certificate signed another, remembering answers and counting the work.
type linker struct {
	known map[[2]*x509.Certificate]bool
	work  int // in units of checkCost
}

// verified takes over the links of paths that crypto/x509 has checked.
func (l *linker) verified(paths [][]*x509.Certificate) {
	for _, path := range paths {
		for i := 1; i < len(path); i++ {
			l.known[[2]*x509.Certificate{path[i-1], path[i]}] = true
		}
	}
}

// signed says whether parent issued child: by name, key identifier and signature. Unlike crypto/x509 it does not ask
// whether the parent may: that is another fault.
func (l *linker) signed(child, parent *x509.Certificate) bool {
	if !bytes.Equal(child.RawIssuer, parent.RawSubject) {
		return false
	}
	pair := [2]*x509.Certificate{child, parent}
	if yes, ok := l.known[pair]; ok {
		return yes
	}
	if tooLarge(parent) || l.work+checkCost(parent) > maxSignatureWork {
		// Names and key identifiers are all that is left to go by.
		return len(child.AuthorityKeyId) == 0 || len(parent.SubjectKeyId) == 0 || bytes.Equal(child.AuthorityKeyId, parent.SubjectKeyId)
	}
	l.work += checkCost(parent)
	yes := signatureHolds(child, parent)
	l.known[pair] = yes
	return yes
}

// signatureHolds checks the child's signature with the parent's key, also for the hashes that crypto/x509 refuses. An
// algorithm that cannot be checked at all (DSA, MD2, a key on a curve that is not computed here) is believed: it is reported anyway.
func signatureHolds(child, parent *x509.Certificate) bool {
	if foreignCurve(parent) != "" {
		return true
	}
	hash := weakHash(child.SignatureAlgorithm)
	if hash == 0 {
		switch child.SignatureAlgorithm {
		case x509.DSAWithSHA1, x509.DSAWithSHA256, x509.MD2WithRSA:
			return true
		case x509.UnknownSignatureAlgorithm:
			return !signatureInfo(child).Algorithm.Equal(oidRSASSAPSS) || pssHolds(child, parent)
		}
		return parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature) == nil
	}
	h := hash.New()
	h.Write(child.RawTBSCertificate)
	switch key := parent.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), child.Signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, h.Sum(nil), child.Signature)
	}
	return false
}

// weakHash is the broken hash that a signature algorithm uses, or 0.
func weakHash(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.MD5WithRSA:
		return crypto.MD5
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		return crypto.SHA1
	}
	return 0
}

// link marks the certificates that a path from the leaf reaches.
func (e *examination) link() {
	e.links = &linker{known: map[[2]*x509.Certificate]bool{}}
	e.links.verified(e.strict)
	e.links.verified(e.neutral)
	e.reach(e.leaf)
}

// reach marks what a path from a certificate upwards reaches, itself included.
func (e *examination) reach(first *cert) {
	first.inPath = true
	from := []*cert{first}
	for len(from) > 0 {
		c := from[0]
		from = from[1:]
		if c.self = bytes.Equal(c.RawSubject, c.RawIssuer) && e.links.signed(c.Certificate, c.Certificate); c.self {
			continue // a bundle of roots is not searched for what signed a root
		}
		for _, k := range e.certs {
			if !k.inPath && e.links.signed(c.Certificate, k.Certificate) {
				k.inPath = true
				from = append(from, k)
			}
		}
	}
}

// issuers are the presented certificates that issued c, itself not among them.
func (e *examination) issuers(c *x509.Certificate) []*cert {
	var out []*cert
	for _, k := range e.certs {
		if k.Certificate != c && e.links.signed(c, k.Certificate) {
			out = append(out, k)
		}
	}
	return out
}

// authorityKey is what an authority key identifier extension may say beside the key identifier.
type authorityKey struct {
	KeyID  []byte        `asn1:"optional,tag:0"`
	Issuer asn1.RawValue `asn1:"optional,tag:1"`
	Serial asn1.RawValue `asn1:"optional,tag:2"`
}

// issuersIssuer is the name of the issuer's own issuer, where the authority key identifier of c tells it (RFC 5280,
// Section 4.2.1.1: authorityCertIssuer); nil where it does not.
func issuersIssuer(c *x509.Certificate) []byte {
	for _, ext := range c.Extensions {
		if !ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}) {
			continue
		}
		var key authorityKey
		if rest, err := asn1.Unmarshal(ext.Value, &key); err != nil || len(rest) > 0 {
			return nil
		}
		// GeneralNames with one directoryName, which is tagged explicitly since Name is a CHOICE.
		var name asn1.RawValue
		if _, err := asn1.Unmarshal(key.Issuer.Bytes, &name); err != nil || name.Class != asn1.ClassContextSpecific || name.Tag != 4 {
			return nil
		}
		return name.Bytes
	}
	return nil
}

// parseName reads a raw distinguished name; an unreadable one is empty.
func parseName(raw []byte) pkix.Name {
	var seq pkix.RDNSequence
	var name pkix.Name
	if rest, err := asn1.Unmarshal(raw, &seq); err == nil && len(rest) == 0 {
		name.FillFromRDNSequence(&seq)
	}
	return name
}
