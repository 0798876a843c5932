package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPTimeout = Rule{
	ID: "http-timeout", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The backend did not answer a request in time",
	Citation: "RFC 9110, Section 15.6.5",
	Explanation: "The request was sent and nothing came back within the time that the proxy waits for the beginning of an answer (`--timeout-response`); the client was told 504. A slow query, a lock, a pool without free workers, or an answer that is meant to be long in coming. An answer that has begun, and a request that the backend is to take, may rest for `--timeout-idle`. " +
		"Check: the same request against the backend itself, with `curl -w %{time_starttransfer}`.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPTimeout)
		if detail == "" {
			return nil
		}
		if e.httpMidway(inspect.HTTPTimeout) {
			return &match{title: "The backend stopped in the middle of an answer", detail: detail, fixes: []inspect.Fix{
				fix(forBackend, "find out what the rest of the answer waits for", ""),
				fix(forBackend, "if it is a stream with nothing to say for long, let it send something now and then", ": keep-alive"),
				fix(forSelf, "if answers are meant to pause that long", "tlstriage proxy --timeout-idle 1h …"),
			}}
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "find out what the request waits for", ""),
			fix(forSelf, "if such answers are meant to take long", "tlstriage proxy --timeout-response 5m …"),
		}}
	},
}
