package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleQUICRetryLoop = Rule{
	ID: idQUICRetryLoop, Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     clientLegDown,
	Title:    "The client is asked to show its address again and again, and never does",
	Citation: "RFC 9000, Section 8.1.2",
	Explanation: "Before anything is done for it, a client may be sent a Retry packet with a token, which it has to bring back to show that its address is its own. This one kept beginning without it, or with one that is not valid. The Retry does not reach it (answers over UDP are dropped on the way, or come from an address that it does not expect), its address changes between two packets (several gateways, a load balancer that does not keep to one), servers behind one address do not share the key of their tokens, or the address is forged. " +
		"Check: a capture at the client: `tcpdump -ni any udp port PORT`; with `--quic-retry never` the same client should come through.",
	check: func(e *evidence) *match {
		q := e.client.overQUIC()
		if q == nil || q.Retries < 2 || !e.client.is(inspect.ErrorTimeout, inspect.ErrorClosed, inspect.ErrorStalled) || sawServerFlight(e.client) {
			return nil
		}
		return &match{ended: true, detail: fmt.Sprintf("%d Retry packets were sent to it", q.Retries), fixes: []inspect.Fix{
			fix(forNetwork, "see that answers over UDP reach the client, from the address that it sent to", "tcpdump -ni any udp port "+portOf(e.client)),
			fix(forSelf, "to make sure that it is this, ask nobody for a token", "tlstriage proxy --quic-retry never …"),
		}}
	},
}
