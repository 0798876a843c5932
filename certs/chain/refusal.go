package chain

import (
	"bytes"
	"crypto/dsa" //lint:ignore SA1019 only to know the key for what it is
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
)

// walkRefusals are a family's grounds against one path.
func (e *examination) walkRefusals(h *habits, w walk) (list []Because) {
	refuse := func(id FaultID, reason Reason, c *x509.Certificate, text string) {
		list = append(list, Because{id, reason, e.indexOf(c), text})
	}
	forgives := h.forgivesRoot && e.asSent(w)
	switch {
	case w.a == nil:
		list = append(list, e.whyUnanchored(w)...)
	case h.anchorsAnything && !(h.anchorsNoLeaf && w.a.self && len(w.certs) == 1):
	case w.a.root != nil && !bytes.Equal(w.a.root.RawSubject, w.a.root.RawIssuer):
		refuse(UntrustedRoot, "", w.a.root, fmt.Sprintf("the trusted %s is no self-signed root", Subject(w.a.root)))
	case h.anchorsNoLeaf && w.a.self && len(w.certs) == 1:
		refuse(SelfSigned, "", w.a.root, "a server's certificate is not taken for an authority that could be trusted")
	}
	if w.a != nil && !forgives && w.a.root != nil && !w.a.self && !e.validNow(w.a.root) {
		id, reason := IntermediateExpired, ReasonExpiredRoot
		if e.o.Time.Before(w.a.root.NotBefore) {
			id, reason = NotYetValid, ReasonFutureRoot
		}
		refuse(id, reason, w.a.root, fmt.Sprintf("the trusted root %s is valid from %s to %s only", Subject(w.a.root), stamp(w.a.root.NotBefore), stamp(w.a.root.NotAfter)))
	}
	for i, c := range w.certs {
		anchored := w.a != nil && w.a.self && i == len(w.certs)-1
		if !(anchored && forgives && len(w.certs) > 1) && !e.validNow(c) {
			id := IntermediateExpired
			switch {
			case e.o.Time.Before(c.NotBefore):
				id = NotYetValid
			case i == 0:
				id = Expired
			}
			refuse(id, "", c, fmt.Sprintf("%s is valid from %s to %s", Subject(c), stamp(c.NotBefore), stamp(c.NotAfter)))
		}
		if anchored && bytes.Equal(c.RawIssuer, c.RawSubject) && i > 0 {
			continue // a root's own form is not judged
		}
		e.certRefusals(h, w, i, refuse)
	}
	if w.a != nil {
		e.constraintRefusals(w, refuse)
	}
	return list
}

// asSent says whether a path is the presented chain, certificate by certificate, to its end or to a trusted one.
func (e *examination) asSent(w walk) bool {
	if len(w.certs) > len(e.r.Raw) || w.a == nil || !w.a.self && len(w.certs) < len(e.r.Raw) {
		return false
	}
	for i, c := range w.certs {
		if !bytes.Equal(c.Raw, e.r.Raw[i]) {
			return false
		}
	}
	return true
}

func (e *examination) validNow(c *x509.Certificate) bool {
	return !e.o.Time.Before(c.NotBefore) && !e.o.Time.After(c.NotAfter)
}

