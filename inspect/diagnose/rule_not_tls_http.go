package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleNotTLSHTTP = Rule{
	ID: "not-tls-http", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client speaks plain HTTP on a TLS port",
	Citation: "RFC 9110, Section 4.2.2",
	Explanation: "The first bytes are an HTTP request and no TLS record: an http:// URL with a TLS port in it, a health check of type HTTP, or a load balancer " +
		"in front that ended TLS already and forwards plain text. Check: `curl -v http://HOST:PORT/` fails the same way, `curl -v https://HOST:PORT/` works.",
	check: func(e *evidence) *match {
		if !e.client.is(inspect.ErrorNotTLS) || !plainHTTP(e.client.firstProtocol()) || e.serverNotTLS() {
			return nil
		}
		return &match{
			ended:  true,
			detail: "first line: " + or(e.client.firstLine(), "not recorded"),
			fixes: []inspect.Fix{
				fix(forClient, "use https in the URL, or the port that speaks plain HTTP", "https://"+plain(e.client.hello.ServerName, "HOST")+"/"),
				fix(forALB, "if a target group sends this, its protocol (or its health check's) must be HTTPS", "aws elbv2 modify-target-group --target-group-arn ARN --health-check-protocol HTTPS"),
				fix(forNginx, "if nginx sends this, its upstream must be reached by https", "proxy_pass https://BACKEND;"),
				fix(forHAProxy, "if HAProxy sends this, its server line lacks ssl", "server NAME "+backendName(e.client)+" ssl verify required ca-file FILE"),
			},
		}
	},
}

// plainHTTP reports whether a client's first bytes are HTTP: a request, or HTTP/2 with prior knowledge.
func plainHTTP(protocol string) bool { return protocol == "http" || protocol == "http2" }
