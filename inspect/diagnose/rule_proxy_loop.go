package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleProxyLoop = Rule{
	ID: "proxy-loop", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:     legDown,
	Title:    "A connection leads back to this proxy, and would come back without end",
	Citation: "RFC 9110, Section 7.6.3",
	Explanation: "The backend of a route is this program itself: its own address was given as --backend, or a name, a load balancer or another of its listeners leads back to the same route. The connection is refused where it comes back. " +
		"With --original-dst, where a connection goes on to where its client wanted to go, this one was meant for this program's own address, was not redirected at all, or is one of this program's own on its way to a backend, " +
		"which the firewall's rules must leave out.",
	check: func(e *evidence) *match {
		v, leg := e.client, inspect.LegClient
		if e.backend.exists() && e.backend.is(inspect.ErrorLoop) {
			v, leg = e.backend, inspect.LegBackend
		} else if !v.is(inspect.ErrorLoop) {
			return nil
		}
		return &match{ended: true, leg: leg, detail: or(v.message(), "the connection leads back here"), fixes: []inspect.Fix{
			fix(forSelf, "name the service itself as the backend, not what leads here", "tlstriage proxy --listen :8443 --backend https://HOST:PORT …"),
			fix(forNetwork, "where connections are redirected (--original-dst), leave this program's own connections out of the redirection", "nft add rule ip nat output meta skuid != tlstriage tcp dport 443 redirect to :8443"),
			fix(forClient, "connect to the service, not to the port that connections are redirected to", ""),
		}}
	},
}
