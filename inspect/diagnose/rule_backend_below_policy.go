package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleBackendBelowPolicy = Rule{
	ID: "backend-below-policy", Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        backendLegUp,
	Title:       "The backend negotiates what the policy would not accept",
	Citation:    "RFC 9325, Section 3.1.1",
	Explanation: "The leg behind the proxy is weaker than the policy of the leg before it: version or suite would be refused from a client. Clients see a strong front, and their data goes on over a weak leg. Check: `tlstriage scan HOST:PORT`.",
	check: func(e *evidence) *match {
		p := e.policy()
		if p == nil || !e.backend.established() || e.backend.leg.Plain || e.backend.leg.Passthrough {
			return nil
		}
		t := e.backend.tls
		var m *match
		switch {
		case t.Version != "" && len(p.Versions) > 0 && versionRank(t.Version) < versionRank(slices.Min(p.Versions).String()):
			m = &match{offered: []string{t.Version}, accepted: names(p.Versions)}
		case t.Cipher != "" && len(p.CipherSuites) > 0 && !currentCipher(t.Cipher) && !slices.Contains(names(p.CipherSuites), t.Cipher):
			m = &match{offered: []string{t.Cipher}, accepted: names(p.CipherSuites)}
		default:
			return nil
		}
		m.fixes = append([]inspect.Fix{fix(forBackend, "turn TLS 1.2 and 1.3 with current suites on", "")}, acceptVersion("TLSv1.2")...)
		m.detail = "the backend negotiated " + t.Version + " " + bound(t.Cipher) + "; policy " + bound(p.Name) + " accepts " + enumerate(m.accepted)
		return m
	},
}

// policy is what the real endpoint accepts from this client: the policy that the record names, as far as it is known; else the one
// that is given; nil where there is none.
func (e *evidence) policy() *policy.Policy {
	given, named := e.d.Policy, e.c.Policy
	if named == nil || given != nil && given.Name == named.Name {
		return given
	}
	for _, p := range e.d.Policies {
		if p.Name == named.Name {
			return p
		}
	}
	if p := e.d.builtin(named.Name); p != nil {
		return p
	}
	return given
}

// policyName is what the policy is called that e's connection is held against; empty without one.
func (e *evidence) policyName() string {
	if e.c.Policy != nil {
		return e.c.Policy.Name
	}
	if e.d.Policy != nil {
		return e.d.Policy.Name
	}
	return ""
}

// builtin finds a built-in policy by name and keeps it; nil when there is none. There are as many as are built in, at most.
func (d *Diagnoser) builtin(name string) *policy.Policy {
	if p, ok := d.policies.Load(name); ok {
		return p.(*policy.Policy)
	}
	p, err := policy.Lookup(name)
	if err != nil || p.Name != name {
		return nil
	}
	d.policies.Store(name, p)
	return p
}
