package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleProxyStricterThanBackend = Rule{
	ID: "proxy-stricter-than-backend", Severity: inspect.SeverityWarning, Leg: inspect.LegBetween, Fault: inspect.FaultProxy,
	when:        clientLegDown,
	Title:       "This program refused a client that the real endpoint would take",
	Citation:    "RFC 8446, Section 4.1.1",
	Explanation: "The client leg failed here for want of a common version, suite, group or protocol, and the policy of the real endpoint accepts the same hello: the failure is made by this program's own settings or certificate, not by the endpoint.",
	CausedBy:    []string{"proxy-cannot-serve", "version-no-overlap", "cipher-no-overlap", "group-no-overlap", "signature-no-overlap", "alpn-no-overlap", "sni-unknown", "sni-missing"},
	check: func(e *evidence) *match {
		if e.foreign() || e.c.Policy == nil || !e.c.Policy.Accepted || !e.client.failed() {
			return nil
		}
		if e.refusal == policy.DimensionNone && e.unservable == "" {
			return nil
		}
		p := e.c.Policy
		return &match{
			offered: offered(e.client.hello, e.refusal), accepted: e.accepted(e.refusal),
			detail: "policy " + bound(p.Name) + " would negotiate " + or(p.Version, "it") + " " + p.Cipher,
			fixes: []inspect.Fix{
				fix(forSelf, "let such clients through to the backend", "tlstriage proxy --fallback passthrough …"),
				fix(forSelf, "or serve a certificate of the key type that they need", "tlstriage proxy --cert FILE --key FILE …"),
			},
		}
	},
}