// certRefusals judges the certificate at place i of a path.
func (e *examination) certRefusals(h *habits, w walk, i int, refuse func(FaultID, Reason, *x509.Certificate, string)) {
	c := w.certs[i]
	what := Subject(c)
	self := bytes.Equal(c.RawIssuer, c.RawSubject)
	trusted := w.a != nil && w.a.self && i == len(w.certs)-1
	if len(c.UnhandledCriticalExtensions) > 0 {
		refuse(Malformed, ReasonCriticalExtension, c, "a critical extension is not understood")
	}
	if text := refusedKey(h, c); text != "" {
		refuse(WeakKey, "", c, fmt.Sprintf("the key of %s is %s", what, text))
	}
	if !self && !trusted {
		switch weakReason(c) {
		case ReasonMD5:
			if !h.md5 {
				refuse(WeakSignature, ReasonMD5, c, what+" is signed with MD5")
			}
		case ReasonSHA1:
			if !h.sha1 {
				refuse(WeakSignature, ReasonSHA1, c, what+" is signed with SHA-1")
			}
		}
	}
	parent := e.parentIn(w, i)
	if parent != nil && h.keyIDs && !keyIDsFit(c, parent) {
		refuse(LegacyPath, ReasonKeyIDMismatch, c, fmt.Sprintf("the authority key identifier of %s is not that of its issuer", what))
	}
	if h.strict && c.Version >= 3 {
		if len(c.AuthorityKeyId) == 0 && !self {
			refuse(MissingKeyID, "", c, what+" has no authority key identifier")
		}
		if i > 0 {
			strictAuthority(c, what, refuse)
		}
	}
	if i == 0 {
		return
	}
	switch {
	case c.Version < 3 && !self:
		refuse(WrongUsage, ReasonVersion1CA, c, what+" is of X.509 version 1 and cannot say that it is an authority")
	case c.Version >= 3 && !(c.BasicConstraintsValid && c.IsCA):
		refuse(WrongUsage, ReasonNotCA, c, what+" is no authority")
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		refuse(WrongUsage, ReasonKeyUsage, c, what+" may not sign certificates")
	}
	if h.caUsages && e.refusedUsage(h, c) {
		refuse(WrongUsage, ReasonExtKeyUsage, c, what+" is an authority for other usages")
	}
	if limit, ok := pathLimit(c); ok {
		below := 0
		for _, k := range w.certs[1:i] {
			if !bytes.Equal(k.RawIssuer, k.RawSubject) {
				below++
			}
		}
		if below > limit {
			refuse(WrongUsage, ReasonPathLength, c, fmt.Sprintf("%s allows %d authorities below it, and there are %d", what, limit, below))
		}
	}
}

// parentIn is the certificate above place i of a path.
func (e *examination) parentIn(w walk, i int) *x509.Certificate {
	if i+1 < len(w.certs) {
		return w.certs[i+1]
	}
	if w.a != nil && !w.a.self {
		return w.a.root
	}
	return nil
}

// pathLimit is the path length constraint of an authority.
func pathLimit(c *x509.Certificate) (int, bool) {
	if !c.BasicConstraintsValid || c.MaxPathLen < 0 || c.MaxPathLen == 0 && !c.MaxPathLenZero {
		return 0, false
	}
	return c.MaxPathLen, true
}

// strictAuthority holds an authority to the forms that X509_V_FLAG_X509_STRICT asks for.
func strictAuthority(c *x509.Certificate, what string, refuse func(FaultID, Reason, *x509.Certificate, string)) {
	if len(c.SubjectKeyId) == 0 {
		refuse(MissingKeyID, "", c, what+" has no subject key identifier")
	}
	if ext := extension(c, asn1.ObjectIdentifier{2, 5, 29, 19}); ext != nil && !ext.Critical {
		refuse(WrongUsage, ReasonNotCA, c, "the basic constraints of "+what+" are not critical")
	}
	if extension(c, asn1.ObjectIdentifier{2, 5, 29, 15}) == nil {
		refuse(WrongUsage, ReasonKeyUsage, c, what+" has no key usage")
	}
}

// weakReason is the broken hash of a signature.
func weakReason(c *x509.Certificate) Reason {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA:
		return ReasonMD5
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		return ReasonSHA1
	}
	return ""
}

// refusedKey says why a family refuses a key; empty when it does not.
func refusedKey(h *habits, c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < h.minRSA {
			return fmt.Sprintf("RSA with %d bits, and %d is the least taken", bits, h.minRSA)
		}
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < h.minEC {
			return fmt.Sprintf("an elliptic-curve key with %d bits, and %d is the least taken", bits, h.minEC)
		}
	case *dsa.PublicKey:
		return "a DSA key"
	}
	return ""
}

// refusedUsage says whether the extended key usage of c stands in the way.
func (e *examination) refusedUsage(h *habits, c *x509.Certificate) bool {
	if !e.refusesUsage(c) && h.anyUsage {
		return false
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return false
	}
	for _, u := range c.ExtKeyUsage {
		for _, want := range e.o.Usages {
			if u == want {
				return false
			}
		}
	}
	return true
}

