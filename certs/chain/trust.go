package chain

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// maxClimb is how many certificates of Options.Known may be put on top of what was presented.
const maxClimb = 8

// judgeTrust says why no path leads to a trusted root, if none does, and what the right chain is.
func (e *examination) judgeTrust() {
	if best := e.bestPath(); best != nil {
		e.r.Trusted = true
		e.r.Right = e.freshest(withoutRoot(best))
		return
	}
	if e.leaf.self {
		e.add(Fault{ID: SelfSigned, Index: e.leaf.index, Fatal: true, Detail: fmt.Sprintf(
			"the certificate (%s) is signed with its own key, by no authority, and is not itself trusted", Subject(e.leaf.Certificate))})
		return
	}
	tops, paths := e.climb()
	for i, top := range tops {
		if e.isAnchored(top.Certificate) {
			e.judgeBlocked(paths[i])
			return
		}
	}
	if len(tops) == 0 {
		e.add(Fault{ID: UntrustedRoot, Index: -1, Fatal: true, Detail: fmt.Sprintf("the authorities above %s certify each other, and none of them is trusted", Subject(e.leaf.Certificate))})
		return
	}
	e.judgeUnanchored(tops[0], paths[0])
}

// bestPath is the shortest verified path, nil when there is none.
func (e *examination) bestPath() []*x509.Certificate {
	paths := e.strict
	if paths == nil {
		paths = e.neutral
	}
	if len(paths) == 0 {
		return nil
	}
	return slices.MinFunc(paths, func(a, b []*x509.Certificate) int { return len(a) - len(b) })
}

// freshest is the right chain where every certificate of it is valid now, or one that is valid now with the help of
// Known, or else right itself.
func (e *examination) freshest(right []*x509.Certificate) []*x509.Certificate {
	if e.strict != nil || len(e.o.Known) == 0 || e.holdsAbove() {
		return right
	}
	k := *e.leaf.Certificate
	k.NotBefore, k.NotAfter = e.o.Time, e.o.Time
	p := pool(e.near())
	for _, c := range e.o.Known {
		if !tooLarge(c) {
			p.AddCert(c)
		}
	}
	paths, err := k.Verify(x509.VerifyOptions{Roots: e.o.Roots, Intermediates: p, CurrentTime: e.o.Time, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return right
	}
	best := slices.MinFunc(paths, func(a, b []*x509.Certificate) int { return len(a) - len(b) })
	best[0] = e.leaf.Certificate
	return withoutRoot(best)
}

// withoutRoot leaves a self-signed last certificate out, unless it is the only one.
func withoutRoot(path []*x509.Certificate) []*x509.Certificate {
	if last := path[len(path)-1]; len(path) > 1 && bytes.Equal(last.RawSubject, last.RawIssuer) {
		path = path[:len(path)-1]
	}
	return slices.Clone(path)
}

// climb follows issuers from the leaf and returns the certificates that a trusted root may stand above: those above which
// nothing was presented, and those that name a trusted root as their issuer; each with the path to it. Self-signed ones
// come first, then those with the longest path: they are where the chain was meant to end. There are none when
// authorities certify each other in a ring.
func (e *examination) climb() (tops []*cert, paths [][]*x509.Certificate) {
	before := map[*cert]*cert{e.leaf: nil}
	queue := []*cert{e.leaf}
	roots := e.roots().subjects()
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		above := e.issuers(c.Certificate)
		if c.self || len(above) == 0 || slices.ContainsFunc(roots, func(s []byte) bool { return bytes.Equal(s, c.RawIssuer) }) {
			tops = append(tops, c)
		}
		if c.self {
			continue
		}
		for _, k := range above {
			if _, seen := before[k]; !seen {
				before[k] = c
				queue = append(queue, k)
			}
		}
	}
	depth := func(c *cert) (n int) {
		for ; c != nil; c = before[c] {
			n++
		}
		return n
	}
	slices.SortStableFunc(tops, func(a, b *cert) int {
		if a.self != b.self {
			if a.self {
				return -1
			}
			return 1
		}
		return depth(b) - depth(a)
	})
	for _, top := range tops[:min(len(tops), maxClimb)] {
		var path []*x509.Certificate
		for c := top; c != nil; c = before[c] {
			path = append(path, c.Certificate)
		}
		slices.Reverse(path)
		paths = append(paths, path)
	}
	return tops[:len(paths)], paths
}

// isAnchored says whether c is a trusted root or was issued by one. crypto/x509 verifies no SHA-1 signature, and not every kind
// of RSA-PSS; for such a certificate a trusted root of the issuer's name is enough, and the signature is what is reported.
func (e *examination) isAnchored(c *x509.Certificate) bool {
	if tooLarge(c) {
		return false
	}
	if _, err := e.verifyNeutral(c, nil); err == nil {
		return true
	}
	return unverifiable(c) && e.roots().named(c.RawIssuer)
}

