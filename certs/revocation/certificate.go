package revocation

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// shortLived is the validity up to which an authority owes no revocation: "Short-lived Subscriber Certificate" of the Baseline
// Requirements, Section 1.6.1, for certificates issued from March 2026 on.
const shortLived = 7 * 24 * time.Hour

// isNoCheck is id-pkix-ocsp-nocheck (RFC 6960, Section 4.2.2.2.1).
func isNoCheck(e pkix.Extension) bool { return e.Id.String() == "1.3.6.1.5.5.7.48.1.5" }

// MustStaple says whether the certificate demands a stapled OCSP response: the TLS feature status_request (RFC 7633).
func MustStaple(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.String() != "1.3.6.1.5.5.7.1.24" {
			continue
		}
		var features []int
		if _, err := asn1.Unmarshal(e.Value, &features); err != nil {
			return false
		}
		for _, f := range features {
			if f == 5 { // status_request
				return true
			}
		}
	}
	return false
}

// needsNone says why a certificate is not expected to be revocable; empty when it is.
func needsNone(c *x509.Certificate) string {
	for _, e := range c.Extensions {
		if e.Id.String() == "2.5.29.56" {
			return "the certificate says that no revocation information is available (noRevAvail, RFC 9608)"
		}
	}
	if !c.IsCA && len(c.OCSPServer) == 0 && len(c.CRLDistributionPoints) == 0 && c.NotAfter.Sub(c.NotBefore) <= shortLived {
		return "the certificate is short-lived and names no source of revocation: it expires before it would be revoked"
	}
	return ""
}

// selfIssued says whether a certificate is its own issuer: a root, whose revocation is its removal from the stores.
func selfIssued(c *x509.Certificate) bool {
	return string(c.RawIssuer) == string(c.RawSubject) && checkable(c) == nil && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// distributionPoint is DistributionPoint (RFC 5280, Section 4.2.1.13). crypto/x509 keeps the addresses alone, but a list may be bound to
// its point by name, cover some reasons only, or be issued by another authority.
type distributionPoint struct {
	names    []string // GeneralNames as DER
	uris     []string
	partial  bool // of some reasons only
	indirect bool // issued by another authority
}

// distributionPoints reads cRLDistributionPoints; nil when there are none or they are malformed.
func distributionPoints(c *x509.Certificate) []distributionPoint {
	var points []distributionPoint
	for _, e := range c.Extensions {
		if e.Id.String() != "2.5.29.31" {
			continue
		}
		var list cryptobyte.String
		in := cryptobyte.String(e.Value)
		if !in.ReadASN1(&list, cbasn1.SEQUENCE) {
			return nil
		}
		for !list.Empty() {
			var point, name, rest cryptobyte.String
			var hasName bool
			var p distributionPoint
			if !list.ReadASN1(&point, cbasn1.SEQUENCE) || !point.ReadOptionalASN1(&name, &hasName, explicit0) ||
				!point.ReadOptionalASN1(&rest, &p.partial, implicit1) || !point.ReadOptionalASN1(&rest, &p.indirect, explicit2) {
				return nil
			}
			if p.indirect { // named although it is the issuer itself: superfluous, but clear
				p.indirect = !rest.ReadASN1(&rest, cbasn1.Tag(0x80|0x20|4)) || !bytes.Equal(rest, c.RawIssuer)
			}
			if hasName {
				p.names, p.uris, _ = readPointName(name)
			}
			points = append(points, p)
		}
	}
	return points
}

// readPointName reads the fullName of a DistributionPointName; a name relative to the issuer yields nothing, and false.
func readPointName(in cryptobyte.String) (names, uris []string, full bool) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, explicit0) {
		return nil, nil, false
	}
	for !list.Empty() {
		var name, value cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1Element(&name, &tag) {
			return nil, nil, false
		}
		names = append(names, string(name))
		if tag == cbasn1.Tag(0x80|6) && name.ReadASN1(&value, tag) { // uniformResourceIdentifier
			uris = append(uris, string(value))
		}
	}
	return names, uris, true
}
