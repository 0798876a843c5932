package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPBadResponse = Rule{
	ID: "http-bad-response", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "What the backend answered is not HTTP",
	Citation: "RFC 9112, Section 2.1",
	Explanation: "TLS with the backend was established, but what came back over it is no answer in the version of HTTP that was agreed on: another protocol listens there, the backend takes HTTP/2 without saying so by ALPN, or its header is broken or too large. " +
		"Check: `openssl s_client -connect HOST:PORT -alpn h2,http/1.1` and type a request.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPBadResponse)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forSelf, "if the backend speaks HTTP/2 only", "tlstriage proxy --mode http --backend-protocol h2 …"),
			fix(forSelf, "if it does not speak HTTP", "tlstriage proxy --mode bridge …"),
			fix(forBackend, "look at the header of its answers", ""),
		}}
	},
}
