package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleQUICNoH3 = Rule{
	ID: idQUICNoH3, Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client speaks QUIC, but not HTTP/3",
	Citation: "RFC 9114, Section 3.1",
	Explanation: "Over QUIC the application protocol must be agreed upon by ALPN, and HTTP/3 is \"h3\" there. The client asks for something else: a draft of HTTP/3 (h3-29), hq-interop (a test protocol), DNS over QUIC (doq), SMB or a protocol of its own; or it offers no ALPN at all, which QUIC does not allow. It was refused with no_application_protocol (alert 120). " +
		"Check: the record's `alpn_protocols`.",
	check: func(e *evidence) *match {
		v := e.client
		if v.overQUIC() == nil || !v.is(inspect.ErrorNoCommonALPN) && !(v.failed() && v.alerted(inspect.FromServer, alertNoApplicationProtocol)) {
			return nil
		}
		if !v.is(inspect.ErrorNoCommonALPN) && (!v.spoke || slices.Contains(v.hello.ALPNProtocols, "h3")) {
			return nil // it was refused elsewhere, for another reason
		}
		m := &match{ended: true, offered: v.hello.ALPNProtocols, accepted: []string{"h3"}, detail: "the client offers no protocol by ALPN"}
		if len(m.offered) > 0 {
			m.detail = "the client offers " + boundTo(strings.Join(m.offered, ", "), maxValue) + ", and HTTP over QUIC is h3"
		}
		m.fixes = []inspect.Fix{
			fix(forClient, "let it offer h3; where it speaks a draft, update it", ""),
			fix(forSelf, "what is not HTTP can go through untouched", "tlstriage proxy --mode passthrough --quic …"),
		}
		return m
	},
}
