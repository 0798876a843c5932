package revocation

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on an OCSP response.
const (
	// MaxOCSPBytes is the longest OCSP response looked at, stapled or fetched. Honest ones have 0.3 to 8 kB.
	MaxOCSPBytes = 128 << 10

	maxSingles         = 256 // single responses in one response
	maxResponderCerts  = 8   // certificates in one response
	maxSignatureChecks = 4   // tried for one response
)

// Tags of the structures below.
const (
	explicit0 = cbasn1.Tag(0x80 | 0x20)
	explicit1 = cbasn1.Tag(0x80 | 0x20 | 1)
	explicit2 = cbasn1.Tag(0x80 | 0x20 | 2)
	implicit0 = cbasn1.Tag(0x80)
	implicit1 = cbasn1.Tag(0x80 | 1)
	implicit2 = cbasn1.Tag(0x80 | 2)
)

// responseStatus is OCSPResponseStatus (RFC 6960, Section 4.2.1).
type responseStatus int

func (s responseStatus) String() string {
	switch s {
	case 0:
		return "successful"
	case 1:
		return "malformedRequest"
	case 2:
		return "internalError"
	case 3:
		return "tryLater"
	case 5:
		return "sigRequired"
	case 6:
		return "unauthorized"
	}
	return fmt.Sprintf("status %d", int(s))
}

// means says what a status says to whoever operates the certificate.
func (s responseStatus) means() string {
	switch s {
	case 1:
		return "the responder could not read the request"
	case 2:
		return "the responder is broken inside"
	case 3:
		return "the responder is too busy or being restarted"
	case 5:
		return "the responder answers signed requests only"
	case 6:
		return "the responder has no answer for this certificate: it does not serve its issuer, or the certificate is too new or too old" // RFC 5019, Section 2.2.3
	}
	return "the responder answers with a status that RFC 6960 does not know"
}

// ocspResponse is an OCSPResponse of type id-pkix-ocsp-basic (RFC 6960, Section 4.2.1). Its slices are those of the input.
type ocspResponse struct {
	status responseStatus // nothing else is set when it is not 0

	tbs       []byte // as signed
	algorithm algorithm
	signature []byte
	certs     [][]byte

	responderName []byte // one of these two
	responderKey  []byte
	producedAt    time.Time
	singles       []singleResponse
	nonce         []byte // nil: none
	critical      string // a critical extension that is not understood
}

// singleResponse is SingleResponse.
type singleResponse struct {
	hash     crypto.Hash // 0: one that is not known
	nameHash []byte
	keyHash  []byte
	serial   *big.Int

	said       Result
	revokedAt  time.Time
	reason     Reason
	thisUpdate time.Time
	nextUpdate time.Time
	critical   string
}

// parseOCSP reads a response. It verifies nothing.
func parseOCSP(der []byte) (*ocspResponse, error) {
	if len(der) > MaxOCSPBytes {
		return nil, fmt.Errorf("OCSP response: %d bytes exceed %d", len(der), MaxOCSPBytes)
	}
	var outer, wrapped, body, octets cryptobyte.String
	var oid asn1.ObjectIdentifier
	var status int
	in := cryptobyte.String(der)
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1Enum(&status) {
		return nil, errors.New("OCSP response: not an OCSPResponse")
	}
	if !in.Empty() {
		return nil, fmt.Errorf("OCSP response: %d bytes after its end", len(in))
	}
	if status != 0 {
		return &ocspResponse{status: responseStatus(status)}, nil
	}
	if !outer.ReadASN1(&wrapped, explicit0) || !outer.Empty() || !wrapped.ReadASN1(&body, cbasn1.SEQUENCE) || !wrapped.Empty() ||
		!body.ReadASN1ObjectIdentifier(&oid) || !body.ReadASN1(&octets, cbasn1.OCTET_STRING) || !body.Empty() {
		return nil, errors.New("OCSP response: no responseBytes")
	}
	if oid.String() != "1.3.6.1.5.5.7.48.1.1" {
		return nil, fmt.Errorf("OCSP response: type %s is not id-pkix-ocsp-basic", clip(oid.String()))
	}
	return parseBasic(octets)
}

