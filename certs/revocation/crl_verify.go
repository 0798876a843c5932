package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// someReasons is why a list that does not name a certificate settles nothing.
const someReasons = "the list has revocations for some reasons only, and the certificate is not on it"

// Answer judges what the list says of a certificate of the issuer at a moment: the list is the issuer's, signed by it, recent, and speaks of
// such certificates (RFC 5280, Section 6.3).
func (l *List) Answer(cert, issuer *x509.Certificate, at time.Time, v Verification) Answer {
	return l.answer(cert, issuer, v).judged(at, v.freshness())
}

// Flaw says why the list vouches for no certificate at a moment, whichever is asked about and whoever signed it: it is out of date or of
// a time to come, a delta, an indirect one, or has a critical extension that is not understood. Empty: there is no such reason. Who
// configures a list wants to know it before the first client is refused for it.
func (l *List) Flaw(at time.Time, v Verification) string {
	if _, err := l.scope.flaw(); err != nil {
		return err.Error()
	}
	if err := l.notUnderstood(); err != nil {
		return err.Error()
	}
	a := Answer{Source: FromCRL, URL: l.Name, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Said: Good}.judged(at, v.freshness())
	if a.Result != Good {
		return a.Detail
	}
	return ""
}

// notUnderstood is the error of a list with a critical extension that is not understood; nil for others.
func (l *List) notUnderstood() error {
	if l.critical == "" {
		return nil
	}
	// RFC 5280, Section 5.2: "If a CRL contains a critical extension that the application cannot process, then the application MUST NOT use
	// that CRL to determine the status of certificates." Section 5.3 says the same of entries.
	return fmt.Errorf("the list has the critical extension %s, which is not understood", clip(l.critical))
}

// answer judges all but the age.
func (l *List) answer(cert, issuer *x509.Certificate, v Verification) Answer {
	a := Answer{Source: FromCRL, URL: l.Name, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Algorithm: l.algorithm.x509}
	refuse := func(result Result, err error) Answer {
		a.Result, a.Detail, a.Err = result, err.Error(), err
		return a
	}
	if !bytes.Equal(l.Issuer, issuer.RawSubject) {
		return refuse(WrongCertificate, fmt.Errorf("the list is of another issuer than %s", subject(issuer)))
	}
	if err := l.verify(issuer, v); err != nil {
		return refuse(BadSignature, err)
	}
	a.Signer = subject(issuer)
	if result, err := l.scope.covers(cert); err != nil {
		return refuse(result, err)
	}
	if err := l.notUnderstood(); err != nil {
		return refuse(Unsupported, err)
	}
	entry, found, err := l.find(cert.SerialNumber)
	switch {
	case err != nil:
		return refuse(Malformed, err)
	case found && entry.reason == RemoveFromCRL: // belongs into delta lists alone, where it means the opposite of the others
		a.Said = Good
	case found:
		a.Said, a.RevokedAt, a.Reason = Revoked, entry.revokedAt, entry.reason
	case l.scope.partial:
		a.Said, a.Detail = Unknown, someReasons
	default:
		a.Said = Good
	}
	return a
}

// verify checks the signature. The issuer must be allowed to sign lists (RFC 5280, Section 6.3.3, step f).
func (l *List) verify(issuer *x509.Certificate, v Verification) error {
	if why := l.algorithm.weak(v.AllowSHA1); why != "" {
		return errors.New("the list is not believed: " + why)
	}
	if issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return fmt.Errorf("the list is not believed: the key usage of %s does not allow it to sign lists", subject(issuer))
	}
	if err := l.algorithm.verify(issuer, l.digest, l.signature); err != nil {
		return fmt.Errorf("the list is not believed: %w", err)
	}
	return nil
}

// find looks a serial number up. Entries stand in no order, so all are walked: some 10 ns each.
func (l *List) find(serial *big.Int) (e entry, found bool, err error) {
	want := contentOctets(serial)
	for rest := cryptobyte.String(l.table); !rest.Empty(); {
		var whole, number cryptobyte.String
		if !rest.ReadASN1(&whole, cbasn1.SEQUENCE) {
			return e, false, errors.New("the list's entries are malformed")
		}
		if peek := whole; !peek.ReadASN1(&number, cbasn1.INTEGER) || !bytes.Equal(minimal(number), want) {
			continue
		}
		next, _, err := readEntry(whole, true)
		if err != nil {
			return e, false, fmt.Errorf("the list's entry of the certificate: %w", err)
		}
		// Twice on one list is against RFC 5280; the one that counts is the worse.
		if !found || e.reason == RemoveFromCRL || e.reason == CertificateHold {
			e, found = next, true
		}
	}
	return e, found, nil
}

// contentOctets is the integer as DER without tag and length.
func contentOctets(n *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1BigInt(n)
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	return inside(der)
}

// minimal drops zeros before a positive number that should not be there.
func minimal(content []byte) []byte {
	for len(content) > 1 && content[0] == 0 && content[1] < 0x80 {
		content = content[1:]
	}
	return content
}

// ParseLists reads the lists of a file: DER, or PEM blocks of type X509 CRL one after another, as ssl_crl of nginx and crl-file of HAProxy take
// them. A file without a list is an error: it must never come to mean that nothing is revoked.
func ParseLists(name string, data []byte) ([]*List, error) {
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		l, err := ReadList(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		l.Name = name
		return []*List{l}, nil
	}
	var lists []*List
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("%s: a PEM block of type %q is not a revocation list", name, clip(block.Type))
		}
		l, err := ReadList(bytes.NewReader(block.Bytes), int64(len(block.Bytes)))
		if err != nil {
			return nil, fmt.Errorf("%s: block %d: %w", name, len(lists)+1, err)
		}
		l.Name = name
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("%s: no revocation list in it", name)
	}
	return lists, nil
}
