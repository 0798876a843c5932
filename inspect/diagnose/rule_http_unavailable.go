package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPUnavailable = Rule{
	ID: "http-unavailable", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The backend itself answered 502, 503 or 504",
	Citation: "RFC 9110, Section 15.6.4",
	Explanation: "TLS is in order on both legs, and so is HTTP: the answer comes from the backend, or from what is behind it. 502: the backend is a proxy and what it asked did not answer, which may be for TLS on that next leg, which is not seen from here. 503: no worker, no healthy target, or maintenance. 504: what the backend asked took too long. " +
		"Check: the `Server` in the message tells who made the answer; put this proxy between that one and its own backend.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPUnavailable)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "look at what is behind it, with this proxy on that leg, too", "tlstriage proxy --listen :8443 --backend https://NEXT:443"),
		}}
	},
}
