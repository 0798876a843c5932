package chain

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"
)

// judgeTimes reports what is expired, not yet valid or about to expire, of the certificates in the chain. A presented
// root is left out: clients have their own copy, and rootDue speaks of that.
func (e *examination) judgeTimes() {
	above := false // whether a path stands above the leaf; asked only when something is not valid
	asked := false
	holds := func() bool {
		if !asked {
			above, asked = e.holdsAbove(), true
		}
		return above
	}
	for _, c := range e.certs {
		if !c.inPath || c != e.leaf && c.self {
			continue
		}
		what := "the certificate"
		if c != e.leaf {
			what = fmt.Sprintf("certificate %d (the intermediate %s)", c.index, Subject(c.Certificate))
		}
		now := e.o.Time
		switch {
		case now.After(c.NotAfter):
			f := Fault{ID: Expired, Index: c.index, Fatal: true, Detail: fmt.Sprintf("%s expired on %s, %s ago", what, stamp(c.NotAfter), span(now.Sub(c.NotAfter)))}
			if c != e.leaf {
				f.ID, f.Fatal = IntermediateExpired, !holds()
				f.Detail += e.renewal(c)
			}
			e.add(f)
		case now.Before(c.NotBefore):
			e.add(Fault{ID: NotYetValid, Index: c.index, Fatal: c == e.leaf || !holds(), Detail: fmt.Sprintf(
				"%s becomes valid on %s, in %s: it was installed too early, or a clock is wrong", what, stamp(c.NotBefore), span(c.NotBefore.Sub(now)))})
		case e.o.ExpiringSoon > 0 && c.NotAfter.Sub(now) < e.o.ExpiringSoon:
			e.add(Fault{ID: ExpiringSoon, Index: c.index, Detail: fmt.Sprintf("%s expires on %s, in %s", what, stamp(c.NotAfter), span(c.NotAfter.Sub(now)))})
		}
	}
	if root := e.rootDue; root != nil && !holds() {
		f := Fault{ID: IntermediateExpired, Reason: ReasonExpiredRoot, Index: -1, Fatal: true, Detail: e.rootTimes(root)}
		if e.o.Time.Before(root.NotBefore) {
			f.ID, f.Reason = NotYetValid, ReasonFutureRoot
		}
		e.add(f)
	}
}

// rootTimes says when a trusted root is not valid, and whose it is: no certificate that the server could send helps.
func (e *examination) rootTimes(root *x509.Certificate) string {
	what := "the root " + Subject(root)
	if !bytes.Equal(root.RawSubject, root.RawIssuer) {
		what = "the authority " + Subject(root)
	}
	what += ", trusted by the store that the chain was checked against,"
	if e.o.Time.Before(root.NotBefore) {
		return fmt.Sprintf("%s becomes valid on %s, in %s", what, stamp(root.NotBefore), span(root.NotBefore.Sub(e.o.Time)))
	}
	return fmt.Sprintf("%s expired on %s, %s ago", what, stamp(root.NotAfter), span(e.o.Time.Sub(root.NotAfter)))
}

// renewal says which certificate takes the place of an authority's expired one, by what tells the two apart, since they have one name; or
// where it may be had: where something that it issued names a place.
func (e *examination) renewal(expired *cert) string {
	for _, c := range e.r.Right {
		if bytes.Equal(c.RawSubject, expired.RawSubject) && !bytes.Equal(c.Raw, expired.Raw) && e.validNow(c) {
			return fmt.Sprintf(" (serial %X); send the current one in its place: serial %X, valid until %s", expired.SerialNumber, c.SerialNumber, stamp(c.NotAfter))
		}
	}
	for _, c := range e.certs {
		if c != expired && c.inPath && len(c.IssuingCertificateURL) > 0 && e.links.signed(c.Certificate, expired.Certificate) {
			return fmt.Sprintf("; certificate %d says that it can be fetched anew from %s", c.index, clip(c.IssuingCertificateURL[0]))
		}
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// span is a length of time as a person says it.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

// ExpiresFirst is the earliest end of validity in the chain that counts: the leaf and what was presented above it,
// unparseable certificates aside; zero when nothing was presented.
func (r *Report) ExpiresFirst() time.Time {
	var first time.Time
	note := func(c *x509.Certificate) {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	if len(r.Verified) > 0 {
		for _, c := range r.Verified[0] {
			note(c)
		}
		return first
	}
	for _, c := range r.Presented {
		if c != nil {
			note(c)
		}
	}
	return first
}
