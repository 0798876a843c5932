package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleProxyProtocolMissing = Rule{
	ID: "proxy-protocol-missing", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultProxy,
	when:        clientLegDown,
	Title:       "No PROXY protocol header came where one is required",
	Citation:    "The PROXY protocol, Versions 1 & 2, Section 2",
	Explanation: "The listener was told to expect a PROXY protocol header, and the connection began with something else: the load balancer in front does not send it, or this connection did not come through it. A header may also be there and be none that can be read.",
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorProxyProtocol) {
			return nil
		}
		if e.client.firstProtocol() == "proxy_protocol" {
			return &match{
				ended: true, title: "The PROXY protocol header that came makes no sense",
				detail: or(e.client.message(), "the header cannot be read") + "; what came: " + or(e.client.firstLine(), "a header of version 2"),
				fixes:  []inspect.Fix{fix(forHAProxy, "let whoever stands in front write addresses and ports as the protocol has them: of the family that the header names, without a zone, ports from 0 to 65535; version 2 leaves less to go wrong", "server NAME "+backendName(e.client)+" send-proxy-v2")},
			}
		}
		return &match{ended: true, detail: or(e.client.message(), "the connection does not begin with a header"), fixes: []inspect.Fix{
			fix(forNLB, "let the load balancer send it", "aws elbv2 modify-target-group-attributes --target-group-arn ARN --attributes Key=proxy_protocol_v2.enabled,Value=true"),
			fix(forCLB, "let the load balancer send it", "aws elb create-load-balancer-policy --load-balancer-name NAME --policy-name proxy --policy-type-name ProxyProtocolPolicyType --policy-attributes AttributeName=ProxyProtocol,AttributeValue=true"),
			fix(forHAProxy, "let HAProxy send it", "server NAME "+backendName(e.client)+" send-proxy-v2"),
			fix(forSelf, "or do not expect it on this listener", "tlstriage proxy …  # without --proxy-protocol"),
		}}
	},
}
