package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPBackendSpeaksTLS = Rule{
	ID: "http-backend-speaks-tls", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:     requestsFailed,
	Title:    "The backend speaks TLS on this port, and was asked in plain text",
	Citation: "RFC 9112, Section 9.7",
	Explanation: "nginx, Apache, Tomcat and servers written in Go answer a request in plain text on a TLS port with 400 and say why (nginx counts it as 497 in its own log); others close the connection. " +
		"The backend's address begins with tcp:// or http:// here. Check: `curl -vk https://HOST:PORT/`.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPSpeaksTLS)
		if detail == "" {
			return nil
		}
		m := &match{detail: detail}
		if e.backend.exists() {
			m.fixes = []inspect.Fix{fix(forSelf, "ask it in TLS", "tlstriage proxy --mode http --backend https://"+backendName(e.backend)+" …")}
		}
		return m
	},
}
