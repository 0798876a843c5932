package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientHelloMalformed = Rule{
	ID: "client-hello-malformed", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The ClientHello does not parse",
	Citation: "RFC 8446, Section 4.1.2",
	Explanation: "What the client sent begins like TLS, but its lengths or fields contradict each other, or it is larger than any hello should be. Reasons: a broken TLS library, a middlebox that " +
		"rewrites handshakes, a fuzzer. The bytes are in the record.",
	check: func(e *evidence) *match {
		if !e.client.failed() {
			return nil
		}
		m := &match{ended: true, fixes: []inspect.Fix{
			fix(forClient, "update its TLS library; rule out a middlebox by trying the same client from another network", ""),
		}}
		switch {
		case e.client.is(inspect.ErrorHelloTooLarge):
			m.title = "The ClientHello is larger than is allowed"
			m.detail = or(e.client.message(), "larger than the configured bound")
		case e.client.is(inspect.ErrorMalformedHello) && e.client.alertFirst() != nil:
			return nil // client-alert
		case e.client.is(inspect.ErrorMalformedHello):
			m.detail = or(e.client.message(), "the hello's fields contradict each other")
		case e.client.alerted(inspect.FromServer, alertDecodeError, alertIllegalParameter):
			m.detail = "the server answered " + spell(e.client.alert(inspect.FromServer))
			if e.foreign() {
				m.title = "The server calls the ClientHello malformed"
				m.detail += "; here it can be read: a value in it is against the rules, or the server trips over an extension that it should pass over"
				m.fixes = append(m.fixes,
					fix(forSelf, "find out what in the hello it is", "tlstriage why --to "+backendName(e.client)+" --from FILE …"),
					fix(forBackend, "if it is new clients alone: update the server's TLS library, or what stands before it; unknown extensions must be passed over (RFC 8446, Section 4.1.2)", ""))
			}
		default:
			return nil
		}
		return m
	},
}
