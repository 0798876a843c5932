package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendRefused = Rule{
	ID: "backend-refused", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        legDown,
	Title:       "Nothing listens at the backend's address",
	Citation:    "RFC 9293, Section 3.5.2",
	Explanation: "The backend's machine answers and refuses the connection: the service is down, listens on another port or only on another address, or a firewall rejects. In captures a RST says so, or an ICMP \"port unreachable\" of the server's own address. Check on the backend: `ss -ltnp`.",
	check: func(e *evidence) *match {
		v, leg := e.far()
		if !v.is(inspect.ErrorRefused) {
			return nil
		}
		listeners, udp := "ss -ltnp", e.c.Transport != inspect.TransportTCP && (leg == inspect.LegClient || v.leg.Passthrough) || v.leg.QUIC != nil
		if udp {
			listeners = "ss -lunp"
		}
		m := &match{ended: true, leg: leg, detail: backendWords(v), fixes: []inspect.Fix{
			fix(forBackend, "start the service, or let it listen on this address and port", listeners+"  # and look for :"+portOf(v)),
		}}
		if e.c.Event.Source == inspect.SourceCapture {
			m.fixes = append(m.fixes, fix(forClient, "or correct the address and port that it connects to", ""))
		} else if udp {
			m.detail += "; it was asked over UDP, as QUIC is: a service that is there over TCP alone refuses that"
			m.fixes = append(m.fixes, fix(forSelf, "or do without QUIC where the backend speaks TCP alone", "tlstriage proxy …  # without --quic"))
		} else {
			m.fixes = append(m.fixes, fix(forSelf, "or correct the backend's port", "tlstriage proxy --backend https://"+inBrackets(hostOf(v))+":PORT …"))
		}
		m.fixes = append(m.fixes, fix(forIngress, "check that the Service's targetPort is the one that the container listens on", "kubectl get endpoints SERVICE"))
		return m
	},
}
