package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
)

// chainEvidence is the examined chain of the server that matters: the backend's, or where there is no backend leg, the one
// that the client saw.
type chainEvidence struct {
	leg    string
	view   view
	name   string // it was checked against; empty: none was
	faults []chain.Fault
	whole  bool     // all bytes of it are there
	right  []string // subjects of the chain to send instead, where there is a better one

	mustStaple bool // the leaf asks for a stapled OCSP response
	responder  bool // the leaf names an OCSP responder

	words map[chain.FaultID]faultWords // of the faults, where they were worked out before
	maker string                       // whose default certificate the leaf is; empty: nobody's
}

// fault returns the first fault with an id.
func (c *chainEvidence) fault(id chain.FaultID) *chain.Fault {
	for i := range c.faults {
		if c.faults[i].ID == id {
			return &c.faults[i]
		}
	}
	return nil
}

// leaf is the presented leaf; nil without one.
func (c *chainEvidence) leaf() *inspect.Certificate {
	if len(c.view.server.CertificateChain) == 0 {
		return nil
	}
	return &c.view.server.CertificateChain[0]
}

// aboutTrust reports whether a fault says that no path leads to a root, which depends on whose roots one has.
func aboutTrust(id chain.FaultID) bool {
	return id == chain.UntrustedRoot || id == chain.SelfSigned || id == chain.MissingIntermediate
}

// examine takes apart the chain that e's connection saw, and says so in the record where the eye left that open.
func (d *Diagnoser) examine(e *evidence) chainEvidence {
	c := chainEvidence{leg: inspect.LegBackend, view: e.backend}
	if len(e.backend.server.CertificateChain) == 0 {
		if !e.foreign() {
			return c
		}
		c.leg, c.view = inspect.LegClient, e.client
	}
	presented := c.view.server.CertificateChain
	if len(presented) == 0 {
		return c
	}
	c.name = c.view.hello.ServerName
	if c.view.leg.ServerName != "" {
		c.name = c.view.leg.ServerName
	}
	raw := e.raw[:0]
	for i := range presented {
		if len(presented[i].Raw) == 0 {
			break
		}
		raw = append(raw, presented[i].Raw)
	}
	e.raw = raw
	if c.whole = len(raw) == len(presented); c.whole {
		r := d.chains.examine(presented, raw, chain.Options{
			Name: c.name, Roots: d.Roots, Time: e.now, Known: d.KnownCAs, ExpiringSoon: d.soon(&presented[0]),
			SCTs: c.timestamps(), OCSPResponse: c.staple(), Logs: d.Logs,
			Sent: c.view.server.CertificatesSent,
		})
		c.faults, c.right, c.mustStaple, c.responder, c.maker, c.words = r.faults, r.right, r.mustStaple, r.responder, r.maker, r.words
		if c.fault(chain.SCTMissing) != nil && !c.sawTimestamps() {
			c.faults = slices.DeleteFunc(slices.Clone(c.faults), func(f chain.Fault) bool { return f.ID == chain.SCTMissing })
		}
	} else {
		c.faults, c.maker = readFaults(presented, c.name, e.now, d.soon(&presented[0])), defaultCertificate(&presented[0])
	}
	v := c.view.server.Validation
	if v != nil && v.Status == inspect.ValidationValid {
		c.faults, c.words = trusting(c.faults), nil
	}
	// A verdict in a recording may be that of other roots than today's; with the bytes at hand, and unless the connection ended
	// over it, it is made anew.
	again := v != nil && v.Status == inspect.ValidationInvalid && len(raw) == len(presented) && !c.view.is(inspect.ErrorCertificate)
	if v == nil || v.Status == inspect.ValidationNotChecked || again {
		c.view.server.Validation = validation(c.faults, len(raw) == len(presented), v)
	}
	return c
}

// Bounds on what is handed on beside the chain: a recording may hold anything.
const (
	maxTimestamps = 32
	maxStaple     = 64 << 10
)

// timestamps are the signed certificate timestamps that came in the handshake.
func (c *chainEvidence) timestamps() [][]byte {
	list := c.view.server.SCTList
	return list[:min(len(list), maxTimestamps)]
}

// staple is the stapled OCSP response; nil where none came or its bytes are not in the record.
func (c *chainEvidence) staple() []byte {
	if s := c.view.server.OCSP; s != nil && len(s.Raw) <= maxStaple {
		return s.Raw
	}
	return nil
}

// sawTimestamps reports whether timestamps of the handshake would be in the record had there been any: the client must have asked
// for them, and what came must have been kept.
func (c *chainEvidence) sawTimestamps() bool {
	s := c.view.server
	return s.SCTs <= len(s.SCTList) && (s.OCSP == nil || !s.OCSP.Stapled || len(s.OCSP.Raw) > 0) && c.couldAnswer("signed_certificate_timestamp")
}

// couldAnswer reports whether the server could answer an extension: the client sent it, and the certificates are of this handshake.
// A hello whose extensions are not in the record is taken for one that has it, where it is this program's own.
func (c *chainEvidence) couldAnswer(extension string) bool {
	sent := c.view.hello.Extensions
	if c.view.tls.Resumed || len(sent) == 0 && c.leg == inspect.LegClient {
		return false
	}
	return len(sent) == 0 || slices.Contains(sent, extension)
}

