package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendUnreachable = Rule{
	ID: "backend-unreachable", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultNetwork,
	when:        legDown,
	Title:       "There is no way to the backend's address",
	Citation:    "RFC 792; RFC 4443, Section 3.1",
	Explanation: "The network says that the address cannot be reached: no route, a host that is off, a firewall that forbids it, or an address family that this machine does not have. In captures ICMP says so, and which hop did. Check: `ip route get ADDRESS`.",
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorUnreachable) {
			return nil
		}
		m := &match{ended: true, leg: leg, detail: backendWords(v)}
		if said := e.undelivered(); said != nil {
			m.fixes = []inspect.Fix{fix(forNetwork, "look at "+said.From+", which says so: its routes, and what its firewall forbids", "ip route get "+hostOf(v)+"; nft list ruleset")}
			return m
		}
		m.fixes = []inspect.Fix{
			fix(forNetwork, "check routes and security groups; an IPv6 address needs IPv6 on this machine", "ip route get "+hostOf(v)),
		}
		return m
	},
}
