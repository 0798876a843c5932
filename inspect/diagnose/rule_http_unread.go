package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPUnread = Rule{
	ID: "http-unread", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     requestsFailed,
	Title:    "A client stopped reading an answer",
	Citation: "RFC 9293, Section 3.8.6.1",
	Explanation: "There was more of the answer to be sent, and for `--timeout-idle` the client took nothing of it: it was suspended, it hangs, it left without a word, or it holds answers open on purpose. The connection was ended, and the answer did not come to its end. " +
		"Check: the `tcp` part of the client leg (retransmits: the network; none: the client itself); one client or all of them.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPUnread)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forClient, "read answers to their end, or close the connection", ""),
			fix(forSelf, "if clients are meant to pause that long", "tlstriage proxy --timeout-idle 1h …"),
		}}
	},
}