// parseBasic reads BasicOCSPResponse.
func parseBasic(in cryptobyte.String) (*ocspResponse, error) {
	var basic, tbs, alg cryptobyte.String
	var err error
	r := new(ocspResponse)
	if !in.ReadASN1(&basic, cbasn1.SEQUENCE) || !in.Empty() || !basic.ReadASN1Element(&tbs, cbasn1.SEQUENCE) || !basic.ReadASN1(&alg, cbasn1.SEQUENCE) ||
		!basic.ReadASN1BitStringAsBytes(&r.signature) {
		return nil, errors.New("OCSP response: not a BasicOCSPResponse")
	}
	r.tbs = tbs
	if r.algorithm, err = readAlgorithm(alg); err != nil {
		return nil, fmt.Errorf("OCSP response: %w", err)
	}
	var certs, list cryptobyte.String
	var present bool
	if !basic.ReadOptionalASN1(&certs, &present, explicit0) || !basic.Empty() || present && (!certs.ReadASN1(&list, cbasn1.SEQUENCE) || !certs.Empty()) {
		return nil, errors.New("OCSP response: certs: not a sequence")
	}
	for !list.Empty() {
		var cert cryptobyte.String
		if !list.ReadASN1Element(&cert, cbasn1.SEQUENCE) {
			return nil, errors.New("OCSP response: certs: not certificates")
		}
		if len(r.certs) == maxResponderCerts {
			return nil, fmt.Errorf("OCSP response: certs: more than %d", maxResponderCerts)
		}
		r.certs = append(r.certs, cert)
	}
	return r, r.readData(tbs)
}

// readData reads ResponseData.
func (r *ocspResponse) readData(in cryptobyte.String) error {
	var data, version, id, responses, extensions cryptobyte.String
	var present bool
	if !in.ReadASN1(&data, cbasn1.SEQUENCE) || !data.ReadOptionalASN1(&version, &present, explicit0) {
		return errors.New("OCSP response: not a ResponseData")
	}
	if present {
		var v int
		if !version.ReadASN1Integer(&v) || v != 0 {
			return errors.New("OCSP response: version is not 1")
		}
	}
	switch {
	case data.PeekASN1Tag(explicit1):
		if !data.ReadASN1(&id, explicit1) || len(id) == 0 {
			return errors.New("OCSP response: responderID: no name")
		}
		r.responderName = id
	case data.PeekASN1Tag(explicit2):
		var key cryptobyte.String
		if !data.ReadASN1(&id, explicit2) || !id.ReadASN1(&key, cbasn1.OCTET_STRING) || !id.Empty() {
			return errors.New("OCSP response: responderID: no key hash")
		}
		r.responderKey = key
	default:
		return errors.New("OCSP response: responderID: neither a name nor a key hash")
	}
	if !data.ReadASN1GeneralizedTime(&r.producedAt) {
		return errors.New("OCSP response: producedAt: no time")
	}
	if !data.ReadASN1(&responses, cbasn1.SEQUENCE) {
		return errors.New("OCSP response: responses: not a sequence")
	}
	for !responses.Empty() {
		if len(r.singles) == maxSingles {
			return fmt.Errorf("OCSP response: responses: more than %d", maxSingles)
		}
		single, err := readSingle(&responses)
		if err != nil {
			return fmt.Errorf("OCSP response: response %d: %w", len(r.singles)+1, err)
		}
		r.singles = append(r.singles, single)
	}
	if len(r.singles) == 0 {
		return errors.New("OCSP response: no single response")
	}
	if !data.ReadOptionalASN1(&extensions, &present, explicit1) || !data.Empty() {
		return errors.New("OCSP response: responseExtensions: malformed")
	}
	if !present {
		return nil
	}
	return eachExtension(extensions, func(oid asn1.ObjectIdentifier, critical bool, value cryptobyte.String) error {
		switch oid.String() {
		case oidNonce:
			var nonce cryptobyte.String
			if !value.ReadASN1(&nonce, cbasn1.OCTET_STRING) {
				return errors.New("OCSP response: nonce: no octets")
			}
			r.nonce = append([]byte{}, nonce...)
		case "1.3.6.1.5.5.7.48.1.9": // extended revoked definition: what it changes (certificates never issued) is "revoked" all the same
		default:
			if critical {
				r.critical = oid.String()
			}
		}
		return nil
	})
}

