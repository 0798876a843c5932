package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPBackendReset = Rule{
	ID: "http-backend-reset", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The backend reset the connection in place of an answer",
	Citation: "RFC 9110, Section 15.6.3",
	Explanation: "TLS with the backend was established and the request was sent; then the connection was reset. The process behind the port crashed or was killed, its accept queue or a limit was full, or something between cut what it took for idle. " +
		"Check: the backend's log at this second, and `journalctl -k | grep -i oom`.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPReset)
		if detail == "" {
			return nil
		}
		if e.httpMidway(inspect.HTTPReset) {
			return &match{title: "The backend reset the connection in the middle of an answer", detail: detail, fixes: []inspect.Fix{
				fix(forBackend, "look at its log at this second: a crash, a restart, a limit on the time or the size of an answer", ""),
				fix(forNetwork, "see that nothing between ends connections that are in use", ""),
			}}
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "look at its log at this second: a crash, a restart, a limit", ""),
			fix(forNetwork, "see that nothing between closes connections that are idle for less time than the backend allows", ""),
		}}
	},
}
