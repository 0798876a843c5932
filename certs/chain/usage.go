package chain

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// judgeUsages reports certificates that are used for what they were not issued for.
func (e *examination) judgeUsages() {
	for _, c := range e.certs {
		if !c.inPath {
			continue
		}
		what := Subject(c.Certificate)
		if e.refusesUsage(c.Certificate) && !(c.self && c != e.leaf) {
			e.add(Fault{ID: WrongUsage, Reason: ReasonExtKeyUsage, Index: c.index, Fatal: !e.avoidable(c), Detail: fmt.Sprintf(
				"the extended key usage of %s allows %s, not %s", what, usageNames(c.Certificate), usageName(e.o.Usages[0]))})
		}
		if c != e.leaf {
			if !mayIssue(c.Certificate) {
				e.add(Fault{ID: WrongUsage, Reason: whyMayNotIssue(c.Certificate), Index: c.index, Fatal: !e.avoidable(c), Detail: fmt.Sprintf("%s signed a certificate of this chain, but is no certificate authority that may", what)})
			}
			continue
		}
		e.judgeLeafUsage(what)
	}
}

// judgeLeafUsage looks at the leaf's key usage, and at a CA that serves as a leaf.
func (e *examination) judgeLeafUsage(what string) {
	c := e.leaf
	const forTLS = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	_, ec := c.PublicKey.(*ecdsa.PublicKey)
	switch {
	case c.KeyUsage == 0: // not stated: everything is allowed
	case c.KeyUsage&forTLS == 0 && !c.self:
		e.add(Fault{ID: WrongUsage, Reason: ReasonKeyUsage, Index: c.index, Fatal: true, Detail: fmt.Sprintf("the key usage of %s allows neither digital signatures nor key encipherment, so no TLS handshake", what)})
	case c.KeyUsage&x509.KeyUsageDigitalSignature == 0 && !c.self:
		// RFC 8446, Section 4.4.2.2: "The digitalSignature bit MUST be set if the Key Usage extension is present". Chrome refuses
		// it for elliptic-curve keys; with RSA a TLS 1.2 key exchange without forward secrecy is still possible.
		e.add(Fault{ID: WrongUsage, Reason: ReasonKeyUsage, Index: c.index, Fatal: ec, Detail: fmt.Sprintf("the key usage of %s does not allow digital signatures, which TLS 1.3 and every ECDHE exchange need", what)})
	}
	if e.forServers() && !c.self && slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		e.add(Fault{ID: WrongUsage, Reason: ReasonExtKeyUsage, Index: c.index, Detail: fmt.Sprintf("the extended key usage of %s allows any usage without naming server authentication, which OpenSSL and Apple's systems want to be named", what)})
	}
	if c.IsCA && !c.self {
		e.add(Fault{ID: WrongUsage, Reason: ReasonCALeaf, Index: c.index, Detail: fmt.Sprintf("the server's certificate %s is a certificate authority: its key could issue certificates for any name", what)})
	}
}

// refusesUsage says whether an extended key usage is stated and holds none of the wanted ones (RFC 5280, Section 4.2.1.12).
func (e *examination) refusesUsage(c *x509.Certificate) bool {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(e.o.Usages, x509.ExtKeyUsageAny) {
		return false
	}
	return !slices.ContainsFunc(c.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageAny || slices.Contains(e.o.Usages, u)
	})
}

// mayIssue says whether a certificate may sign others (RFC 5280, Sections 4.2.1.3 and 4.2.1.9). A root of version 1 has no extensions
// to say so, and is asked for none.
func mayIssue(c *x509.Certificate) bool {
	if c.Version < 3 {
		return bytes.Equal(c.RawSubject, c.RawIssuer)
	}
	return c.BasicConstraintsValid && c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
}

// whyMayNotIssue is the reason for which mayIssue says no.
func whyMayNotIssue(c *x509.Certificate) Reason {
	switch {
	case c.Version < 3:
		return ReasonVersion1CA
	case c.BasicConstraintsValid && c.IsCA:
		return ReasonKeyUsage
	}
	return ReasonNotCA
}

// usageNames lists what an extended key usage allows.
func usageNames(c *x509.Certificate) string {
	var names []string
	for _, u := range c.ExtKeyUsage {
		names = append(names, usageName(u))
	}
	for _, oid := range c.UnknownExtKeyUsage {
		names = append(names, oid.String())
	}
	return clip(strings.Join(names[:min(len(names), maxNames)], ", "))
}

func usageName(u x509.ExtKeyUsage) string {
	switch u {
	case x509.ExtKeyUsageAny:
		return "any usage"
	case x509.ExtKeyUsageServerAuth:
		return "server authentication"
	case x509.ExtKeyUsageClientAuth:
		return "client authentication"
	case x509.ExtKeyUsageCodeSigning:
		return "code signing"
	case x509.ExtKeyUsageEmailProtection:
		return "e-mail protection"
	case x509.ExtKeyUsageTimeStamping:
		return "time stamping"
	case x509.ExtKeyUsageOCSPSigning:
		return "OCSP signing"
	}
	return fmt.Sprintf("usage %d", u)
}
