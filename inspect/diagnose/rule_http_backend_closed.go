package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPBackendClosed = Rule{
	ID: "http-backend-closed", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The backend closed the connection in place of an answer",
	Citation: "RFC 9110, Section 15.6.3",
	Explanation: "TLS with the backend was established and the request was sent, but the connection ended before the answer did. The usual reasons: the backend keeps idle connections for less time than the proxy before it, it ended while answering, it takes no such request, or it refused a certificate without saying so. " +
		"Check: `curl -v --resolve NAME:PORT:ADDRESS https://NAME:PORT/` against the backend itself.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPClosed)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "let it keep idle connections longer than whoever is in front of it", ""),
			fix(forNginx, "as a backend", "keepalive_timeout 75s;"),
			fix("haproxy", "as a backend", "timeout http-keep-alive 75s"),
		}}
	},
}
