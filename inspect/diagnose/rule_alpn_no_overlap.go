package diagnose

import (
	"slices"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleALPNNoOverlap = Rule{
	ID: "alpn-no-overlap", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:     clientLegDown,
	Title:    "Client and server have no application protocol in common",
	Citation: "RFC 7301, Section 3.2",
	CausedBy: []string{idBackendALPNMismatch, idQUICNoH3},
	Explanation: "The client asks for protocols (ALPN) of which the server speaks none, and the server ends the handshake with no_application_protocol (alert 120) as RFC 7301 wants. A gRPC client offers only h2; " +
		"an HTTP/1.0 client offers what no server knows. Check: `openssl s_client -alpn h2,http/1.1 -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		if e.refusal != policy.DimensionALPN {
			return nil
		}
		m := e.noOverlap(policy.DimensionALPN, "application protocol")
		m.fixes = alpnFixes(m.offered)
		return m
	},
}

func alpnFixes(protocols []string) []inspect.Fix {
	if slices.Contains(protocols, "postgresql") {
		return []inspect.Fix{
			fix(forClient, "let it ask for TLS as every version of PostgreSQL knows it, in place of speaking it at once", "sslnegotiation=postgres"),
			fix(forBackend, "TLS from the first byte, with ALPN, is there from PostgreSQL 17 on", ""),
		}
	}
	var fixes []inspect.Fix
	if !slices.Contains(protocols, "http/1.1") {
		fixes = append(fixes, fix(forClient, "let it offer http/1.1 as well, if it can speak that", "h2,http/1.1"))
	}
	for _, p := range protocols {
		if p != "h2" {
			continue
		}
		return append(fixes,
			fix(forNginx, "speak HTTP/2 on this server", "listen 443 ssl http2;  # from nginx 1.25.1 on: http2 on;"),
			fix(forHAProxy, "speak HTTP/2 on this bind line", "bind :443 ssl crt FILE alpn h2,http/1.1"),
			fix(forALB, "turn HTTP/2 on", "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN --attributes Key=routing.http2.enabled,Value=true"),
			fix(forNLB, "give the listener an ALPN policy", "aws elbv2 modify-listener --listener-arn LISTENER_ARN --alpn-policy HTTP2Preferred"),
			fix(forIngress, "turn HTTP/2 on in the controller's ConfigMap", "use-http2: \"true\""),
			fix(forEnvoy, "list h2 in the listener's common_tls_context", "alpn_protocols: [h2, http/1.1]"),
			fix(forApache, "speak HTTP/2 on this virtual host (mod_http2)", "Protocols h2 http/1.1"))
	}
	if len(protocols) > 0 {
		fixes = append(fixes, fix(forHAProxy, "name the protocol on the bind line, if the backend speaks it", "bind :443 ssl crt FILE alpn "+plain(protocols[0], "PROTOCOL")))
	}
	return fixes
}
