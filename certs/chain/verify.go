package chain

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// verify asks crypto/x509: first strictly, as a client does; then, when that is refused, with times, names and usages
// aside, to learn whether the trust itself stands.
func (e *examination) verify() {
	if e.r.Err != nil { // a certificate does not parse: clients stop there
		e.neutralVerify()
		e.strict = slices.DeleteFunc(slices.Clone(e.neutral), func(path []*x509.Certificate) bool { return !e.holdsNow(path) })
		if len(e.strict) == 0 {
			e.strict = nil
		}
		e.r.Verified = e.neutral
		return
	}
	leaf := e.leaf.Certificate
	nameErr := e.verifyName()
	if !keysBearable(e.certs) {
		e.strictE = errKeyTooLarge
		e.r.Err = errKeyTooLarge
		return
	}
	o := x509.VerifyOptions{Roots: e.o.Roots, Intermediates: pool(e.near()), CurrentTime: e.o.Time, KeyUsages: e.o.Usages}
	e.strict, e.strictE = leaf.Verify(o)
	switch first := e.r.Presented[0]; {
	case e.leaf.Certificate != first: // what clients verify is the first certificate, whatever it is
		o.DNSName = e.o.Name
		_, e.r.Err = first.Verify(o)
	case e.strictE == nil:
		e.r.Err = nameErr
	case nameErr != nil && !timeError(e.strictE, leaf): // crypto/x509 looks at the leaf's time, then the name, then the path
		e.r.Err = nameErr
	default:
		e.r.Err = e.strictE
	}
	if e.strictE != nil {
		e.neutralVerify()
	}
	e.r.Verified = e.strict
	if e.strict == nil {
		e.r.Verified = e.neutral
	}
}

// verifyAlong verifies strictly with the certificates of one path only.
func (e *examination) verifyAlong(path []*x509.Certificate) {
	p := x509.NewCertPool()
	for _, c := range path[1:] {
		p.AddCert(c)
	}
	e.strict, e.strictE = path[0].Verify(x509.VerifyOptions{Roots: e.o.Roots, Intermediates: p, CurrentTime: e.o.Time, KeyUsages: e.o.Usages})
	e.r.Verified = e.strict
	if e.r.Err = e.strictE; e.strictE == nil {
		e.r.Err = e.verifyName()
	}
}

var errKeyTooLarge = errors.New("chain: an RSA key is too large to be verified")

func timeError(err error, of *x509.Certificate) bool {
	var invalid x509.CertificateInvalidError
	return errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert == of
}

// neutralVerify verifies copies of the certificates whose validity always includes the moment. Signatures cover the raw
// bytes, which stay the same, so the paths are the real ones. (With the verifiers of Windows and macOS, which read the raw bytes,
// times stay in force; they are used only where Options.Roots is nil.)
func (e *examination) neutralVerify() {
	if !keysBearable(e.certs) {
		e.neutralE = errKeyTooLarge
		return
	}
	e.neutral, e.neutralE = e.verifyNeutral(e.leaf.Certificate, certificates(e.near()))
}

// verifyNeutral is the verification of one certificate with times, names and usages aside; the paths hold the
// certificates as they were given.
func (e *examination) verifyNeutral(leaf *x509.Certificate, intermediates []*x509.Certificate) ([][]*x509.Certificate, error) {
	paths, due, err := e.verifyTimeless(e.o.Roots, leaf, intermediates)
	if err == nil {
		e.rootDue = cmp.Or(due, e.rootDue)
	}
	return paths, err
}

// verifyIn is verifyNeutral with other roots.
func (e *examination) verifyIn(roots *x509.CertPool, leaf *x509.Certificate, intermediates []*x509.Certificate) ([][]*x509.Certificate, error) {
	paths, _, err := e.verifyTimeless(roots, leaf, intermediates)
	return paths, err
}

