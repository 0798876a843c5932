package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

// policyRefuses is what the rules policy-rejects-* have in common: both sets, and who must act.
func (e *evidence) policyRefuses(dim policy.Dimension) *match {
	if !e.rejects(dim) {
		return nil
	}
	p := e.c.Policy
	m := &match{offered: p.Offered, accepted: p.Accepts, fault: inspect.FaultPolicy, ended: e.enforced() && e.client.failed()}
	if len(m.offered) == 0 {
		m.offered = offered(e.client.hello, dim)
	}
	if outdated(dim, m.offered) {
		m.fault = inspect.FaultClient
	}
	m.detail = "the client offers " + enumerate(m.offered) + "; policy " + bound(p.Name) + " accepts " + enumerate(m.accepted)
	if p.Alert != "" {
		m.detail += "; the real endpoint would answer " + bound(p.Alert)
	}
	switch {
	case m.ended:
		m.detail += "; refused, as --enforce demands"
	case e.client.established() && e.foreign():
		m.detail += "; the server of this connection took the client, with another policy than this one"
	case e.client.established():
		m.detail += "; this program let it through"
	}
	return m
}
