package revocation_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/tlstriage/tlstriage/certs"
	"github.com/tlstriage/tlstriage/certs/certstest"
	"github.com/tlstriage/tlstriage/certs/revocation"
)

func TestVerifyOCSP(t *testing.T) {
	p := certstest.New(t)
	now := p.Now
	leaf, other := p.Leaf(name), p.Leaf("other.example.com")
	cert, issuer := leaf.Certificate, p.Issuing.Certificate
	responder := delegate(p, p.Issuing)
	one := func(said revocation.Result, change ...func(*single)) single {
		s := about(cert, issuer, said, now)
		for _, f := range change {
			f(&s)
		}
		return s
	}
	by := func(pair *certs.Pair, singles ...single) []byte { return response{by: pair, singles: singles}.der(t) }
	delegated := func(pair *certs.Pair, singles ...single) []byte {
		return response{by: pair, certs: []*x509.Certificate{pair.Certificate}, singles: singles}.der(t)
	}
	good := by(p.Issuing, one(revocation.Good))
	flipped := append([]byte{}, good...)
	flipped[len(flipped)-1] ^= 1
	shift := func(d time.Duration) func(*single) {
		return func(s *single) { s.thisUpdate, s.nextUpdate = s.thisUpdate.Add(d), s.nextUpdate.Add(d) }
	}
	endless := func(d time.Duration) func(*single) {
		return func(s *single) { s.thisUpdate, s.nextUpdate = now.Add(-d), time.Time{} }
	}
	// The same name and serial number, another key.
	twin := p.SelfSign(certs.Template{CommonName: issuer.Subject.CommonName, Organization: issuer.Subject.Organization[0], CA: true})

	for _, test := range []struct {
		name     string
		response []byte
		want     revocation.Result
		says     string
		v        revocation.Verification
	}{
		{name: "good by the issuer", response: good, want: revocation.Good, says: "not revoked"},
		{name: "good by the issuer, named by its key", response: response{by: p.Issuing, byKey: true, singles: []single{one(revocation.Good)}}.der(t), want: revocation.Good},
		{name: "good by a delegate", response: delegated(responder, one(revocation.Good)), want: revocation.Good, says: `signed by "Test Responder"`},
		{name: "good by a delegate, named by its key", response: response{by: responder, byKey: true, certs: []*x509.Certificate{other.Certificate, responder.Certificate}, singles: []single{one(revocation.Good)}}.der(t), want: revocation.Good},
		{name: "ids of SHA-256", response: by(p.Issuing, one(revocation.Good, func(s *single) { s.hash = crypto.SHA256 })), want: revocation.Good},
		{name: "revoked", response: by(p.Issuing, one(revocation.Revoked)), want: revocation.Revoked, says: "keyCompromise"},
		{name: "unknown", response: by(p.Issuing, one(revocation.Unknown)), want: revocation.Unknown, says: "does not know"},
		{name: "expired", response: by(p.Issuing, one(revocation.Good, shift(-48*time.Hour))), want: revocation.Expired, says: "good until"},
		{name: "expired within the skew", response: by(p.Issuing, one(revocation.Good, shift(-23*time.Hour-4*time.Minute))), want: revocation.Good},
		{name: "of tomorrow", response: by(p.Issuing, one(revocation.Good, shift(24*time.Hour))), want: revocation.NotYetValid, says: "still to come"},
		{name: "revoked, though expired: for ever", response: by(p.Issuing, one(revocation.Revoked, shift(-480*time.Hour))), want: revocation.Revoked},
		{name: "on hold, but expired", response: by(p.Issuing, one(revocation.Revoked, shift(-48*time.Hour), func(s *single) { s.reason = 6 })), want: revocation.Expired},
		{name: "on hold", response: by(p.Issuing, one(revocation.Revoked, func(s *single) { s.reason = 6 })), want: revocation.Revoked, says: "certificateHold"},
		{name: "without next update, of an hour ago", response: by(p.Issuing, one(revocation.Good, endless(time.Hour))), want: revocation.Good},
		{name: "without next update, of two days ago", response: by(p.Issuing, one(revocation.Good, endless(48*time.Hour))), want: revocation.Expired, says: "no next update"},
		{name: "without next update, of two days ago, allowed", response: by(p.Issuing, one(revocation.Good, endless(48*time.Hour))), want: revocation.Good, v: revocation.Verification{MaxAge: 72 * time.Hour}},
		{name: "about another", response: by(p.Issuing, about(other.Certificate, issuer, revocation.Good, now)), want: revocation.WrongCertificate, says: "serial number"},
		{name: "same serial number of another issuer", response: by(p.Issuing, one(revocation.Good, func(s *single) { s.issuer = p.Intermediate.Certificate })), want: revocation.WrongCertificate, says: "another issuer"},
		{name: "issuer of the same name, another key", response: by(twin, one(revocation.Good, func(s *single) { s.issuer = twin.Certificate })), want: revocation.WrongCertificate, says: "another issuer"},
		{name: "several, one about it", response: by(p.Issuing, about(other.Certificate, issuer, revocation.Good, now), one(revocation.Revoked)), want: revocation.Revoked},
		{name: "several about it, the latest counts", response: by(p.Issuing, one(revocation.Good), one(revocation.Revoked, shift(-10*time.Minute))), want: revocation.Good},
		{name: "several about it of one moment, the worst counts", response: by(p.Issuing, one(revocation.Good), one(revocation.Revoked)), want: revocation.Revoked},
		{name: "several, none about it", response: by(p.Issuing, about(other.Certificate, issuer, revocation.Good, now), about(issuer, p.Intermediate.Certificate, revocation.Good, now)), want: revocation.WrongCertificate, says: "none of which"},
		{name: "signature damaged", response: flipped, want: revocation.BadSignature},
		{name: "issuer named, signed with another key", response: response{by: twin, named: issuer, singles: []single{one(revocation.Good)}}.der(t), want: revocation.BadSignature, says: "not by the key of"},
		{name: "signed by a stranger, no certificate", response: by(p.OtherRoot, one(revocation.Good)), want: revocation.BadSignature, says: "carries no certificate"},
		{name: "signed by the leaf itself", response: delegated(leaf, one(revocation.Good)), want: revocation.BadSignature, says: "not for OCSP signing"},
		{name: "delegate of another authority", response: delegated(delegate(p, p.OtherRoot), one(revocation.Good)), want: revocation.BadSignature, says: "has not issued"},
		{name: "delegate of the authority above", response: delegated(delegate(p, p.Intermediate), one(revocation.Good)), want: revocation.BadSignature, says: "has not issued"},
		{name: "delegate of a namesake", response: delegated(delegate(p, twin), one(revocation.Good)), want: revocation.BadSignature, says: "has not signed"},
		{name: "delegate expired", response: delegated(delegate(p, p.Issuing, func(t *certs.Template) { t.NotAfter = now.Add(-time.Hour) }), one(revocation.Good)), want: revocation.BadSignature, says: "expired at"},
		{name: "delegate not yet valid", response: delegated(delegate(p, p.Issuing, func(t *certs.Template) { t.NotBefore = now.Add(time.Hour) }), one(revocation.Good)), want: revocation.BadSignature, says: "not valid before"},
		{name: "delegate whose key may not sign", response: delegated(delegate(p, p.Issuing, func(t *certs.Template) { t.KeyUsage = x509.KeyUsageKeyAgreement }), one(revocation.Good)), want: revocation.BadSignature, says: "key usage"},
		{name: "critical extension", response: response{by: p.Issuing, critical: true, singles: []single{one(revocation.Good)}}.der(t), want: revocation.Unsupported, says: "1.3.6.1.4.1.99999.1"},
		{name: "critical extension of the single response", response: by(p.Issuing, one(revocation.Good, func(s *single) { s.critical = true })), want: revocation.Unsupported},
		{name: "tryLater", response: errorResponse(3), want: revocation.ErrorStatus, says: "tryLater"},
		{name: "unauthorized", response: errorResponse(6), want: revocation.ErrorStatus, says: "unauthorized"},
		{name: "malformedRequest", response: errorResponse(1), want: revocation.ErrorStatus, says: "malformedRequest"},
		{name: "no such status", response: errorResponse(99), want: revocation.ErrorStatus, says: "status 99"},
		{name: "more behind it", response: append(append([]byte{}, good...), 0), want: revocation.Malformed, says: "1 bytes after"},
		{name: "next update before this", response: by(p.Issuing, one(revocation.Good, func(s *single) { s.nextUpdate = s.thisUpdate.Add(-time.Hour) })), want: revocation.Malformed, says: "is before thisUpdate"},
		{name: "empty", response: nil, want: revocation.Malformed},
		{name: "a page", response: []byte("<html>"), want: revocation.Malformed},
		{name: "too long", response: make([]byte, revocation.MaxOCSPBytes+1), want: revocation.Malformed, says: "exceed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := revocation.VerifyOCSP(test.response, cert, issuer, now, test.v)
			if a.Result != test.want || !strings.Contains(a.Detail, test.says) || a.Detail == "" || a.Source != revocation.FromStaple {
				t.Errorf("got %s: %s\nwant %s: … %s …", a.Result, a.Detail, test.want, test.says)
			}
		})
	}
}

