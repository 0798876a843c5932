package chain

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
)

// judgeOrder reports certificates that no path needs and certificates that come before what they certify.
//
// RFC 5246, Section 7.4.2: "Each following certificate MUST directly certify the one preceding it." RFC 8446, Section
// 4.4.2, softens it to SHOULD because cross-signed certificates stand side by side, and asks clients to bear disorder; so
// a certificate is in order when something that it certifies comes before it, and disorder above the leaf is not fatal.
func (e *examination) judgeOrder() {
	if e.leaf.index > 0 && e.r.Presented[0] != nil {
		e.add(Fault{ID: WrongOrder, Index: e.leaf.index, Fatal: true, Detail: fmt.Sprintf(
			"the server's certificate (%s) is certificate %d; clients take certificate 0 (%s, a CA) for it", Subject(e.leaf.Certificate), e.leaf.index, Subject(e.r.Presented[0]))})
	}
	for _, c := range e.certs {
		switch {
		case c == e.leaf || c.index < e.leaf.index:
			if c != e.leaf {
				e.judgeRootSent(c)
			}
		case !c.inPath && e.unseen > 0 && !e.r.Trusted: // what ties it to the leaf may be beyond the bound
		case !c.inPath:
			e.add(Fault{ID: Unrelated, Index: c.index, Detail: fmt.Sprintf("certificate %d (%s) has no part in the chain of %s%s", c.index, Subject(c.Certificate), Subject(e.leaf.Certificate), e.namesake(c))})
		case e.judgeRootSent(c) && !e.beforeItsChildren(c):
		case e.beforeItsChildren(c):
			e.add(Fault{ID: WrongOrder, Index: c.index, Detail: fmt.Sprintf("certificate %d (%s) comes before the certificate that it certifies", c.index, Subject(c.Certificate))})
		}
	}
}

// beforeItsChildren says whether everything that c certifies comes after c. What certifies nothing that was sent (its link is
// missing) is not out of order.
func (e *examination) beforeItsChildren(c *cert) bool {
	after := false
	for _, k := range e.certs {
		if k != c && k.inPath && e.links.signed(k.Certificate, c.Certificate) {
			if k.index < c.index {
				return false
			}
			after = true
		}
	}
	return after
}

// judgeRootSent reports a trusted root that was sent along. Clients have their own copy or none, so it is bytes for nothing
// (RFC 8446, Section 4.4.2, lets it be left out); where it is not trusted, UntrustedRoot says that it was sent.
func (e *examination) judgeRootSent(c *cert) bool {
	if !c.self || !slices.ContainsFunc(e.anchorsOf(e.stores[0], c.Certificate), func(a anchor) bool { return a.self }) {
		return false
	}
	e.add(Fault{ID: RootSent, Index: c.index, Detail: fmt.Sprintf("certificate %d (%s) is a trusted root: clients have it, and its %d bytes are sent for nothing", c.index, Subject(c.Certificate), len(c.Raw))})
	return true
}

// judgeLegacyPath reports where clients that never take a step back end up at a certificate that is expired or not trusted,
// while a path stands for those that look for another: OpenSSL 1.0 follows what was sent to its end, GnuTLS takes the first
// issuer of the name, OpenSSL the first that is valid.
func (e *examination) judgeLegacyPath() {
	if e.strict == nil || e.leaf.index > 0 {
		return
	}
	for _, g := range []greedy{{prefersValid: true}, {trustedFirst: true, partial: true}, {trustedFirst: true, prefersValid: true}} {
		path, a := e.follow(g)
		if f := e.stuck(path, a); f.Reason != "" {
			e.add(f)
			return
		}
	}
}

// stuck says what is in the way on a path; the fault has no reason where nothing is.
func (e *examination) stuck(path []*x509.Certificate, a *anchor) Fault {
	top := path[len(path)-1]
	f := Fault{ID: LegacyPath, Index: e.indexOf(top)}
	switch i := slices.IndexFunc(path, func(c *x509.Certificate) bool { return !e.validNow(c) }); {
	case i == 0:
		return f
	case i > 0:
		f.Reason, f.Index = ReasonExpiredCrossSign, e.indexOf(path[i])
		f.Detail = fmt.Sprintf("%s, issued by %s, is valid from %s to %s", Subject(path[i]), clip(path[i].Issuer.String()), stamp(path[i].NotBefore), stamp(path[i].NotAfter))
	case a == nil && e.trustedBelowRoot(path) != nil: // that is how the roots were chosen, and no fault of the chain
		return f
	case a == nil && slices.ContainsFunc(e.issuers(top), func(k *cert) bool { return !keyIDsFit(top, k.Certificate) }):
		f.Reason = ReasonKeyIDMismatch
		f.Detail = fmt.Sprintf("the authority key identifier of %s is not the subject key identifier of the certificate that signed it", Subject(top))
	case a == nil:
		f.Reason = ReasonUntrustedTop
		f.Detail = fmt.Sprintf("%s leads to %s, which is not trusted", Subject(top), clip(top.Issuer.String()))
	case a.root != nil && !a.self && !e.validNow(a.root):
		f.Reason = ReasonExpiredRoot
		f.Detail = fmt.Sprintf("%s leads to the root %s, which is valid from %s to %s", Subject(top), Subject(a.root), stamp(a.root.NotBefore), stamp(a.root.NotAfter))
	default:
		return f
	}
	f.Detail += ": clients that follow the chain and never go back refuse it; others find the way to a trusted root"
	return f
}

// trustedBelowRoot is a certificate of a path that is trusted itself and is no root.
func (e *examination) trustedBelowRoot(path []*x509.Certificate) *x509.Certificate {
	for _, c := range path {
		if !bytes.Equal(c.RawSubject, c.RawIssuer) && slices.ContainsFunc(e.anchorsOf(e.stores[0], c), func(a anchor) bool { return a.self }) {
			return c
		}
	}
	return nil
}
