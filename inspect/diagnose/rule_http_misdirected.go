package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleHTTPMisdirected = Rule{
	ID: "http-misdirected", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     requestsFailed,
	Title:    "A request names another host than the handshake did",
	Citation: "RFC 9110, Section 15.5.20",
	Explanation: "The host of the request belongs to another route of this listener than the server name of the TLS handshake: other certificates, policies or client authorities may hold there, so that the request was answered with 421. Browsers that reuse a connection for another name covered by its certificate try again on one of its own; other clients have a Host header that was set by hand. " +
		"Check: `curl -v --connect-to`, and the names of the certificate that is served.",
	check: func(e *evidence) *match {
		detail := e.httpFailures(inspect.HTTPMisdirected)
		if detail == "" {
			return nil
		}
		return &match{detail: detail, fixes: []inspect.Fix{
			fix(forClient, "ask for the same name in the handshake and in Host", "curl --resolve NAME:443:ADDRESS https://NAME/"),
			fix(forSelf, "if both names are one service, give them one route", "server_names: [one.example, other.example]"),
		}}
	},
}