// verifyTimeless does the work of verifyNeutral; due is the root whose validity the moment had to be moved into.
func (e *examination) verifyTimeless(roots *x509.CertPool, leaf *x509.Certificate, intermediates []*x509.Certificate) (found [][]*x509.Certificate, due *x509.Certificate, err error) {
	at := e.o.Time
	for range 3 { // the moment is moved into the validity of a root that is not valid now; roots cannot be copied out of a pool
		originals := map[*x509.Certificate]*x509.Certificate{}
		timeless := func(c *x509.Certificate) *x509.Certificate {
			k := withoutPolicies(c)
			k.NotBefore, k.NotAfter = at.Add(-time.Hour), at.Add(time.Hour)
			originals[k] = c
			return k
		}
		p := x509.NewCertPool()
		for _, c := range intermediates {
			// A presented copy of an expired root must not stand in for it: the error would no longer tell of the root.
			if !bytes.Equal(c.RawSubject, c.RawIssuer) || len(c.AuthorityKeyId) > 0 && !bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId) {
				p.AddCert(timeless(c))
			}
		}
		var paths [][]*x509.Certificate
		paths, err = timeless(leaf).Verify(x509.VerifyOptions{Roots: roots, Intermediates: p, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err == nil {
			for _, path := range paths {
				for i, c := range path {
					if o := originals[c]; o != nil {
						path[i] = o
					}
				}
			}
			return paths, due, nil
		}
		var invalid x509.CertificateInvalidError
		if !errors.As(err, &invalid) || invalid.Reason != x509.Expired || invalid.Cert == nil || originals[invalid.Cert] != nil {
			return nil, nil, err
		}
		due = invalid.Cert
		at = invalid.Cert.NotBefore.Add(invalid.Cert.NotAfter.Sub(invalid.Cert.NotBefore) / 2)
	}
	return nil, nil, err
}

// holdsAbove says whether a path stands now with the leaf's own time, name and usage left aside: then no certificate above it
// is in the way.
func (e *examination) holdsAbove() bool {
	if e.strict != nil {
		return true
	}
	if !keysBearable(e.certs) || e.neutral == nil {
		return false
	}
	k := *e.leaf.Certificate
	k.NotBefore, k.NotAfter = e.o.Time.Add(-time.Hour), e.o.Time.Add(time.Hour)
	_, err := k.Verify(x509.VerifyOptions{Roots: e.o.Roots, Intermediates: pool(e.near()), CurrentTime: e.o.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// near is what is handed to crypto/x509 beside the leaf: those certificates first that are reached from it over the issuers'
// names, and of one name those with the key identifier asked for, as far as maxIntermediates allows. A server that sends a
// whole CA bundle makes no work with it.
func (e *examination) near() []*cert {
	var found []*cert
	work := 0
	from := []*cert{e.leaf}
	for len(from) > 0 {
		c := from[0]
		from = from[1:]
		for _, fits := range []bool{true, false} {
			for _, k := range e.certs {
				if k == e.leaf || !bytes.Equal(k.RawSubject, c.RawIssuer) || bytes.Equal(k.SubjectKeyId, c.AuthorityKeyId) != fits || slices.Contains(found, k) {
					continue
				}
				if work += checkCost(k.Certificate); work > maxIntermediates {
					return found
				}
				found = append(found, k)
				from = append(from, k)
			}
		}
	}
	return found
}

func certificates(list []*cert) []*x509.Certificate {
	out := make([]*x509.Certificate, len(list))
	for i, c := range list {
		out[i] = c.Certificate
	}
	return out
}

func pool(list []*cert) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range list {
		p.AddCert(c.Certificate)
	}
	return p
}

// keysBearable says whether all keys are small enough to check signatures with.
func keysBearable(list []*cert) bool {
	return !slices.ContainsFunc(list, func(c *cert) bool { return tooLarge(c.Certificate) })
}

func tooLarge(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > MaxRSABits
}

// holdsNow says whether every certificate of a path is valid at the time.
func (e *examination) holdsNow(path []*x509.Certificate) bool {
	return !slices.ContainsFunc(path, func(c *x509.Certificate) bool { return !e.validNow(c) })
}

// withoutPolicies is a copy of c that says nothing of certificate policies, whose graph costs crypto/x509 most where there
// are many, and which no client of TLS asks for by itself.
func withoutPolicies(c *x509.Certificate) *x509.Certificate {
	k := *c
	k.Policies, k.PolicyIdentifiers, k.PolicyMappings = nil, nil, nil
	k.RequireExplicitPolicy, k.RequireExplicitPolicyZero, k.InhibitPolicyMapping, k.InhibitPolicyMappingZero = 0, false, 0, false
	k.InhibitAnyPolicy, k.InhibitAnyPolicyZero = 0, false
	return &k
}