// leafRefusals are a family's grounds against the server's certificate itself.
func (e *examination) leafRefusals(h *habits) (list []Because) {
	c := e.leaf.Certificate
	refuse := func(id FaultID, reason Reason, text string) {
		list = append(list, Because{id, reason, e.leaf.index, text})
	}
	if e.refusedUsage(h, c) || h.wantsUsage && e.forServers() && len(c.ExtKeyUsage) == 0 && c.NotBefore.After(appleRules) {
		refuse(WrongUsage, ReasonExtKeyUsage, "its extended key usage does not name "+usageName(e.o.Usages[0]))
	}
	const forTLS = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	if c.KeyUsage != 0 && (h.leafUsage == anyForTLS && c.KeyUsage&forTLS == 0 || h.leafUsage == signatureOnly && c.KeyUsage&x509.KeyUsageDigitalSignature == 0) {
		refuse(WrongUsage, ReasonKeyUsage, "its key usage does not allow what TLS does with the key")
	}
	if c.IsCA && !h.caLeaf {
		refuse(WrongUsage, ReasonCALeaf, "an authority is not taken for a server")
	}
	if e.o.Name != "" {
		list = append(list, e.nameRefusals(h)...)
	}
	if h.days825 && c.NotBefore.After(appleRules) && days(c) > 825 {
		refuse(ValidityTooLong, "", fmt.Sprintf("it is valid for %d days, and 825 are the most for any authority", days(c)))
	}
	if h.public && e.r.Public {
		if limit := baseline(c.NotBefore); limit > 0 && limit >= 398 && days(c) > limit && h.family != FamilyFirefox {
			refuse(ValidityTooLong, "", fmt.Sprintf("it is valid for %d days, and %d are the most for a public certificate of its day", days(c), limit))
		}
		for _, f := range e.r.Faults {
			if f.ID == SCTMissing {
				refuse(SCTMissing, f.Reason, f.Detail)
			}
		}
	}
	return list
}

// appleRules is the day from which Apple holds certificates of every authority to its rules.
var appleRules = time.Date(2019, 7, 1, 0, 0, 0, 0, time.UTC)

// constraintRefusals asks crypto/x509 about the name constraints of one path; all families read them alike.
func (e *examination) constraintRefusals(w walk, refuse func(FaultID, Reason, *x509.Certificate, string)) {
	for i, c := range w.certs[1:] {
		if !constrained(c) {
			continue
		}
		if err := e.constraintError(w.certs[0], w.certs[1:i+2]); err != nil {
			refuse(WrongUsage, ReasonNameConstraints, c, fmt.Sprintf("the name constraints of %s forbid a name of the certificate", Subject(c)))
		}
	}
	if r := w.a.root; r != nil && !w.a.self && constrained(r) && e.constraintError(w.certs[0], append(w.certs[1:len(w.certs):len(w.certs)], r)) != nil {
		refuse(WrongUsage, ReasonNameConstraints, r, fmt.Sprintf("the name constraints of the root %s forbid a name of the certificate", Subject(r)))
	}
}

// constrained says whether an authority has name constraints.
func constrained(c *x509.Certificate) bool {
	return len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+
		len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses)+len(c.PermittedURIDomains)+len(c.ExcludedURIDomains) > 0
}

// constraintError verifies the leaf below the last of above, taken for a root; other errors than that of constraints do not
// count.
func (e *examination) constraintError(leaf *x509.Certificate, above []*x509.Certificate) error {
	if known, ok := e.constraints[above[len(above)-1]]; ok {
		return known
	}
	if e.asked++; e.asked > maxAnchored {
		return nil
	}
	roots := x509.NewCertPool()
	top := *above[len(above)-1]
	top.UnhandledCriticalExtensions = nil
	top.NotBefore, top.NotAfter = e.o.Time.Add(-time.Hour), e.o.Time.Add(time.Hour)
	roots.AddCert(&top)
	_, err := e.verifyIn(roots, leaf, above[:len(above)-1])
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || invalid.Reason != x509.CANotAuthorizedForThisName && invalid.Reason != x509.TooManyConstraints {
		err = nil
	}
	e.constraints[above[len(above)-1]] = err
	return err
}

// whyUnanchored says why a path ends nowhere: what is wrong with the whole chain, or where another way would have led on.
func (e *examination) whyUnanchored(w walk) (list []Because) {
	for _, f := range e.r.Faults {
		either := f.ID == Malformed && (f.Reason == ReasonBadSignature || f.Reason == ReasonTooMany && f.Fatal)
		if either || f.ID == MissingIntermediate || f.ID == UntrustedRoot || f.ID == SelfSigned {
			list = append(list, Because{f.ID, f.Reason, f.Index, f.Detail})
		}
	}
	if c := e.trustedBelowRoot(w.certs); len(list) == 0 && c != nil {
		list = append(list, Because{UntrustedRoot, "", e.indexOf(c), fmt.Sprintf("the trusted %s is no self-signed root", Subject(c))})
	}
	if len(list) == 0 {
		f := e.stuck(w.certs, nil)
		if f.Reason == "" {
			f.Detail = "the path followed does not end at a root"
		}
		list = append(list, Because{f.ID, f.Reason, f.Index, f.Detail})
	}
	return list
}
