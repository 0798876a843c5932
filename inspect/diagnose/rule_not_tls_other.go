package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleNotTLSOther = Rule{
	ID: "not-tls-other", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultNoise,
	when:     clientLegDown,
	Title:    "The client speaks something else than TLS",
	Citation: "RFC 8446, Section 5.1",
	Explanation: "The first bytes are neither TLS nor HTTP: a port scanner, a client of another protocol on the wrong port, or a load balancer in front that sends a PROXY " +
		"protocol header where none is expected. The last one hits every connection and is an error of configuration; the others are noise.",
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorNotTLS) || plainHTTP(e.client.firstProtocol()) || e.client.firstProtocol() == "sslv2" || e.serverNotTLS() {
			return nil
		}
		protocol := e.client.firstProtocol()
		m := &match{ended: true, detail: "it is " + spoken(protocol) + "; first line: " + or(e.client.firstLine(), "not printable")}
		if protocol == "proxy_protocol" {
			m.severity, m.fault = inspect.SeverityError, inspect.FaultProxy
			m.title = "A PROXY protocol header comes where none is expected"
			m.fixes = []inspect.Fix{
				fix(forSelf, "take the header on this listener", "tlstriage proxy --proxy-protocol …"),
				fix(forNLB, "or stop the load balancer from sending it", "aws elbv2 modify-target-group-attributes --target-group-arn ARN --attributes Key=proxy_protocol_v2.enabled,Value=false"),
				fix(forHAProxy, "or take send-proxy off the server line", "server NAME "+backendName(e.client)),
			}
			return m
		}
		if ask := e.wantsStartTLS(); ask != "" {
			m.title = "The client asks for TLS in its own protocol, and this listener expects TLS at once"
			if askingPort(e.c.Server.Port) == ask {
				m.severity, m.fault = inspect.SeverityError, inspect.FaultProxy
			}
			m.fixes = []inspect.Fix{beginInPlainText(ask)}
			return m
		}
		if e.disguised() {
			m.detail = or(e.client.firstLine(), "it began with an SSLv2 hello, and did not wait for the answer") + ": another protocol in disguise, as Skype's"
		}
		m.fixes = []inspect.Fix{fix(forClient, "if it is yours: it must speak TLS on this port, or use another port", "")}
		return m
	},
}
