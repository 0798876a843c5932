package diagnose

import (
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"github.com/tlstriage/tlstriage/certs/chain"
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

// Diagnoser turns what was seen into findings. The zero value is ready: it judges against the system's roots, at the time
// of each record, and without a policy. It is safe for concurrent use as long as its fields do not change, and must not
// be copied after its first use.
type Diagnoser struct {
	// Policy is what the real endpoint accepts; nil: none is given. A Connection that already carries a policy's outcome keeps it.
	Policy *policy.Policy
	// Policies are, of a listener that chooses by server name, what each of its sites accepts, Policy among them: a record that names
	// one of them is judged by that one. Empty: Policy holds for all.
	Policies []*policy.Policy
	// Own is what this program itself accepts on the client leg, for the sets shown in findings; nil: not known.
	Own *policy.Policy
	// Roots are what the backend's chain must lead to; nil: the system's.
	Roots *x509.CertPool
	// KnownCAs help to name a certificate that lacks in a chain. They are never trusted.
	KnownCAs []*x509.Certificate
	// Shown is the client certificate that this program shows to backends, with its intermediates as they are sent: by these an authority
	// that a backend names may be above it; nil: its leaf alone is known, from the record.
	Shown []*x509.Certificate
	// Logs verify signed certificate timestamps; nil: they are counted, not verified.
	Logs *chain.LogList
	// Now is when certificates are judged; zero: at each Connection's own time.
	Now time.Time
	// ExpiringSoon is the remaining life below which a certificate is reported; zero: 30 days, or a third of its life where that is
	// less; negative: never.
	ExpiringSoon time.Duration
	// Alone says that no proxy stands there: a server, or a file, is looked at by itself. What a fix does with the proxy's flags is then
	// said with those of `tlstriage certs check`, or left out.
	Alone bool
	// Systems limits fixes to these targets ("nginx", "aws/alb", or "aws" for all of AWS); empty: all that concern.
	Systems []string

	chains   chainCache
	policies sync.Map // name -> *policy.Policy
}

// Knowing is a Diagnoser with the same fields that knows more certificates, which are no more trusted than KnownCAs are.
func (d *Diagnoser) Knowing(more ...*x509.Certificate) *Diagnoser {
	return &Diagnoser{
		Policy: d.Policy, Policies: d.Policies, Own: d.Own, Roots: d.Roots, KnownCAs: slices.Concat(d.KnownCAs, more), Shown: d.Shown, Logs: d.Logs, Now: d.Now,
		ExpiringSoon: d.ExpiringSoon, Systems: d.Systems, Alone: d.Alone,
	}
}

// Diagnose fills c's Findings, Verdict, Cause and Fault, its Policy where one is given and the record has none, and the
// validation of a chain that the eye left open. What these held before is replaced.
func (d *Diagnoser) Diagnose(c *inspect.Connection) {
	e := evidences.Get().(*evidence)
	e.gather(d, c)
	e.judge(e.facts())
	e.forget()
	evidences.Put(e)
}

// evidences are laid aside between connections: a reader of captures judges very many.
var evidences = sync.Pool{New: func() any { return new(evidence) }}

// judge asks the rules that are about any of these facts, in their order.
func (e *evidence) judge(f facts) {
	strangers := e.foreign() && !e.backend.exists()
	for i, when := range whens {
		if when&(f|always) == 0 {
			continue
		}
		r := catalog[i]
		m := r.check(e)
		if m == nil {
			continue
		}
		e.found = append(e.found, r.ID)
		switch {
		case e.d.Alone:
			e.speakAlone(m, r.Title)
		case strangers:
			m.speakOfServer(i)
		}
		h := hit{finding: r.finding(m, e.d.Systems), rule: r, fault: r.Fault, ended: m.ended}
		if m.fault != "" {
			h.fault = m.fault
		}
		if m.ended {
			e.explained = append(e.explained, h.finding.Leg)
		}
		e.hits = append(e.hits, h)
	}
	settle(e.c, e, e.hits)
}

// now is when c's certificates are judged.
func (d *Diagnoser) now(c *inspect.Connection) time.Time {
	if !d.Now.IsZero() {
		return d.Now
	}
	return c.Timestamp
}

// Rules lists all rules, in the order in which they claim to be the root cause.
func Rules() []Rule {
	rules := make([]Rule, len(catalog))
	for i, r := range catalog {
		rules[i] = *r
	}
	return rules
}

// Lookup returns the rule with an id, those of a scan among them.
func Lookup(id string) (Rule, bool) {
	for _, r := range catalog {
		if r.ID == id {
			return *r, true
		}
	}
	for _, r := range scanCatalog {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}