// validation is what the record says when the eye did not check. Without the certificates' bytes only faults can be told.
func validation(faults []chain.Fault, whole bool, was *inspect.Validation) *inspect.Validation {
	for _, f := range faults {
		if f.Fatal {
			return &inspect.Validation{Status: inspect.ValidationInvalid, Error: string(f.ID) + ": " + bound(f.Detail)}
		}
	}
	if !whole {
		return was
	}
	return &inspect.Validation{Status: inspect.ValidationValid}
}

// trusting drops what the eye, which verified with roots of its own, knows better.
func trusting(faults []chain.Fault) []chain.Fault {
	var kept []chain.Fault
	for _, f := range faults {
		if !(f.Fatal && aboutTrust(f.ID)) {
			kept = append(kept, f)
		}
	}
	return kept
}

// month is what is left of a certificate's life when one that lives long should have been renewed.
const month = 30 * 24 * time.Hour

// soon is the remaining life below which a leaf is reported. Of lives shorter than three months (those of public certificates are cut
// year by year: CA/Browser Forum, Baseline Requirements, Section 6.3.2) a month is no small part: these are renewed with a third left.
func (d *Diagnoser) soon(leaf *inspect.Certificate) time.Duration {
	if d.ExpiringSoon != 0 {
		return d.ExpiringSoon
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 0 {
		return min(month, life/3)
	}
	return month
}

// readFaults finds what can be told of a chain whose bytes were not recorded, from its fields.
func readFaults(presented []inspect.Certificate, name string, now time.Time, soon time.Duration) []chain.Fault {
	var faults []chain.Fault
	for i := range presented {
		if i == 10 {
			break
		}
		x := &presented[i]
		if x.Error != "" {
			faults = append(faults, chain.Fault{ID: chain.Malformed, Index: i, Fatal: i == 0, Detail: "certificate " + fmt.Sprint(i) + ": " + bound(x.Error)})
			continue
		}
		if x.NotAfter.IsZero() {
			continue
		}
		switch {
		case now.After(x.NotAfter):
			id := chain.Expired
			if i > 0 {
				id = chain.IntermediateExpired
			}
			faults = append(faults, chain.Fault{ID: id, Index: i, Fatal: i == 0, Detail: fmt.Sprintf("%s expired on %s", calledWhat(x), day(x.NotAfter))})
		case now.Before(x.NotBefore):
			faults = append(faults, chain.Fault{ID: chain.NotYetValid, Index: i, Fatal: i == 0, Detail: fmt.Sprintf("%s is valid from %s", calledWhat(x), day(x.NotBefore))})
		case i == 0 && soon > 0 && x.NotAfter.Sub(now) < soon:
			faults = append(faults, chain.Fault{ID: chain.ExpiringSoon, Detail: fmt.Sprintf("%s expires on %s", calledWhat(x), day(x.NotAfter))})
		}
	}
	leaf := &presented[0]
	if name != "" && leaf.Error == "" && len(leaf.AlternativeNames) > 0 && !covers(leaf.AlternativeNames, name) {
		faults = append(faults, chain.Fault{ID: chain.NameMismatch, Fatal: true, Names: leaf.AlternativeNames,
			Detail: fmt.Sprintf("the certificate is for %s, not for %s", enumerate(leaf.AlternativeNames), bound(name))})
	}
	if len(presented) == 1 && leaf.Subject != "" && leaf.Subject == leaf.Issuer {
		faults = append(faults, chain.Fault{ID: chain.SelfSigned, Fatal: true, Detail: calledWhat(leaf) + " is its own issuer"})
	}
	return faults
}

// calledWhat is what a certificate is called: many of today's have no subject, only alternative names.
func calledWhat(x *inspect.Certificate) string {
	switch {
	case x.Subject != "":
		return bound(x.Subject)
	case len(x.AlternativeNames) > 0:
		return "the certificate for " + bound(x.AlternativeNames[0])
	}
	return "the certificate with serial number " + bound(x.SerialNumber)
}

// covers matches a name against alternative names (RFC 9525, Section 6.3): a wildcard stands for one whole leftmost label.
func covers(alternatives []string, name string) bool {
	const longest = 255 // RFC 1035, Section 2.3.4, with a dot at the end
	if len(name) > longest {
		return false
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, a := range alternatives {
		if len(a) > longest {
			continue
		}
		a = strings.ToLower(strings.TrimSuffix(a, "."))
		if a == name {
			return true
		}
		if asked, err := netip.ParseAddr(name); err == nil {
			has, err := netip.ParseAddr(a)
			if err == nil && has.Unmap() == asked.Unmap() {
				return true
			}
			continue // a wildcard covers no address
		}
		if rest, wild := strings.CutPrefix(a, "*."); wild {
			if _, parent, ok := strings.Cut(name, "."); ok && parent == rest {
				return true
			}
		}
	}
	return false
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
