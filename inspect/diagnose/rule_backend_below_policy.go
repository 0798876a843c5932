package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleBackendBelowPolicy = Rule{
	ID: "backend-below-policy", Severity: inspect.SeverityWarning, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend negotiates what the policy would not accept",
	Citation:    "RFC 9325, Section 3.1.1",
	Explanation: "The leg behind the proxy is weaker than the policy of the leg before it: version or suite would be refused from a client. Clients see a strong front, and their data goes on over a weak leg. Check: `nmap --script ssl-enum-ciphers -p PORT HOST`.",
	check: func(e *evidence) *match {
		p := e.d.Policy
		if p == nil && e.c.Policy != nil {
			p = e.d.builtin(e.c.Policy.Name)
		}
		if p == nil || !e.backend.established() || e.backend.leg.Plain || e.backend.leg.Passthrough {
			return nil
		}
		t, versions, suites := e.backend.tls, names(p.Versions), names(p.CipherSuites)
		m := &match{fixes: append([]inspect.Fix{fix(forBackend, "turn TLS 1.2 and 1.3 with current suites on", "")}, acceptVersion("TLSv1.2")...)}
		switch {
		case t.Version != "" && len(versions) > 0 && versionRank(t.Version) < versionRank(lowest(versions)):
			m.offered, m.accepted = []string{t.Version}, versions
		case t.Cipher != "" && len(suites) > 0 && !slices.Contains(suites, t.Cipher) && !currentCipher(t.Cipher):
			m.offered, m.accepted = []string{t.Cipher}, suites
		default:
			return nil
		}
		m.detail = "the backend negotiated " + t.Version + " " + bound(t.Cipher) + "; policy " + bound(p.Name) + " accepts " + enumerate(m.accepted)
		return m
	},
}

// lowest is the oldest version of a list.
func lowest(versions []string) string {
	low := ""
	for _, v := range versions {
		if r := versionRank(v); r > 0 && (low == "" || r < versionRank(low)) {
			low = v
		}
	}
	return low
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