func TestVerifyOCSPKeepsTheEvidence(t *testing.T) {
	p := certstest.New(t)
	leaf, responder := p.Leaf(name), delegate(p, p.Issuing)
	s := about(leaf.Certificate, p.Issuing.Certificate, revocation.Revoked, p.Now)
	a := revocation.VerifyOCSP(response{by: responder, certs: []*x509.Certificate{responder.Certificate}, singles: []single{s}}.der(t), leaf.Certificate, p.Issuing.Certificate, p.Now, revocation.Verification{})
	if !a.RevokedAt.Equal(s.at) || a.Reason.String() != "keyCompromise" || !a.ThisUpdate.Equal(s.thisUpdate) || !a.NextUpdate.Equal(s.nextUpdate) ||
		!a.Delegated || !a.NoCheck || a.Signer != `"Test Responder"` || a.Algorithm != x509.ECDSAWithSHA256 || a.Said != revocation.Revoked {
		t.Errorf("got %+v", a)
	}
}

func TestVerifyOCSPRefusesSHA1UnlessAllowed(t *testing.T) {
	p := certstest.New(t)
	ca := p.SelfSign(certs.Template{CommonName: "Old", CA: true, Key: certs.RSA2048})
	leaf := p.Issue(ca, certs.Template{Names: []string{name}})
	template := ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.Certificate.SerialNumber, ThisUpdate: p.Now.Add(-time.Hour), NextUpdate: p.Now.Add(time.Hour)}
	for algorithm, want := range map[x509.SignatureAlgorithm]revocation.Result{x509.SHA1WithRSA: revocation.BadSignature, x509.SHA256WithRSA: revocation.Good, x509.SHA512WithRSA: revocation.Good} {
		template.SignatureAlgorithm = algorithm
		der, err := ocsp.CreateResponse(ca.Certificate, ca.Certificate, template, ca.Key)
		if err != nil {
			t.Fatal(err)
		}
		if a := revocation.VerifyOCSP(der, leaf.Certificate, ca.Certificate, p.Now, revocation.Verification{}); a.Result != want {
			t.Errorf("%s: got %s (%s), want %s", algorithm, a.Result, a.Detail, want)
		}
		if a := revocation.VerifyOCSP(der, leaf.Certificate, ca.Certificate, p.Now, revocation.Verification{AllowSHA1: true}); a.Result != revocation.Good {
			t.Errorf("%s, allowed: got %s (%s)", algorithm, a.Result, a.Detail)
		}
	}
}

