package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPStreamReset = Rule{
	ID: "http-stream-reset", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The backend reset the stream of a request",
	Citation: "RFC 9113, Section 7",
	Explanation: "The backend speaks HTTP/2, took the request and ended its stream with an error code in place of an answer, or in the middle of one, while the connection goes on. INTERNAL_ERROR: it failed while answering. REFUSED_STREAM: it has too much to do, and the request may be sent again. HTTP_1_1_REQUIRED: it wants HTTP/1.1. ENHANCE_YOUR_CALM: too many requests. PROTOCOL_ERROR: it does not like the request. " +
		"Check: the code in the message, and `curl --http1.1` against `curl --http2` to the backend itself.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPStreamReset)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "look in its log for the request: something ended it", ""),
			fix(forSelf, "to ask it in HTTP/1.1", "tlstriage proxy --mode http --backend-protocol h1 …"),
		}}
	},
}
