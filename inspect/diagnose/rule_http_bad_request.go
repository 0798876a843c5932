package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPBadRequest = Rule{
	ID: "http-bad-request", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     requestsFailed,
	Title:    "A client sent what is no request that may be passed on",
	Citation: "RFC 9112, Section 2.2",
	Explanation: "TLS with the client was established, and what it sent then breaks a rule of HTTP: a header that servers read in more than one way (the stuff of request smuggling), one of more than 64 KiB (431), chunks that are none, a Host with more than a name and a port (400), a transfer coding nobody knows (501), frames of HTTP/2 that are against its rules or come in floods. It was refused here and the backend has not seen it. " +
		"Check: the message in the `http` part of the record says what is wrong; `curl -v` to the same address shows a request that is right.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPBadRequest)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forClient, "send requests as RFC 9112 and RFC 9113 have them; look for old proxies, scanners and cookies that grew too large", ""),
			fix(forSelf, "to see what the backend itself makes of it", "tlstriage proxy --mode bridge …"),
		}}
	},
}
