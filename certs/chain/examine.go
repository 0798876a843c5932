package chain

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// defaultExpiringSoon is the remaining life below which ExpiringSoon is reported when Options does not say.
const defaultExpiringSoon = 30 * 24 * time.Hour

// Examine takes the presented chain apart: DER certificates as they came, the server's own first. It never fails: what
// cannot be parsed is a fault like any other. The cost is bounded whatever is presented (see the Max constants).
//
// Each kind of fault is judged on its own, so that an expired leaf does not hide a missing intermediate: trust is
// established with times and names left aside, and these are checked beside it. The cause is named once: a chain that
// lacks an intermediate is not also reported as untrusted, nor is a self-signed certificate.
func Examine(presented [][]byte, o Options) *Report {
	e := &examination{o: o, r: &Report{Raw: presented}, constraints: map[*x509.Certificate]error{}, more: map[FaultID]int{}}
	if len(e.o.Usages) == 0 {
		e.o.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if e.o.ExpiringSoon == 0 {
		e.o.ExpiringSoon = defaultExpiringSoon
	}
	e.parse()
	if len(e.certs) > 0 {
		e.verify()
		e.link()
		e.openStores()
		e.judgeTrust()
		e.findPaths()
		e.readTransparency()
		e.r.Public = e.isPublic()
		e.judgeOrder()
		e.judgeTimes()
		e.judgeName()
		e.judgeAlternativeNames()
		e.judgeKeys()
		e.judgeForms()
		e.judgeUsages()
		e.judgeValidity()
		e.judgeTransparency()
		e.judgeLegacyPath()
		e.measure()
	}
	return e.finish()
}

// examination is one call of Examine.
type examination struct {
	o Options
	r *Report

	certs []*cert // the presented certificates that can be judged, in the order sent, without duplicates
	leaf  *cert   // the server's certificate: normally certs[0]
	links *linker

	strict   [][]*x509.Certificate // paths that hold now, names aside
	neutral  [][]*x509.Certificate // paths with times, names and usages aside; set when strict is empty
	strictE  error                 // why strict is empty
	neutralE error                 // why neutral is empty
	rootDue  *x509.Certificate     // the trusted root whose own time is over or not yet come

	stores      []*store        // Options.Roots first
	asked       int             // of maxAnchored
	unparsed    int             // certificates that crypto/x509 does not parse
	unseen      int             // certificates beyond a bound
	more        map[FaultID]int // faults that are counted only
	constraints map[*x509.Certificate]error
}

// cert is one presented certificate.
type cert struct {
	*x509.Certificate
	index  int
	inPath bool // reached from the leaf over issuers
	self   bool // issued and signed by itself

	tolerated bool // crypto/x509 refuses to parse it (parseTolerant)
}

// add notes a fault. Beyond maxFaults a fatal one takes the place of one that is not: a hundred strangers in the chain must
// not hide what is wrong with it.
//
// Of faults of one kind that are not fatal the first few are told and the others counted: what else is wrong must find its place.
func (e *examination) add(f Fault) {
	if !f.Fatal {
		alike := 0
		for i := range e.r.Faults {
			if k := &e.r.Faults[i]; k.ID == f.ID && !k.Fatal {
				alike++
			}
		}
		if alike >= maxAlike {
			e.more[f.ID]++
			return
		}
	}
	if len(e.r.Faults) < maxFaults {
		e.r.Faults = append(e.r.Faults, f)
		return
	}
	if !f.Fatal {
		return
	}
	for i := len(e.r.Faults) - 1; i >= 0; i-- {
		if !e.r.Faults[i].Fatal {
			e.r.Faults[i] = f
			return
		}
	}
}

// parse fills Report.Presented and the certificates to judge.
func (e *examination) parse() {
	r := e.r
	r.Presented = make([]*x509.Certificate, len(r.Raw))
	if len(r.Raw) == 0 {
		e.add(Fault{ID: Malformed, Reason: ReasonUnparseable, Index: -1, Fatal: true, Detail: "no certificate was presented"})
		r.Err = errors.New("chain: no certificate was presented")
		return
	}
	sent, looked, total := max(e.o.Sent, len(r.Raw)), 0, 0
	for i, der := range r.Raw {
		if total += len(der); i >= MaxCertificates || total > MaxBytes {
			break
		}
		looked++
		c, err := x509.ParseCertificate(der)
		tolerated := false
		if err != nil {
			if k := parseForeignCurve(der); k != nil {
				c, err = k, nil
			}
		}
		if err != nil {
			if r.Err == nil {
				r.Err = err
			}
			if c = e.judgeUnparsed(i, der, err); c == nil {
				continue
			}
			tolerated = true
		}
		adoptKey(c)
		if !tolerated {
			r.Presented[i] = c
		}
		if j := slices.IndexFunc(e.certs, func(k *cert) bool { return bytes.Equal(k.Raw, der) }); j >= 0 {
			e.add(Fault{ID: Unrelated, Reason: ReasonDuplicateSent, Index: i, Detail: fmt.Sprintf("certificate %d (%s) is sent twice: it is certificate %d already", i, Subject(c), e.certs[j].index)})
			continue
		}
		e.certs = append(e.certs, &cert{Certificate: c, index: i, tolerated: tolerated})
	}
	if looked < sent {
		e.unseen = sent - looked
		e.add(Fault{ID: Malformed, Reason: ReasonTooMany, Index: -1, Fatal: total > MaxBytes, Detail: fmt.Sprintf(
			"%d certificates were presented; only the first %d were looked at (limits: %d certificates, %d bytes)", sent, looked, MaxCertificates, MaxBytes)})
	}
	if more := e.unparsed - maxUnparsed; more > 0 {
		e.add(Fault{ID: Malformed, Reason: ReasonTooMany, Index: -1, Detail: fmt.Sprintf("%d more certificates are as broken", more)})
	}
	e.leaf = e.findLeaf()
}

// judgeUnparsed reports what crypto/x509 does not parse, and returns it all the same where other clients do.
func (e *examination) judgeUnparsed(i int, der []byte, err error) *x509.Certificate {
	which := fmt.Sprintf("certificate %d", i)
	c, reasons := parseTolerant(der)
	if e.unparsed++; e.unparsed > maxUnparsed {
		return c
	}
	for _, reason := range reasons {
		f := Fault{ID: Malformed, Reason: reason, Index: i, Fatal: true, Detail: fmt.Sprintf("the alternative names of %s (%s) cannot be parsed: %s; clients built with Go refuse it", which, Subject(c), clip(err.Error()))}
		if reason == ReasonNegativeSerial {
			f.ID, f.Detail = BadSerial, fmt.Sprintf("the serial number of %s (%s) is negative; it must be positive (RFC 5280, Section 4.1.2.2), and clients built with Go refuse it", which, Subject(c))
		}
		e.add(f)
	}
	if c != nil {
		return c
	}
	if what := whatIsIt(der); what != "" {
		e.add(Fault{ID: Malformed, Reason: ReasonNotACertificate, Index: i, Fatal: true, Detail: fmt.Sprintf("%s (%d bytes) is no certificate but %s", which, len(der), what)})
		return nil
	}
	e.add(Fault{ID: Malformed, Reason: ReasonUnparseable, Index: i, Fatal: true, Detail: fmt.Sprintf("%s (%d bytes) cannot be parsed: %s", which, len(der), clip(err.Error()))})
	return nil
}

// findLeaf is the certificate meant to be the server's: the first one, unless that is a CA and a certificate that is none comes later.
// Clients take the first whatever it is (RFC 8446, Section 4.4.2: "The sender's certificate MUST come in the first
// CertificateEntry in the list"), so judgeOrder reports the other case.
func (e *examination) findLeaf() *cert {
	if len(e.certs) == 0 {
		return nil
	}
	first := e.certs[0]
	if !first.IsCA || e.r.Presented[0] == nil || first.index > 0 {
		return first
	}
	var other *cert
	for _, c := range e.certs[1:] {
		if c.IsCA {
			continue
		}
		if e.o.Name == "" || c.VerifyHostname(e.o.Name) == nil {
			return c
		}
		if other == nil {
			other = c
		}
	}
	if other != nil && (e.o.Name == "" || first.VerifyHostname(e.o.Name) != nil) {
		return other
	}
	return first
}

// finish sorts the faults and draws the conclusions.
func (e *examination) finish() *Report {
	r := e.r
	r.Err = bounded(r.Err)
	fatal := func(f Fault) bool { return f.Fatal }
	if r.Err != nil && !slices.ContainsFunc(r.Faults, fatal) { // never kinder than the library that clients use
		e.add(Fault{ID: UntrustedRoot, Index: -1, Fatal: true, Detail: "crypto/x509 refuses the chain: " + clip(r.Err.Error())})
	}
	for id, more := range e.more {
		for i := len(r.Faults) - 1; i >= 0; i-- {
			if f := &r.Faults[i]; f.ID == id && !f.Fatal {
				f.Detail += fmt.Sprintf("; and %d more of this kind", more)
				break
			}
		}
	}
	slices.SortStableFunc(r.Faults, func(a, b Fault) int {
		if a.Fatal != b.Fatal {
			if a.Fatal {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(rank(a.ID), rank(b.ID)), cmp.Compare(a.Index, b.Index))
	})
	r.Valid = !slices.ContainsFunc(r.Faults, fatal)
	if e.leaf != nil {
		e.verdicts()
	}
	return r
}

// rank orders faults of the same weight: what is wrong with the whole chain first, then what a new certificate would cure.
func rank(id FaultID) int {
	return slices.Index([]FaultID{Malformed, SelfSigned, MissingIntermediate, UntrustedRoot, Expired, NotYetValid, IntermediateExpired, NameMismatch, WrongUsage,
		WeakKey, WeakSignature, UncommonAlgorithm, BadSerial, BadName, CommonNameOnly, ValidityTooLong, SCTMissing, SCTInvalid, MissingKeyID, WrongOrder, LegacyPath, Unrelated, RootSent,
		TooLarge, ExpiringSoon}, id)
}

// Subject is what to call a certificate in a sentence: its common name, or its whole subject, or its first alternative
// name, bounded in length. It is the stranger's text: escape it before it reaches a terminal or a page.
func Subject(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return clip(c.Subject.CommonName)
	case len(c.Subject.Names) > 0:
		return clip(c.Subject.String())
	case len(c.DNSNames) > 0:
		return clip(c.DNSNames[0])
	case len(c.IPAddresses) > 0:
		return c.IPAddresses[0].String()
	}
	return "without a subject"
}

// clip bounds a stranger's string.
func clip(s string) string {
	if len(s) <= maxTextBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxTextBytes], "") + "…"
}

// isIP says whether the name asked for is an address, also in brackets.
func isIP(name string) bool {
	return net.ParseIP(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")) != nil
}
