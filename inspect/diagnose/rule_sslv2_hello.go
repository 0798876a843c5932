package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleSSLv2Hello = Rule{
	ID: "sslv2-hello", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	Title:    "The client begins with an SSLv2 hello",
	Citation: "RFC 6176, Section 3",
	Explanation: "The hello has the format of SSLv2, which TLS clients must not send. It cannot carry a server name or any extension, and most servers end the connection. " +
		"Typical senders: Java 6 and older with SSLv2Hello enabled, OpenSSL 0.9.x, appliances and printers of their time.",
	check: func(e *evidence) *match {
		h := e.client.hello
		if (h.Message == nil || !h.Message.SSLv2) && e.client.firstProtocol() != "sslv2" || e.disguised() {
			return nil
		}
		m := &match{
			offered: h.SupportedVersions,
			detail:  "SSLv2-format hello that asks for " + or(bound(h.LegacyVersion), "SSLv2"),
			fixes: []inspect.Fix{
				fix(forClient, "turn the SSLv2-format hello off and TLS 1.2 on; in Java take SSLv2Hello out of the enabled protocols", "-Dhttps.protocols=TLSv1.2 -Djdk.tls.client.protocols=TLSv1.2"),
			},
		}
		if e.client.failed() {
			m.severity, m.ended = inspect.SeverityError, true
			m.fixes = append(m.fixes, fix(forSelf, "hand such clients to the backend untouched", "tlstriage proxy --fallback passthrough …"))
		}
		return m
	},
}
