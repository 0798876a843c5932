package chain

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidMasked         = asn1.ObjectIdentifier{2, 5, 29, 127} // not assigned; as long as the one above
)

// parseTolerant parses a certificate that crypto/x509 refuses for its serial number or its alternative names only, as most
// other clients do, so that the rest of it can be judged. What is wrong is returned as reasons of BadSerial and Malformed.
//
// A copy of the bytes is changed where the refusal lies and parsed; the result has the bytes as sent, over which signatures
// are checked.
func parseTolerant(der []byte) (*x509.Certificate, []Reason) {
	tbs, serial, san := locate(der)
	if tbs == nil {
		return nil, nil
	}
	altered := slices.Clone(der)
	at := func(part []byte) int { return cap(der) - cap(part) } // both are slices of one array
	var reasons []Reason
	if len(serial) > 0 && serial[0]&0x80 != 0 {
		reasons = append(reasons, ReasonNegativeSerial)
		altered[at(serial)] = serial[0]&0x7f | 1 // minimally encoded whatever follows
	}
	c, err := x509.ParseCertificate(altered)
	if err != nil && san != nil {
		reasons = append(reasons, ReasonAlternativeNames)
		altered[at(san)+2] = byte(oidMasked[3])
		if c, err = x509.ParseCertificate(altered); err == nil {
			unmask(c)
		}
	}
	if err != nil || len(reasons) == 0 {
		return nil, nil
	}
	c.Raw, c.RawTBSCertificate = der, tbs
	if reasons[0] == ReasonNegativeSerial {
		magnitude := new(big.Int).SetBytes(serial)
		c.SerialNumber = magnitude.Sub(magnitude, new(big.Int).Lsh(big.NewInt(1), uint(8*len(serial))))
	}
	return c, reasons
}

// locate finds the signed part of a certificate, and in it the content of the serial number and of the object identifier of
// the alternative names.
func locate(der []byte) (tbs, serial, san []byte) {
	outer := cryptobyte.String(der)
	var body, inner cryptobyte.String
	if !outer.ReadASN1(&body, cbasn1.SEQUENCE) || !outer.Empty() || !body.ReadASN1Element(&inner, cbasn1.SEQUENCE) {
		return nil, nil, nil
	}
	tbs = inner
	var number cryptobyte.String
	if !inner.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || !inner.ReadASN1(&number, cbasn1.INTEGER) {
		return nil, nil, nil
	}
	for _, e := range splitExtensions(inner) {
		if bytes.Equal(e.oid, []byte{0x55, 0x1d, 17}) {
			san = e.oid
		}
	}
	return tbs, number, san
}

// rawExtension is one extension as it lies in the certificate.
type rawExtension struct {
	whole, oid cryptobyte.String
	value      cryptobyte.String
}

// splitExtensions reads the extensions from what follows the serial number of a TBSCertificate.
func splitExtensions(rest cryptobyte.String) (list []rawExtension) {
	for !rest.Empty() {
		var field cryptobyte.String
		var tag cbasn1.Tag
		if !rest.ReadAnyASN1(&field, &tag) {
			return nil
		}
		if tag != cbasn1.Tag(3).Constructed().ContextSpecific() {
			continue
		}
		var extensions cryptobyte.String
		if !field.ReadASN1(&extensions, cbasn1.SEQUENCE) {
			return nil
		}
		for !extensions.Empty() {
			var x rawExtension
			var inner cryptobyte.String
			if !extensions.ReadASN1Element(&x.whole, cbasn1.SEQUENCE) {
				return list
			}
			whole := x.whole
			if !whole.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1(&x.oid, cbasn1.OBJECT_IDENTIFIER) ||
				!inner.SkipOptionalASN1(cbasn1.BOOLEAN) || !inner.ReadASN1(&x.value, cbasn1.OCTET_STRING) {
				continue
			}
			list = append(list, x)
		}
	}
	return list
}

// unmask gives the alternative names their object identifier back, and fills in those that can be read.
func unmask(c *x509.Certificate) {
	for i := range c.Extensions {
		if !c.Extensions[i].Id.Equal(oidMasked) {
			continue
		}
		c.Extensions[i].Id = oidSubjectAltName
		names, _ := generalNames(c.Extensions[i].Value)
		for _, n := range names[:min(len(names), maxNamesCompared)] {
			switch {
			case n.tag == tagDNSName && ascii(n.value):
				c.DNSNames = append(c.DNSNames, string(n.value))
			case n.tag == tagIPAddress && (len(n.value) == net.IPv4len || len(n.value) == net.IPv6len):
				c.IPAddresses = append(c.IPAddresses, net.IP(n.value))
			}
		}
	}
	c.UnhandledCriticalExtensions = slices.DeleteFunc(c.UnhandledCriticalExtensions, oidMasked.Equal)
}

// extension finds an extension of a parsed certificate.
func extension(c *x509.Certificate, id asn1.ObjectIdentifier) *pkix.Extension {
	for i := range c.Extensions {
		if c.Extensions[i].Id.Equal(id) {
			return &c.Extensions[i]
		}
	}
	return nil
}

// whatIsIt names bytes that were meant to be a certificate and are something else; empty where they may be a broken one.
func whatIsIt(der []byte) string {
	if bytes.HasPrefix(bytes.TrimLeft(der[:min(len(der), 1024)], " \t\r\n\ufeff"), []byte("-----BEGIN")) {
		return "PEM text, which must be decoded to DER before it is sent"
	}
	s := cryptobyte.String(der)
	var body, inner, oid cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) {
		return ""
	}
	switch {
	case body.PeekASN1Tag(cbasn1.INTEGER):
		var version int
		if !body.ReadASN1Integer(&version) {
			return ""
		}
		switch {
		case body.PeekASN1Tag(cbasn1.SEQUENCE) && version == 0:
			return "a private key (PKCS #8), which is no secret any more once it was sent"
		case body.PeekASN1Tag(cbasn1.SEQUENCE) && version == 3:
			return "a PKCS #12 store"
		case body.PeekASN1Tag(cbasn1.INTEGER) && version == 0:
			return "an RSA private key (PKCS #1), which is no secret any more once it was sent"
		case body.PeekASN1Tag(cbasn1.OCTET_STRING) && version == 1:
			return "an elliptic-curve private key (SEC 1), which is no secret any more once it was sent"
		}
	case body.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER):
		if body.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) && bytes.HasPrefix(oid, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7}) {
			return "a PKCS #7 bundle, whose certificates must be sent one by one"
		}
	case body.ReadASN1(&inner, cbasn1.SEQUENCE):
		if inner.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
			if body.PeekASN1Tag(cbasn1.OCTET_STRING) {
				return "an encrypted private key (PKCS #8)"
			}
			return "a public key"
		}
		if _, err := x509.ParseCertificateRequest(der); err == nil {
			return "a certificate request (PKCS #10), which an authority has yet to sign"
		}
		if _, err := x509.ParseRevocationList(der); err == nil {
			return "a certificate revocation list"
		}
	}
	return ""
}
