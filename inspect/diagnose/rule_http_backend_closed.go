package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPBackendClosed = Rule{
	ID: "http-backend-closed", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The backend closed the connection in place of an answer",
	Citation: "RFC 9110, Section 15.6.3",
	Explanation: "TLS with the backend was established and the request was sent, but the connection ended before the answer did. The usual reasons: the backend keeps idle connections for less time than the proxy before it, it ended while answering, it takes no such request, it speaks TLS and was asked in the clear, or it refused a certificate without saying so. In the middle of an answer: the process that wrote it ended or gave up, or the Content-Length that it promised is not that of the body. " +
		"Check: `curl -v --resolve NAME:PORT:ADDRESS https://NAME:PORT/` against the backend itself.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPClosed)
		if detail == "" {
			return nil
		}
		if e.httpMidway(inspect.HTTPClosed) {
			return &match{title: "The backend closed the connection in the middle of an answer", detail: detail, fixes: []inspect.Fix{
				fix(forBackend, "look at its log at this second: what wrote the answer ended, or gave up", ""),
				fix(forBackend, "compare the Content-Length of the answer with what is sent", "curl -v --ignore-content-length https://BACKEND/PATH"),
				fix(forNginx, "as a backend, if what is behind it is slow, or answers are large", "proxy_read_timeout 300s;  # and proxy_max_temp_file_size, and the disk it writes to"),
			}}
		}
		if e.backend.leg.Plain {
			return &match{detail: detail, fixes: []inspect.Fix{
				fix(forSelf, "if it is a TLS port: it was asked in the clear", "tlstriage proxy --backend https://HOST:PORT …"),
				fix(forBackend, "let it keep idle connections longer than whoever is in front of it", ""),
			}}
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "let it keep idle connections longer than whoever is in front of it", ""),
			fix(forNginx, "as a backend", "keepalive_timeout 75s;"),
			fix("haproxy", "as a backend", "timeout http-keep-alive 75s"),
		}}
	},
}
