package revocation_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/ocsp"

	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

// What is believed of a response is what the library reads in it, and nothing that was not signed is believed.
func FuzzVerifyOCSP(f *testing.F) {
	leaf, issuer := corpusPair(f)
	f.Add(errorResponse(3))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, der []byte) {
		a := revocation.VerifyOCSP(der, leaf, issuer, corpusTime(), revocation.Verification{})
		if a.Result == "" || a.Detail == "" || len(a.Detail) > 2000 {
			t.Fatalf("%+v", a)
		}
		if a.Said == "" {
			if a.Result.Settles() {
				t.Fatalf("settled without being verified: %+v", a)
			}
			return
		}
		theirs, err := ocsp.ParseResponseForCert(der, leaf, issuer)
		if err != nil {
			t.Skip() // the library reads the first certificate alone, and knows fewer forms
		}
		want := map[int]revocation.Result{ocsp.Good: revocation.Good, ocsp.Revoked: revocation.Revoked, ocsp.Unknown: revocation.Unknown}[theirs.Status]
		if a.Said != want || !a.ThisUpdate.Equal(theirs.ThisUpdate) || !a.NextUpdate.Equal(theirs.NextUpdate) {
			t.Fatalf("ours %+v\ntheirs %+v", a, theirs)
		}
	})
}

// A list that the library takes and ours takes too has the same issuer, times and number of entries; neither panics.
func FuzzReadList(f *testing.F) {
	leaf, issuer := corpusPair(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := revocation.ReadList(bytes.NewReader(data), 1<<20)
		if err != nil {
			if len(err.Error()) > 2000 {
				t.Fatalf("%d bytes of error", len(err.Error()))
			}
			return
		}
		a := l.Answer(leaf, issuer, corpusTime(), revocation.Verification{})
		if a.Result == "" || a.Detail == "" || a.Result.Settles() && a.Said == "" {
			t.Fatalf("%+v", a)
		}
		theirs, err := x509.ParseRevocationList(data)
		if err != nil {
			return
		}
		if !bytes.Equal(l.Issuer, theirs.RawIssuer) || !l.ThisUpdate.Equal(theirs.ThisUpdate) || !l.NextUpdate.Equal(theirs.NextUpdate) || l.Entries != len(theirs.RevokedCertificateEntries) {
			t.Fatalf("ours %+v\ntheirs %+v", l, theirs)
		}
		if signed := theirs.CheckSignatureFrom(issuer) == nil; a.Said != "" && !signed {
			t.Fatalf("believed, but not signed: %+v", a)
		}
	})
}

// FuzzParseCertificates is what an AIA URL may lead to: DER, PEM and PKCS#7.
func FuzzParseCertificates(f *testing.F) {
	p := certstest.New(f)
	f.Add(p.Issuing.Certificate.Raw)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Issuing.Certificate.Raw}))
	f.Add(pkcs7(p.Issuing.Certificate, p.Root.Certificate))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: pkcs7(p.Root.Certificate)}))
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := revocation.ParseCertificates(body)
		if (err == nil) != (len(found) > 0) || len(found) > 32 {
			t.Fatalf("%d certificates, %v", len(found), err)
		}
		for _, c := range found {
			if c == nil || len(c.Raw) > len(body) {
				t.Fatalf("%+v", c)
			}
		}
	})
}

// FuzzPKCS7 goes straight at what is inside a certs-only message.
func FuzzPKCS7(f *testing.F) {
	p := certstest.New(f)
	whole := pkcs7(p.Issuing.Certificate, p.Root.Certificate)
	f.Add(whole, 0, byte(0))
	f.Add(whole, 20, byte(0x80))
	f.Fuzz(func(t *testing.T, der []byte, at int, flip byte) {
		if at >= 0 && at < len(der) {
			der = append([]byte{}, der...)
			der[at] ^= flip
		}
		if found, err := revocation.ParseCertificates(der); (err == nil) != (len(found) > 0) {
			t.Fatalf("%d certificates, %v", len(found), err)
		}
	})
}
