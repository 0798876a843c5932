package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPLargeHeader = Rule{
	ID: "http-large-header", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The header of an answer is too large",
	Citation: "RFC 9110, Section 5.4",
	Explanation: "The backend answered with a header of more than 256 KiB, which is not read to its end here; load balancers and servers in front of it take far less (nginx 4 or 8 KiB in `proxy_buffer_size`, HAProxy 16 KiB less 1 KiB, AWS ALB 64 KiB) and answer 502, too. Cookies that grow with each answer, or debugging headers. " +
		"Check: `curl -sD - -o /dev/null https://BACKEND/ | wc -c`.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPLargeHeader)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "send less in the header: most often it is Set-Cookie", ""),
			fix(forNginx, "in front of such a backend, up to what is sensible", "proxy_buffer_size 32k; proxy_buffers 8 32k;"),
			fix("haproxy", "in front of such a backend", "tune.bufsize 65536"),
		}}
	},
}
