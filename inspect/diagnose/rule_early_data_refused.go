package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleEarlyDataRefused = Rule{
	ID: "early-data-refused", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:     clientLegDown,
	Title:    "The client sends early data, which this program does not take",
	Citation: "RFC 8446, Section 8",
	Explanation: "The hello announces early data (0-RTT): the client has a ticket of the real endpoint that allows it. This program gives out no such tickets, since early data can be sent again by others, and its TLS library ends such a handshake " +
		"(unsupported_extension) rather than skip the data. Clients connect again without it; one that has only this program's tickets never tries.",
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorUnsupported) || !e.client.hello.EarlyData || e.foreign() {
			return nil
		}
		return &match{ended: true, detail: "the hello has the extension early_data", fixes: []inspect.Fix{
			fix(forSelf, "hand such clients to the backend untouched", "tlstriage proxy --fallback passthrough …"),
			fix(forClient, "a new connection without the old ticket succeeds", ""),
		}}
	},
}
