package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPSlowRequest = Rule{
	ID: "http-slow-request", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     requestsFailed,
	Title:    "A client began a request and did not finish it in time",
	Citation: "RFC 9110, Section 15.5.9",
	Explanation: "The header of a request did not come to its end within `--timeout-request-header`, or nothing of its body came for `--timeout-request-body`: the client was told 408 where it could be. A network that loses large packets behind a handshake that succeeded, a client that hangs, an upload from far away, or an attack that holds connections open (slowloris). " +
		"Check: the path MTU and retransmits in the `tcp` part of the client leg; one client or all of them.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPSlowRequest)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forClient, "look at its network path: large packets that are lost stop a request and not a handshake", "ping -M do -s 1472 ADDRESS"),
			fix(forSelf, "if uploads are meant to pause that long", "tlstriage proxy --timeout-request-body 5m …"),
		}}
	},
}