// judgeBlocked reports why a path that ends at a trusted root is refused all the same. Weak signatures, certificates that
// are no CA and unusable keys are reported where those are judged.
func (e *examination) judgeBlocked(path []*x509.Certificate) {
	e.r.Right = withoutRoot(path)
	weak := false
	for i, c := range path {
		weak = weak || unverifiable(c) || i > 0 && foreignCurve(c) != "" // what it signed is checked by nobody here
		if tooLarge(c) || i > 0 && !mayIssue(c) {
			return
		}
	}
	if weak {
		e.r.Trusted = true
		return
	}
	if cost := 0; slices.ContainsFunc(path, func(c *x509.Certificate) bool { cost += checkCost(c); return cost > maxPathWork }) {
		e.add(Fault{ID: UntrustedRoot, Index: -1, Fatal: true, Detail: fmt.Sprintf("the path to a trusted root has %d certificates, more than clients verify", len(path))})
		return
	}
	// Where several paths were tried the error may be another's; this path alone tells its own.
	_, err := e.verifyNeutral(path[0], path[1:])
	if err == nil { // among all that was presented it was beyond a bound
		e.r.Trusted = true
		e.verifyAlong(path)
		return
	}
	detail := clip(err.Error())
	var invalid x509.CertificateInvalidError
	var critical x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &critical):
		if !slices.ContainsFunc(path, func(c *x509.Certificate) bool { return len(c.UnhandledCriticalExtensions) > 0 }) {
			e.add(Fault{ID: Malformed, Reason: ReasonCriticalExtension, Index: -1, Fatal: true, Detail: "a critical extension of the trusted root is not understood, so it must be refused (RFC 5280, Section 4.2)"})
		}
	case errors.As(err, &invalid):
		e.add(Fault{ID: WrongUsage, Reason: invalidReason(invalid.Reason), Index: e.indexOf(invalid.Cert), Fatal: true, Detail: "an authority in the chain is not allowed to issue this: " + detail})
	default:
		e.add(Fault{ID: UntrustedRoot, Index: -1, Fatal: true, Detail: "the path to a trusted root is refused: " + detail})
	}
}

// invalidReason is crypto/x509's reason in our words.
func invalidReason(r x509.InvalidReason) Reason {
	switch r {
	case x509.TooManyIntermediates:
		return ReasonPathLength
	case x509.CANotAuthorizedForThisName, x509.TooManyConstraints, x509.UnconstrainedName, x509.NameConstraintsWithoutSANs, x509.CANotAuthorizedForExtKeyUsage:
		return ReasonNameConstraints
	case x509.NotAuthorizedToSign:
		return ReasonNotCA
	}
	return ""
}

// indexOf is the place of c among what was presented, -1 when it is not there.
func (e *examination) indexOf(c *x509.Certificate) int {
	for _, k := range e.certs {
		if c != nil && bytes.Equal(k.Raw, c.Raw) {
			return k.index
		}
	}
	return -1
}

// judgeUnanchored decides between a missing intermediate and an untrusted root for a path at whose top nothing trusted
// stands.
func (e *examination) judgeUnanchored(top *cert, path []*x509.Certificate) {
	if tooLarge(top.Certificate) {
		return // reported as an unusable key; whether something above it is trusted cannot be checked
	}
	if top.self {
		e.r.Right = withoutRoot(path)
		e.add(Fault{ID: UntrustedRoot, Index: top.index, Fatal: true, Detail: fmt.Sprintf("the chain ends at the root %s, which was sent along but is not among the trusted roots", Subject(top.Certificate))})
		return
	}
	if e.judgeSignature(top) {
		return
	}
	issuer := clip(top.Issuer.String())
	if e.unseen > 0 {
		e.add(Fault{ID: Malformed, Reason: ReasonTooMany, Index: top.index, Fatal: true, Detail: fmt.Sprintf(
			"certificate %d (%s) was issued by %s, which is not among the certificates looked at: whether it is among the other %d is not known", top.index, Subject(top.Certificate), issuer, e.unseen)})
		return
	}
	if e.judgeWithKnown(top, path) {
		return
	}
	missing, sure, why := e.issuerIsIntermediate(top)
	other := e.impostor(top)
	f := Fault{ID: UntrustedRoot, Index: top.index, Fatal: true, Missing: issuer}
	if missing {
		f.ID = MissingIntermediate
	} else {
		e.r.Right = slices.Clone(path)
	}
	below := fmt.Sprintf("certificate %d (%s) was issued by %s", top.index, Subject(top.Certificate), issuer)
	switch {
	case other != nil:
		f.Reason, f.Detail = ReasonAnotherKey, below+", "+otherKey(top, other)
	case !sure:
		f.Reason, f.Detail = ReasonUnknownIssuer, below+", which is not known here: either it is an intermediate that was not sent, or it is a root that is not trusted here ("+why+")"
	case missing:
		f.Detail = fmt.Sprintf("%s, which was not sent and is no trusted root (%s)", below, why)
	default:
		f.Detail = fmt.Sprintf("the chain leads to %s, which is not among the trusted roots (%s)", issuer, why)
	}
	e.add(f)
}

