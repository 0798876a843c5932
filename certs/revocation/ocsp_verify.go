package revocation

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // RFC 6960 makes key hashes of it; nothing rests on its strength
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Verification says how an answer is judged. Its zero value is for now-or-never questions of the public web.
type Verification struct {
	Skew      time.Duration // how far clocks may be apart; 0: five minutes
	MaxAge    time.Duration // how old an answer may be that names no next update; 0: a day
	AllowSHA1 bool          // believe SHA-1 signatures, as old private authorities make them
}

func (v Verification) freshness() freshness {
	f := freshness{skew: v.Skew, maxAge: v.MaxAge}
	if f.skew == 0 {
		f.skew = 5 * time.Minute
	}
	if f.maxAge == 0 {
		f.maxAge = 24 * time.Hour
	}
	return f
}

// VerifyOCSP judges an OCSP response about a certificate of the issuer at a moment, as RFC 6960, Section 3.2 asks for: it is about
// this certificate, signed by the issuer or by a responder that the issuer empowered, and recent. Source is FromStaple;
// callers who fetched it themselves may change that.
func VerifyOCSP(response []byte, cert, issuer *x509.Certificate, at time.Time, v Verification) Answer {
	return verifyOCSP(response, cert, issuer, nil, FromStaple, v).judged(at, v.freshness())
}

// verifyOCSP judges all but the age. A nonce is compared when one was sent and one came back: most responders sign beforehand and have none.
func verifyOCSP(response []byte, cert, issuer *x509.Certificate, nonce []byte, source Source, v Verification) Answer {
	a := verifyResponse(response, cert, issuer, nonce, v)
	a.Source = source
	return a
}

func verifyResponse(response []byte, cert, issuer *x509.Certificate, nonce []byte, v Verification) Answer {
	r, err := parseOCSP(response)
	if err != nil {
		return failed(Malformed, err)
	}
	if r.status != 0 {
		return failed(ErrorStatus, &ResponderError{Status: int(r.status)})
	}
	single, err := r.about(cert, issuer)
	if err != nil {
		return failed(WrongCertificate, err)
	}
	a := Answer{
		ProducedAt: r.producedAt, ThisUpdate: single.thisUpdate, NextUpdate: single.nextUpdate, RevokedAt: single.revokedAt, Reason: single.reason,
		Algorithm: r.algorithm.x509,
	}
	refuse := func(result Result, err error) Answer {
		a.Result, a.Detail, a.Err = result, err.Error(), err
		return a
	}
	if why := r.algorithm.weak(v.AllowSHA1); why != "" {
		return refuse(BadSignature, errors.New("the OCSP response is not believed: "+why))
	}
	signer, err := r.signer(issuer)
	if err != nil {
		return refuse(BadSignature, err)
	}
	a.Signer = subject(signer)
	if signer != issuer {
		a.Delegated, a.signer = true, signer
		a.NoCheck = slices.ContainsFunc(signer.Extensions, isNoCheck)
	}
	if critical := r.critical + single.critical; critical != "" {
		return refuse(Unsupported, fmt.Errorf("the OCSP response has the critical extension %s, which is not understood", clip(critical)))
	}
	if nonce != nil && r.nonce != nil && !bytes.Equal(nonce, r.nonce) {
		return refuse(WrongCertificate, errors.New("the OCSP response carries another nonce than the request: it answers somebody else, or is an old one sent again"))
	}
	a.Said = single.said
	return a
}

// ResponderError is an OCSP response that is an error instead of an answer.
type ResponderError struct {
	Status int // OCSPResponseStatus: 1 malformedRequest, 2 internalError, 3 tryLater, 5 sigRequired, 6 unauthorized
}

// Error says what the status means.
func (e *ResponderError) Error() string {
	return fmt.Sprintf("revocation: the OCSP response is the error %s: %s", responseStatus(e.Status), responseStatus(e.Status).means())
}

