package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleProxyCannotServe = Rule{
	ID: "proxy-cannot-serve", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:     clientLegDown,
	Title:    "This program's TLS library cannot serve the client",
	Citation: "Go crypto/tls, package documentation",
	Explanation: "The client needs something that Go's crypto/tls does not have: SSLv3, finite-field DHE, compression, PSK suites. That says nothing about the real endpoint, which may well serve it: the record's policy part " +
		"tells, where a policy is given. To see such a client through to the backend, let it pass untouched.",
	CausedBy: []string{"sslv2-hello", "early-data-refused"},
	check: func(e *evidence) *match {
		if e.unservable == "" {
			return nil
		}
		return &match{ended: true, detail: e.unservable, offered: e.client.hello.SupportedVersions, fixes: []inspect.Fix{
			fix(forSelf, "hand clients that it cannot serve to the backend untouched, and watch them", "tlstriage proxy --fallback passthrough …"),
		}}
	},
}
