package certstest

import (
	"bytes"
	"crypto"
	_ "crypto/md5" // to sign with it
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // likewise
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"

	"github.com/tlstriage/tlstriage/certs"
)

// TBS is the signed part of a certificate (RFC 5280, Section 4.1), open to every change: also to those after which
// crypto/x509 no longer parses it.
type TBS struct {
	Version      int `asn1:"optional,explicit,default:0,tag:0"`
	SerialNumber *big.Int
	Signature    pkix.AlgorithmIdentifier
	Issuer       asn1.RawValue
	Validity     asn1.RawValue
	Subject      asn1.RawValue
	PublicKey    asn1.RawValue
	Extensions   []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

// Object identifiers of extensions, for edits.
var (
	OIDSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	OIDKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	OIDSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	OIDBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	OIDAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	OIDExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// Drop removes the extensions of a kind.
func (t *TBS) Drop(id asn1.ObjectIdentifier) {
	t.Extensions = slices.DeleteFunc(t.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// Set puts an extension in the place of the one of its kind, or at the end.
func (t *TBS) Set(e pkix.Extension) {
	for i := range t.Extensions {
		if t.Extensions[i].Id.Equal(e.Id) {
			t.Extensions[i] = e
			return
		}
	}
	t.Extensions = append(t.Extensions, e)
}

// SAN makes a subject alternative name extension of raw GeneralNames: of tag 2 for DNS, 7 for addresses, whatever the bytes.
func SAN(names ...asn1.RawValue) pkix.Extension {
	var body []byte
	for _, n := range names {
		b, err := asn1.Marshal(n)
		if err != nil {
			panic(err) // a context-specific value with bytes always marshals
		}
		body = append(body, b...)
	}
	value, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: body})
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: OIDSubjectAltName, Value: value}
}

// DNS is a GeneralName of the kind dNSName with any bytes.
func DNS(name string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(name)}
}

// Address is a GeneralName of the kind iPAddress with any bytes.
func Address(raw []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 7, Bytes: raw}
}

// Forge changes what stands in a certificate and signs it anew with the issuer's key; hash 0 is SHA-256. MD5 and SHA-1 are
// for RSA issuers, SHA-256 for all.
func (p *PKI) Forge(issuer *certs.Pair, of *x509.Certificate, hash crypto.Hash, edit func(*TBS)) []byte {
	p.tb.Helper()
	var t TBS
	if _, err := asn1.Unmarshal(of.RawTBSCertificate, &t); err != nil {
		p.tb.Fatal(err)
	}
	edit(&t)
	_, isRSA := issuer.Key.Public().(*rsa.PublicKey)
	if hash == 0 {
		hash = crypto.SHA256
	}
	switch {
	case !isRSA:
		t.Signature = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	case hash == crypto.MD5:
		t.Signature = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}, Parameters: asn1.NullRawValue}
	case hash == crypto.SHA1:
		t.Signature = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, Parameters: asn1.NullRawValue}
	default:
		t.Signature = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue}
	}
	tbs, err := asn1.Marshal(t)
	if err != nil {
		p.tb.Fatal(err)
	}
	h := hash.New()
	h.Write(tbs)
	signature, err := issuer.Key.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		p.tb.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, t.Signature, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		p.tb.Fatal(err)
	}
	return der
}

// ForgePair is Forge for an authority: the forged certificate with the key of the pair that it was made of. It must still
// parse.
func (p *PKI) ForgePair(issuer, of *certs.Pair, hash crypto.Hash, edit func(*TBS)) *certs.Pair {
	p.tb.Helper()
	c, err := x509.ParseCertificate(p.Forge(issuer, of.Certificate, hash, edit))
	if err != nil {
		p.tb.Fatal(err)
	}
	return &certs.Pair{Certificate: c, Key: of.Key, Issuers: slices.Clone(of.Issuers)}
}

// CrossSign certifies the name and key of a pair by another authority.
func (p *PKI) CrossSign(by, of *certs.Pair, t certs.Template) *x509.Certificate {
	p.tb.Helper()
	t.CommonName, t.CA, t.Signer = of.Certificate.Subject.CommonName, true, publicOnly{by.Key, of.Certificate.PublicKey}
	if len(of.Certificate.Subject.Organization) > 0 {
		t.Organization = of.Certificate.Subject.Organization[0]
	}
	c := p.Issue(by, t).Certificate
	if !bytes.Equal(c.RawSubject, of.Certificate.RawSubject) {
		p.tb.Fatal("certstest: the cross-signed name differs")
	}
	return c
}

// publicOnly certifies a key that the issuer never had in hand.
type publicOnly struct {
	crypto.Signer
	public crypto.PublicKey
}

func (k publicOnly) Public() crypto.PublicKey { return k.public }