// readSingle reads one SingleResponse.
func readSingle(in *cryptobyte.String) (s singleResponse, err error) {
	var single, id, alg, nameHash, keyHash, status, next, extensions cryptobyte.String
	var oid asn1.ObjectIdentifier
	var present bool
	s.serial = new(big.Int)
	if !in.ReadASN1(&single, cbasn1.SEQUENCE) || !single.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1(&alg, cbasn1.SEQUENCE) ||
		!alg.ReadASN1ObjectIdentifier(&oid) || !id.ReadASN1(&nameHash, cbasn1.OCTET_STRING) || !id.ReadASN1(&keyHash, cbasn1.OCTET_STRING) ||
		!id.ReadASN1Integer(s.serial) || !id.Empty() {
		return s, errors.New("not a CertID")
	}
	s.hash, _ = hashByOID(oid)
	s.nameHash, s.keyHash = nameHash, keyHash
	switch {
	case single.PeekASN1Tag(implicit0) && single.ReadASN1(&status, implicit0):
		s.said = Good
	case single.PeekASN1Tag(explicit1) && single.ReadASN1(&status, explicit1):
		s.said = Revoked
		if !status.ReadASN1GeneralizedTime(&s.revokedAt) {
			return s, errors.New("revoked, without a time")
		}
		var reason cryptobyte.String
		if !status.ReadOptionalASN1(&reason, &present, explicit0) || present && !reason.ReadASN1Enum((*int)(&s.reason)) {
			return s, errors.New("revoked, with a reason that is no number")
		}
	case single.PeekASN1Tag(implicit2) && single.ReadASN1(&status, implicit2):
		s.said = Unknown
	default:
		return s, errors.New("neither good nor revoked nor unknown")
	}
	if !single.ReadASN1GeneralizedTime(&s.thisUpdate) {
		return s, errors.New("thisUpdate: no time")
	}
	if !single.ReadOptionalASN1(&next, &present, explicit0) || present && !next.ReadASN1GeneralizedTime(&s.nextUpdate) {
		return s, errors.New("nextUpdate: no time")
	}
	if present && s.nextUpdate.Before(s.thisUpdate) {
		return s, fmt.Errorf("nextUpdate %s is before thisUpdate %s", stamp(s.nextUpdate), stamp(s.thisUpdate))
	}
	if !single.ReadOptionalASN1(&extensions, &present, explicit1) || !single.Empty() {
		return s, errors.New("singleExtensions: malformed")
	}
	if present {
		err = eachExtension(extensions, func(oid asn1.ObjectIdentifier, critical bool, _ cryptobyte.String) error {
			if critical {
				s.critical = oid.String()
			}
			return nil
		})
	}
	return s, err
}

// eachExtension walks Extensions (RFC 5280, Section 4.1).
func eachExtension(in cryptobyte.String, f func(oid asn1.ObjectIdentifier, critical bool, value cryptobyte.String) error) error {
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return errors.New("extensions: not a sequence")
	}
	for !list.Empty() {
		var extension, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		critical := false
		if !list.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) ||
			extension.PeekASN1Tag(cbasn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) ||
			!extension.ReadASN1(&value, cbasn1.OCTET_STRING) || !extension.Empty() {
			return errors.New("extensions: malformed")
		}
		if err := f(oid, critical, value); err != nil {
			return err
		}
	}
	return nil
}