// about is the single response about the certificate: the latest one, and among equals the worst.
func (r *ocspResponse) about(cert, issuer *x509.Certificate) (*singleResponse, error) {
	key, err := publicKeyBits(issuer)
	if err != nil {
		return nil, err
	}
	var found *singleResponse
	sameSerial := false
	for i := range r.singles {
		s := &r.singles[i]
		if s.serial.Cmp(cert.SerialNumber) != 0 {
			continue
		}
		sameSerial = true
		if s.hash == 0 || !bytes.Equal(s.nameHash, digest(s.hash, issuer.RawSubject)) || !bytes.Equal(s.keyHash, digest(s.hash, key)) {
			continue
		}
		if found == nil || s.thisUpdate.After(found.thisUpdate) || s.thisUpdate.Equal(found.thisUpdate) && s.said == Revoked {
			found = s
		}
	}
	switch {
	case found != nil:
		return found, nil
	case sameSerial:
		return nil, fmt.Errorf("the OCSP response is about serial number %x of another issuer than %s", cert.SerialNumber, subject(issuer))
	case len(r.singles) == 1:
		return nil, fmt.Errorf("the OCSP response is about serial number %s, not about %x", clip(fmt.Sprintf("%x", r.singles[0].serial)), cert.SerialNumber)
	}
	return nil, fmt.Errorf("the OCSP response is about %d certificates, none of which has serial number %x", len(r.singles), cert.SerialNumber)
}

// signer is who signed the response, if it is somebody who may: the issuer, or a certificate that it issued itself for this purpose
// (RFC 6960, Section 4.2.2.2: "a CA Designated Responder ... MUST include a value of id-kp-OCSPSigning in an extended key usage extension").
func (r *ocspResponse) signer(issuer *x509.Certificate) (*x509.Certificate, error) {
	var why error
	checks := 0
	if r.isResponder(issuer) {
		checks++
		if why = r.signedBy(issuer); why == nil {
			return issuer, nil
		}
	}
	for _, der := range r.certs {
		candidate, err := x509.ParseCertificate(der)
		if err != nil {
			why = fmt.Errorf("the OCSP response carries a certificate that does not parse: %s", clip(err.Error()))
			continue
		}
		if !r.isResponder(candidate) || candidate.Equal(issuer) {
			continue
		}
		if checks += 2; checks > maxSignatureChecks {
			break
		}
		if why = r.mayRespond(candidate, issuer); why != nil {
			continue
		}
		if why = r.signedBy(candidate); why == nil {
			return candidate, nil
		}
	}
	if why == nil {
		why = fmt.Errorf("the OCSP response names a responder that is not the issuer %s, and carries no certificate of it", subject(issuer))
	}
	return nil, why
}

// mayRespond holds a delegated responder's certificate to RFC 6960, Section 4.2.2.2. Its validity is judged with the age of the answer.
func (r *ocspResponse) mayRespond(candidate, issuer *x509.Certificate) error {
	switch {
	case !bytes.Equal(candidate.RawIssuer, issuer.RawSubject):
		return fmt.Errorf("the OCSP response is signed by %s, whom %s has not issued", subject(candidate), subject(issuer))
	case !slices.Contains(candidate.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return fmt.Errorf("the OCSP response is signed by %s, whose certificate is not for OCSP signing", subject(candidate))
	case candidate.KeyUsage != 0 && candidate.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return fmt.Errorf("the OCSP response is signed by %s, whose key usage allows no signatures", subject(candidate))
	}
	if err := signedBy(candidate, issuer); err != nil {
		return fmt.Errorf("the OCSP response is signed by %s, whose certificate %s has not signed: %s", subject(candidate), subject(issuer), clip(err.Error()))
	}
	return nil
}

// isResponder says whether the response names the certificate as its responder.
func (r *ocspResponse) isResponder(c *x509.Certificate) bool {
	if r.responderName != nil {
		return bytes.Equal(r.responderName, c.RawSubject)
	}
	key, err := publicKeyBits(c)
	if err != nil {
		return false
	}
	sum := sha1.Sum(key) //nolint:gosec // RFC 6960, Section 4.2.1: KeyHash is SHA-1
	return bytes.Equal(r.responderKey, sum[:])
}

func (r *ocspResponse) signedBy(c *x509.Certificate) error {
	sum := r.tbs
	if r.algorithm.hash != 0 {
		sum = digest(r.algorithm.hash, r.tbs)
	}
	if err := r.algorithm.verify(c, sum, r.signature); err != nil {
		return fmt.Errorf("the OCSP response is not believed: %w", err)
	}
	return nil
}

// publicKeyBits is the subjectPublicKey bit string of a certificate without tag, length and count of unused bits: what KeyHash is made of.
func publicKeyBits(c *x509.Certificate) ([]byte, error) {
	var spki, alg cryptobyte.String
	var key []byte
	in := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	if !in.ReadASN1(&spki, cbasn1.SEQUENCE) || !spki.ReadASN1(&alg, cbasn1.SEQUENCE) || !spki.ReadASN1BitStringAsBytes(&key) {
		return nil, fmt.Errorf("the public key of %s is malformed", subject(c))
	}
	return key, nil
}

func digest(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}
