package bundle

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// binary reads DER or BER: one structure, or several one after the other.
func (r *reader) binary(data []byte, at Source) {
	for n := 1; len(data) > 0; n++ {
		one, rest := element(data)
		if len(one) == 0 {
			if len(bytes.Trim(data, "\x00\r\n\t \x1a")) > 0 { // padding at the end harms nobody
				r.note(Unreadable, at, "%d bytes that are no ASN.1, or are cut off", len(data))
			}
			return
		}
		here := at
		if n > 1 || len(rest) > 0 && at.Block == 0 && at.Entry == "" {
			here.Block = n
		}
		if n > 1 && !r.another(here) {
			return
		}
		r.der(one, here)
		data = rest
	}
}

// element cuts the first ASN.1 structure off, in DER; nothing when there is none. BER comes back as DER.
func element(data []byte) (one, rest []byte) {
	s := cryptobyte.String(data)
	var e cryptobyte.String
	if s.ReadAnyASN1Element(&e, new(cbasn1.Tag)) {
		return e, s
	}
	der, rest, err := toDER(data)
	if err != nil {
		return nil, data
	}
	return der, rest
}

// Object identifiers by which structures are told apart.
var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidEncrypted  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
)

// der recognises one structure by its content.
func (r *reader) der(der []byte, at Source) {
	c, certErr := x509.ParseCertificate(der)
	if certErr == nil {
		r.pile.Certificates = append(r.pile.Certificates, Certificate{c, at})
		return
	}
	if key, err := parseKey(der); err == nil {
		r.key(key, at)
		return
	}
	switch {
	case r.encryptedKey(der, at), r.pkcs7(der, at), r.pkcs12(der, at):
		return
	}
	if crl, err := x509.ParseRevocationList(der); err == nil {
		r.note(Ignored, at, "a certificate revocation list of %s: it belongs to clients, not into the bundle", clip(crl.Issuer.String()))
		return
	}
	if csr, err := x509.ParseCertificateRequest(der); err == nil {
		r.pile.Requests = append(r.pile.Requests, Request{csr, at})
		return
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		r.note(Ignored, at, "a public key: the certificate holds it already")
		return
	}
	if shapedLikeCertificate(der) {
		r.note(Unreadable, at, "a certificate that cannot be read: %v", certErr)
		return
	}
	r.note(Unreadable, at, "%d bytes of ASN.1 that are neither certificate, key, PKCS #7 nor PKCS #12", len(der))
}

// shapedLikeCertificate says whether der is a sequence of a sequence, a sequence and a bit string (RFC 5280, Section 4.1).
func shapedLikeCertificate(der []byte) bool {
	s := cryptobyte.String(der)
	var outer, tbs cryptobyte.String
	return s.ReadASN1(&outer, cbasn1.SEQUENCE) && outer.ReadASN1(&tbs, cbasn1.SEQUENCE) && outer.SkipASN1(cbasn1.SEQUENCE) &&
		outer.SkipASN1(cbasn1.BIT_STRING) && tbs.PeekASN1Tag(cbasn1.Tag(0).ContextSpecific().Constructed())
}

var errKeyKind = errors.New("this kind of key cannot sign TLS handshakes")

// parseKey reads a private key in any of its three plain forms: PKCS #8, PKCS #1, SEC 1.
func parseKey(der []byte) (crypto.Signer, error) {
	if len(der) > maxKeyBytes {
		return nil, fmt.Errorf("a key of %d bytes", len(der))
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if k, e := x509.ParsePKCS1PrivateKey(der); e == nil {
			key, err = k, nil
		} else if k, e := x509.ParseECPrivateKey(der); e == nil {
			key, err = k, nil
		}
	}
	if err != nil {
		return nil, err
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, nil
	case *ecdsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, errKeyKind
}

func (r *reader) key(key crypto.Signer, at Source) {
	r.pile.Keys = append(r.pile.Keys, Key{key, at})
}
