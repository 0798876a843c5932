package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxBundled is how many certificates one fetched body may hold.
const maxBundled = 32

// ParseCertificates reads what caIssuers leads to: one DER certificate or a PKCS#7 "certs-only" message (RFC 5280, Section 4.2.2.1), or either
// in PEM, which some authorities serve all the same.
func ParseCertificates(body []byte) ([]*x509.Certificate, error) {
	trimmed := bytes.TrimSpace(body)
	if !bytes.HasPrefix(trimmed, []byte("-----BEGIN ")) {
		return parseDER(body)
	}
	var certs []*x509.Certificate
	for rest := trimmed; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" && block.Type != "PKCS7" {
			return nil, fmt.Errorf("revocation: a PEM block of type %q holds no certificate", clip(block.Type))
		}
		more, err := parseDER(block.Bytes)
		if err != nil {
			return nil, err
		}
		if certs = append(certs, more...); len(certs) > maxBundled {
			return nil, fmt.Errorf("revocation: more than %d certificates", maxBundled)
		}
	}
	if len(certs) == 0 {
		return nil, errors.New("revocation: no certificate in the PEM file")
	}
	return certs, nil
}

// parseDER reads one certificate or a PKCS#7 message: both are sequences, but the first element of a message is an object identifier.
func parseDER(der []byte) ([]*x509.Certificate, error) {
	var outer cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("revocation: %d bytes that are neither a certificate nor PKCS#7", len(der))
	}
	if outer.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) {
		return parsePKCS7(outer)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("revocation: certificate: %s", clip(err.Error()))
	}
	return []*x509.Certificate{c}, nil
}

// parsePKCS7 reads the certificates of a ContentInfo that holds SignedData (RFC 5652, Sections 3 and 5.1). Nobody signs a certs-only message.
func parsePKCS7(info cryptobyte.String) ([]*x509.Certificate, error) {
	var oid asn1.ObjectIdentifier
	var wrapped, signed, certs cryptobyte.String
	var present bool
	if !info.ReadASN1ObjectIdentifier(&oid) {
		return nil, errors.New("revocation: PKCS#7: no content type")
	}
	if oid.String() != "1.2.840.113549.1.7.2" {
		return nil, fmt.Errorf("revocation: PKCS#7: content type %s is not SignedData", clip(oid.String()))
	}
	if !info.ReadASN1(&wrapped, explicit0) || !wrapped.ReadASN1(&signed, cbasn1.SEQUENCE) || !signed.SkipASN1(cbasn1.INTEGER) ||
		!signed.SkipASN1(cbasn1.SET) || !signed.SkipASN1(cbasn1.SEQUENCE) || !signed.ReadOptionalASN1(&certs, &present, explicit0) {
		return nil, errors.New("revocation: PKCS#7: SignedData is malformed, or BER with indefinite lengths")
	}
	var found []*x509.Certificate
	for !certs.Empty() {
		var whole cryptobyte.String
		var tag cbasn1.Tag
		if !certs.ReadAnyASN1Element(&whole, &tag) {
			return nil, errors.New("revocation: PKCS#7: certificates are malformed")
		}
		if tag != cbasn1.SEQUENCE { // attribute certificates and other relics
			continue
		}
		if len(found) == maxBundled {
			return nil, fmt.Errorf("revocation: PKCS#7: more than %d certificates", maxBundled)
		}
		c, err := x509.ParseCertificate(whole)
		if err != nil {
			return nil, fmt.Errorf("revocation: PKCS#7: certificate %d: %s", len(found)+1, clip(err.Error()))
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil, errors.New("revocation: PKCS#7: no certificate in it")
	}
	return found, nil
}
