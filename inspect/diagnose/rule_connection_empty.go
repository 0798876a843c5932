package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleConnectionEmpty = Rule{
	ID: "connection-empty", Severity: inspect.SeverityWarning, Leg: inspect.LegClient, Fault: inspect.FaultNoise,
	when:     hasError,
	Title:    "The client connected and left without a byte",
	Citation: "RFC 9293, Section 3.6",
	Explanation: "A TCP connection was opened and closed again, and no handshake was tried: a TCP health check of a load balancer or monitor, a port scan, or a browser's spare connection. " +
		"It is noise unless a client of yours complains at the same time.",
	check: func(e *evidence) *match {
		if !e.client.untried() {
			return nil
		}
		return &match{ended: true, detail: or(e.client.message(), "no byte came before the connection was closed"), fixes: []inspect.Fix{
			fix(forALB, "to have the health check do more than connect, make it speak HTTPS", "aws elbv2 modify-target-group --target-group-arn ARN --health-check-protocol HTTPS"),
			fix(forHAProxy, "to have the check do a handshake", "server NAME "+backendName(e.client)+" check check-ssl verify none"),
		}}
	},
}
