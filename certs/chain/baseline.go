package chain

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"
)

// baseline is the longest validity, in days, of a public server certificate issued at a time: CA/Browser Forum, Baseline
// Requirements, Section 6.3.2, and the ballots before it (60 and 39 months are counted in their longest form). 0: no rule yet.
func baseline(issued time.Time) int {
	for _, step := range []struct {
		y    int
		m    time.Month
		d    int
		days int
	}{
		{2029, time.March, 15, 47}, // ballot SC-081
		{2027, time.March, 15, 100},
		{2026, time.March, 15, 200},
		{2020, time.September, 1, 398}, // ballot SC-31
		{2018, time.March, 1, 825},     // ballot 193
		{2015, time.April, 1, 1188},
		{2012, time.July, 1, 1827},
	} {
		if !issued.Before(time.Date(step.y, step.m, step.d, 0, 0, 0, 0, time.UTC)) {
			return step.days
		}
	}
	return 0
}

// days is a certificate's validity as the Baseline Requirements count it: both ends belong to it, and each begun day counts.
func days(c *x509.Certificate) int {
	const day = 24 * time.Hour
	life := c.NotAfter.Sub(c.NotBefore) + time.Second
	return int((life + day - 1) / day)
}

// oidBaseline begins the policies by which a certificate says that it keeps the Forum's requirements (2.23.140.1).
var oidBaseline = asn1.ObjectIdentifier{2, 23, 140, 1}

// isPublic says whether the rules for public certificates apply: a path ends in a store of public roots, or the leaf says so
// by a policy of the CA/Browser Forum or by embedded timestamps.
func (e *examination) isPublic() bool {
	if slices.ContainsFunc(e.r.Paths, func(p Path) bool { return p.public }) {
		return true
	}
	if slices.ContainsFunc(e.r.SCTs, func(s SCT) bool { return s.Source == SCTEmbedded }) {
		return true
	}
	return slices.ContainsFunc(e.leaf.PolicyIdentifiers, func(p asn1.ObjectIdentifier) bool {
		return len(p) > len(oidBaseline) && p[:len(oidBaseline)].Equal(oidBaseline)
	})
}

// judgeValidity reports a public certificate that is valid for longer than the rules of its day allowed.
func (e *examination) judgeValidity() {
	c := e.leaf.Certificate
	limit := baseline(c.NotBefore)
	if !e.r.Public || !e.forServers() || limit == 0 || days(c) <= limit {
		return
	}
	e.add(Fault{ID: ValidityTooLong, Index: e.leaf.index, Detail: fmt.Sprintf(
		"the certificate is valid for %d days; public ones issued on %s may be for %d at most (Baseline Requirements, Section 6.3.2)", days(c), c.NotBefore.UTC().Format(time.DateOnly), limit)})
}

// forServers says whether server certificates are asked for.
func (e *examination) forServers() bool {
	return slices.Contains(e.o.Usages, x509.ExtKeyUsageServerAuth)
}

// judgeForms reports critical extensions, serial numbers and key identifiers that RFC 5280 does not allow, of the certificates in the chain.
func (e *examination) judgeForms() {
	for _, c := range e.certs {
		if !c.inPath || c.self && c != e.leaf {
			continue
		}
		what := Subject(c.Certificate)
		if n := len(c.UnhandledCriticalExtensions); n > 0 {
			e.add(Fault{ID: Malformed, Reason: ReasonCriticalExtension, Index: c.index, Fatal: !e.avoidable(c), Detail: fmt.Sprintf(
				"%s has a critical extension that is not understood (%s), so it must be refused (RFC 5280, Section 4.2)", what, clip(c.UnhandledCriticalExtensions[0].String()))})
		}
		switch n := c.SerialNumber; {
		case n.Sign() < 0: // reported where it was parsed
		case n.Sign() == 0:
			e.add(Fault{ID: BadSerial, Reason: ReasonZeroSerial, Index: c.index, Detail: fmt.Sprintf("the serial number of %s is zero; it must be positive (RFC 5280, Section 4.1.2.2)", what)})
		case n.BitLen() > 159: // a leading zero octet counts
			e.add(Fault{ID: BadSerial, Reason: ReasonLongSerial, Index: c.index, Detail: fmt.Sprintf("the serial number of %s has %d octets; 20 are the most (RFC 5280, Section 4.1.2.2)", what, n.BitLen()/8+1)})
		}
		if c.Version < 3 || c.self {
			continue
		}
		lacks := ""
		if len(c.AuthorityKeyId) == 0 {
			lacks = "authority key identifier"
		}
		if len(c.SubjectKeyId) == 0 && c != e.leaf && c.IsCA {
			if lacks != "" {
				lacks += " and no "
			}
			lacks += "subject key identifier"
		}
		if lacks != "" {
			e.add(Fault{ID: MissingKeyID, Index: c.index, Detail: fmt.Sprintf("%s has no %s (RFC 5280, Sections 4.2.1.1 and 4.2.1.2): strict clients, Python from 3.13 among them, refuse it", what, lacks)})
		}
	}
}
