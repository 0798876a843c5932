package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleProxyNameViewsDiffer = Rule{
	ID: "proxy-name-views-differ", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The hello can be read in two ways",
	Citation: "RFC 8446, Section 4.2",
	Explanation: "The TLS library and this program's parser read different names, versions or protocols out of the same hello, so the connection was refused: whoever routes by one and serves by the other can be tricked. " +
		"Duplicate or oddly placed extensions do this; an ordinary client never does.",
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorViewsDiffer) {
			return nil
		}
		return &match{ended: true, detail: or(e.client.message(), "two readings of one hello"), fixes: []inspect.Fix{
			fix(forClient, "update its TLS library; if no client of yours is known to do this, it is an attack on routing by name", ""),
		}}
	},
}
