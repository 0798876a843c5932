package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleClientHelloFragmented = Rule{
	ID: "client-hello-fragmented", Severity: inspect.SeverityInfo, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	Title:    "The ClientHello came in pieces",
	Citation: "RFC 8446, Section 5.1",
	Explanation: "The hello was spread over several TLS records, or over several packets of a connection that then failed. That is allowed, but old load balancers, firewalls and servers read only the first piece " +
		"and then drop the connection or serve the default certificate. Check: `openssl s_client -connect HOST:PORT -groups X25519` sends a hello that fits one packet.",
	check: func(e *evidence) *match {
		m := e.client.hello.Message
		if m == nil || !m.Complete {
			return nil
		}
		silent := e.client.is(inspect.ErrorTimeout, inspect.ErrorReset, inspect.ErrorClosed) && e.foreign()
		if m.Records < 2 && !(silent && m.Segments > 1) {
			return nil
		}
		f := &match{detail: helloSize(e.client.hello), fixes: []inspect.Fix{
			fix(forNetwork, "update the middlebox that reads only the first piece of a hello", ""),
			fix(forClient, "to make the hello smaller for a test, turn post-quantum key exchange off", "openssl s_client -groups X25519:P-256 …"),
		}}
		if silent {
			f.severity = inspect.SeverityWarning
		}
		return f
	},
}