func TestVerifyOCSPRefusesEveryTruncation(t *testing.T) {
	p := certstest.New(t)
	leaf, responder := p.Leaf(name), delegate(p, p.Issuing)
	der := response{by: responder, certs: []*x509.Certificate{responder.Certificate}, nonce: []byte("0123456789"), singles: []single{
		about(leaf.Certificate, p.Issuing.Certificate, revocation.Revoked, p.Now)}}.der(t)
	for n := range der {
		if a := revocation.VerifyOCSP(der[:n], leaf.Certificate, p.Issuing.Certificate, p.Now, revocation.Verification{}); a.Result != revocation.Malformed {
			t.Fatalf("%d of %d bytes: got %s (%s)", n, len(der), a.Result, a.Detail)
		}
	}
}

// A changed bit never makes a believed answer.
func TestVerifyOCSPRefusesEveryFlippedBit(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	der := response{by: p.Issuing, singles: []single{about(leaf.Certificate, p.Issuing.Certificate, revocation.Good, p.Now)}}.der(t)
	for i := range der {
		for bit := range 8 {
			changed := append([]byte{}, der...)
			changed[i] ^= 1 << bit
			if a := revocation.VerifyOCSP(changed, leaf.Certificate, p.Issuing.Certificate, p.Now, revocation.Verification{}); a.Result.Settles() {
				t.Fatalf("bit %d of byte %d changed: %s (%s)", bit, i, a.Result, a.Detail)
			}
		}
	}
}

func TestVerifyOCSPDoesNotCheckWithAGiantKey(t *testing.T) {
	p := certstest.New(t)
	leaf := p.Leaf(name)
	giant := *p.Issuing.Certificate
	key, ok := delegate(p, p.Issuing, func(t *certs.Template) { t.Key = certs.RSA2048 }).Certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		t.Fatal("no RSA key")
	}
	long := *key
	long.N = new(big.Int).Lsh(key.N, 9000)
	giant.PublicKey = &long
	der := response{by: p.Issuing, singles: []single{about(leaf.Certificate, p.Issuing.Certificate, revocation.Good, p.Now)}}.der(t)
	if a := revocation.VerifyOCSP(der, leaf.Certificate, &giant, p.Now, revocation.Verification{}); a.Result != revocation.BadSignature || !strings.Contains(a.Detail, "11048 bits") {
		t.Errorf("got %s (%s)", a.Result, a.Detail)
	}
}