// judgeSignature reports a certificate whose signature was damaged, or which was altered afterwards: what has the name and the key
// identifier of its issuer is there, sent along or known, and the signature is not of that key. No other issuer can mend it.
func (e *examination) judgeSignature(top *cert) bool {
	if len(top.AuthorityKeyId) == 0 || len(e.issuers(top.Certificate)) > 0 {
		return false
	}
	names := func(k *x509.Certificate) bool {
		return k != nil && bytes.Equal(k.RawSubject, top.RawIssuer) && bytes.Equal(k.SubjectKeyId, top.AuthorityKeyId) && verifies(k)
	}
	// What else has the identifier and did sign is the issuer; the identifier is then wrong in the other one.
	if slices.ContainsFunc(e.o.Known, func(k *x509.Certificate) bool { return names(k) && e.links.signed(top.Certificate, k) }) {
		return false
	}
	f := Fault{ID: Malformed, Reason: ReasonBadSignature, Index: top.index, Fatal: true}
	which := fmt.Sprintf("the signature of certificate %d (%s) does not verify with the key of ", top.index, Subject(top.Certificate))
	const so = ": the certificate was damaged or altered after it was issued"
	for _, k := range e.certs {
		if !names(k.Certificate) {
			continue
		}
		e.reach(k) // it is what it says, and in its place
		if f.Detail = which + fmt.Sprintf("certificate %d (%s), which is its issuer by name and key identifier (%s)", k.index, Subject(k.Certificate), keyID(k.SubjectKeyId)) + so; k == top {
			f.Detail = which + "its own, by which it says that it is signed" + so
		}
		e.add(f)
		return true
	}
	if i := slices.IndexFunc(e.o.Known, names); i >= 0 {
		f.Detail = which + fmt.Sprintf("%s, which is its issuer by name and key identifier (%s)", Subject(e.o.Known[i]), keyID(top.AuthorityKeyId)) + so
		e.add(f)
		return true
	}
	return false
}

// verifies says whether signatures can be checked with a certificate's key here. crypto/rsa takes no key below 1024 bits.
func verifies(c *x509.Certificate) bool {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 1024 && key.N.BitLen() <= MaxRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// judgeWithKnown settles the question for certain when certificates in Options.Known continue the path. Those that are
// passed through are missing from what was presented; a self-signed one at the end that is not trusted is an untrusted root.
func (e *examination) judgeWithKnown(top *cert, path []*x509.Certificate) bool {
	at := top.Certificate
	var lacking []*x509.Certificate
	var root *x509.Certificate
	trusted := false
	for range maxClimb {
		i := slices.IndexFunc(e.o.Known, func(k *x509.Certificate) bool {
			return k != nil && e.links.signed(at, k) && !slices.Contains(lacking, k)
		})
		if i < 0 {
			break
		}
		at = e.o.Known[i]
		if bytes.Equal(at.RawSubject, at.RawIssuer) {
			root = at
			break
		}
		lacking = append(lacking, at)
		if trusted = e.isAnchored(at); trusted {
			break
		}
	}
	if root == nil && len(lacking) == 0 {
		return false
	}
	right := slices.Concat(path, lacking)
	if trusted || root != nil {
		e.r.Right = right
	}
	for _, c := range e.certs { // what was sent from further up is no stranger to this chain
		if !c.inPath && slices.ContainsFunc(right, func(k *x509.Certificate) bool { return e.links.signed(k, c.Certificate) }) {
			c.inPath, c.self = true, bytes.Equal(c.RawSubject, c.RawIssuer) && e.links.signed(c.Certificate, c.Certificate)
		}
	}
	if len(lacking) > 0 {
		absent, reason := "which was not sent", Reason("")
		if other := e.impostor(top); other != nil {
			absent, reason = otherKey(top, other), ReasonAnotherKey
		}
		e.add(Fault{ID: MissingIntermediate, Reason: reason, Index: top.index, Fatal: true, Missing: clip(top.Issuer.String()), Detail: fmt.Sprintf(
			"certificate %d (%s) was issued by %s, %s; the issuer is known, and %s to be added to the chain",
			top.index, Subject(top.Certificate), clip(top.Issuer.String()), absent, named(len(lacking), "certificate has", "certificates have"))})
	}
	if root != nil && !trusted {
		e.add(Fault{ID: UntrustedRoot, Index: top.index, Fatal: true, Detail: fmt.Sprintf("the chain leads to the root %s, which is known but not among the trusted roots", Subject(root))})
	}
	return true
}
