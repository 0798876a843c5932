package certstest

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/tlstriage/tlstriage/certs"
)

// PKI is a root, two intermediates below it (Intermediate signs Issuing, Issuing signs leaves), and a second root that
// nobody trusts.
type PKI struct {
	Now          time.Time // when the chains are meant to be judged
	Root         *certs.Pair
	Intermediate *certs.Pair
	Issuing      *certs.Pair

	OtherRoot         *certs.Pair
	OtherIntermediate *certs.Pair

	tb testing.TB
}

// New makes a PKI for the present time.
func New(tb testing.TB) *PKI { return NewAt(tb, time.Now()) }

// NewAt makes a PKI for the given time: "expired" is expired then.
func NewAt(tb testing.TB, now time.Time) *PKI {
	tb.Helper()
	p := &PKI{Now: now.Truncate(time.Second), tb: tb}
	ca := certs.Template{CA: true, NotBefore: p.Now.AddDate(-2, 0, 0), NotAfter: p.Now.AddDate(8, 0, 0)}
	named := func(name, organization string) certs.Template {
		t := ca
		t.CommonName, t.Organization = name, organization
		return t
	}
	p.Root = p.SelfSign(named("Test Root", "Triage Test"))
	p.Intermediate = p.Issue(p.Root, named("Test Intermediate", "Triage Test"))
	p.Issuing = p.Issue(p.Intermediate, named("Test Issuing", "Triage Test"))
	p.OtherRoot = p.SelfSign(named("Foreign Root", "Elsewhere"))
	p.OtherIntermediate = p.Issue(p.OtherRoot, named("Foreign Sub", "Elsewhere"))
	return p
}

// SelfSign is certs.SelfSign with the PKI's time as the default.
func (p *PKI) SelfSign(t certs.Template) *certs.Pair {
	p.tb.Helper()
	pair, err := certs.SelfSign(p.at(t))
	if err != nil {
		p.tb.Fatal(err)
	}
	return pair
}

// Issue is issuer.Issue with the PKI's time as the default.
func (p *PKI) Issue(issuer *certs.Pair, t certs.Template) *certs.Pair {
	p.tb.Helper()
	pair, err := issuer.Issue(p.at(t))
	if err != nil {
		p.tb.Fatal(err)
	}
	return pair
}

// Leaf issues a good server certificate for the names from Issuing.
func (p *PKI) Leaf(names ...string) *certs.Pair {
	p.tb.Helper()
	return p.Issue(p.Issuing, certs.Template{Names: names})
}

// at fills in the PKI's time.
func (p *PKI) at(t certs.Template) certs.Template {
	if t.NotBefore.IsZero() {
		t.NotBefore = p.Now.Add(-24 * time.Hour)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = p.Now.Add(89 * 24 * time.Hour)
	}
	return t
}

// Roots is a pool with the trusted root.
func (p *PKI) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Root.Certificate)
	return pool
}
