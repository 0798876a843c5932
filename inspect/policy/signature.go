package policy

import "github.com/tlstriage/tlstriage/inspect/wire"

// scheme is the signature scheme with which a certificate of the server's proves its key to this client; false: none in
// common. 0 and true: there is one, but it is not known which, or the version has none.
func (n *negotiation) scheme(cert CertificateType) (wire.SignatureScheme, bool) {
	if n.r.Version < wire.VersionTLS12 {
		return 0, cert != CertEd25519
	}
	offered, own := n.h.SignatureSchemes, n.p.SignatureSchemes
	if len(offered) == 0 {
		// RFC 5246, Section 7.4.1.4.1: without the extension the client is taken to accept SHA-1 with its suite's kind of key.
		s := wire.SchemeECDSASHA1
		if cert == CertRSA {
			s = wire.SchemeRSAPKCS1SHA1
		}
		return s, cert != CertEd25519 && (own == nil || hasScheme(own, s))
	}
	if own == nil {
		for i := range offered.Len() {
			if n.fits(offered.At(i), cert) {
				return 0, true
			}
		}
		return 0, false
	}
	if n.clientSchemeOrder() {
		for i := range offered.Len() {
			if s := offered.At(i); n.fits(s, cert) && hasScheme(own, s) {
				return s, true
			}
		}
		return 0, false
	}
	for _, s := range own {
		if n.fits(s, cert) && offered.Contains(s) {
			return s, true
		}
	}
	return 0, false
}

func (n *negotiation) clientSchemeOrder() bool {
	switch n.p.Family {
	case FamilyGo, FamilyGnuTLS, FamilyJSSE:
		return true
	case FamilyOpenSSL:
		return n.p.Preference == PreferClient
	}
	return false
}

// sharesScheme reports whether the two have any scheme in common, usable or not.
func (n *negotiation) sharesScheme() bool {
	for _, s := range n.p.SignatureSchemes {
		if n.h.SignatureSchemes.Contains(s) {
			return true
		}
	}
	return false
}

// fits reports whether a key can make a signature of this scheme. TLS 1.3 has no PKCS #1 signatures and binds ECDSA schemes
// to a curve (RFC 8446, Section 4.2.3); in TLS 1.2 a scheme is a hash and a kind of key.
func fits(s wire.SignatureScheme, cert CertificateType, version wire.Version) bool {
	switch cert {
	case CertRSA:
		if s >= wire.SchemeRSAPSSRSAESHA256 && s <= wire.SchemeRSAPSSRSAESHA512 {
			return true
		}
		return version < wire.VersionTLS13 && s&0xFF == 0x01 && s>>8 >= 1 && s>>8 <= 6
	case CertEd25519:
		return s == wire.SchemeEd25519
	}
	if version < wire.VersionTLS13 {
		return s&0xFF == 0x03 && s>>8 >= 1 && s>>8 <= 6
	}
	switch cert {
	case CertECDSAP256:
		return s == wire.SchemeECDSASecp256r1SHA256
	case CertECDSAP384:
		return s == wire.SchemeECDSASecp384r1SHA384
	case CertECDSAP521:
		return s == wire.SchemeECDSASecp521r1SHA512
	}
	return false
}

// fits is fits for this endpoint: JSSE binds ECDSA schemes to a curve in TLS 1.2, too, where they have one, and signs with
// ecdsa_sha1 in TLS 1.3, which RFC 8446, Section 4.2.3 leaves to certificates.
func (n *negotiation) fits(s wire.SignatureScheme, cert CertificateType) bool {
	if n.p.Family == FamilyJSSE && s == wire.SchemeECDSASHA1 && cert.curve() != 0 {
		return true
	}
	if n.p.Family == FamilyJSSE && s>>8 >= 4 && s&0xFF == 3 && cert.curve() != 0 {
		return fits(s, cert, wire.VersionTLS13)
	}
	return fits(s, cert, n.r.Version)
}

// doubtScheme says so when the schemes of the policy are not known and the client has none that every endpoint has.
func (n *negotiation) doubtScheme(cert CertificateType) {
	if n.p.SignatureSchemes != nil || n.r.Version < wire.VersionTLS12 {
		return
	}
	for i := range n.h.SignatureSchemes.Len() {
		s := n.h.SignatureSchemes.At(i)
		if n.fits(s, cert) && (s>>8 >= 4) { // SHA-256 and above, PSS, EdDSA
			return
		}
	}
	n.doubt(uncertainSchemes)
}

func hasScheme(schemes []wire.SignatureScheme, s wire.SignatureScheme) bool {
	for _, own := range schemes {
		if own == s {
			return true
		}
	}
	return false
}
