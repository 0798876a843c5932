package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPRedirectLoop = Rule{
	ID: "http-redirect-loop", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:     requestsFailed,
	Title:    "The backend redirects to where the request came from",
	Citation: "RFC 9110, Section 15.4",
	Explanation: "The client came by https, and the answer sends it to the very same https address again, several times in a row: the backend does not know that the client came over TLS, which ended before it, and wants to bring it there. " +
		"Check: `curl -sI http://BACKEND/ -H 'X-Forwarded-Proto: https'` must not redirect.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPRedirectLoop)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forBackend, "trust X-Forwarded-Proto from this proxy before redirecting to https", "app.set('trust proxy', true)  // Express; SECURE_PROXY_SSL_HEADER in Django; server.forward-headers-strategy in Spring"),
			fix(forNginx, "as a backend, redirect by what the client used", "if ($http_x_forwarded_proto = http) { return 301 https://$host$request_uri; }"),
		}}
	},
}
