package diagnose

import (
	"fmt"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleQUICAltSvcUnused = Rule{
	ID: "quic-alt-svc-unused", Severity: inspect.SeverityInfo, Leg: inspect.LegClient, Fault: inspect.FaultNetwork,
	when:     altSvcUnused,
	Title:    "Clients are told of HTTP/3 and none ever comes: UDP is blocked, perhaps",
	Citation: "RFC 7838, Section 2.4; RFC 9114, Section 3.1",
	Explanation: "Answers over TCP tell clients of the way over QUIC (Alt-Svc). Many of them came back since, and not one datagram of QUIC arrived at the listener's UDP port. UDP is dropped on the way (a security group, firewall or Service that lets only TCP through to the port, a load balancer without a UDP listener), the port that is advertised is another one than clients can reach, or these clients cannot do HTTP/3 (curl without it, most HTTP libraries). Nothing fails: browsers try both ways and take what works. " +
		"Check: `nc -uvz HOST PORT` says little; ask with a client that speaks it: `curl --http3-only https://NAME/`, and see on the server whether anything comes: `tcpdump -ni any udp port PORT`.",
	check: func(e *evidence) *match {
		if e.c.HTTP == nil || e.c.HTTP.AltSvc == nil || e.c.HTTP.AltSvc.Returned == 0 {
			return nil
		}
		port := portOf(e.client)
		return &match{
			detail: fmt.Sprintf("%d times a client that had been told came back over TCP, and no datagram of QUIC came meanwhile", e.c.HTTP.AltSvc.Returned),
			fixes: []inspect.Fix{
				fix(forNetwork, "let UDP through to the port, everywhere where TCP is let through", "nft add rule inet filter input udp dport "+port+" accept"),
				fix(forNLB, "give the load balancer a listener for UDP as well", "aws elbv2 create-listener --load-balancer-arn ARN --protocol TCP_UDP --port 443 --default-actions …"),
				fix(forIngress, "name the port twice in the Service, the second time with protocol UDP", "- {name: https-quic, port: 443, protocol: UDP, targetPort: 8443}"),
				fix(forSelf, "where clients see another port than the one that is listened on, advertise that one", `tlstriage proxy --alt-svc 'h3=":443"; ma=86400' …`),
			},
		}
	},
}
