package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleBackendNotTLS = Rule{
	ID: "backend-not-tls", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend does not speak TLS on this port",
	Citation:    "RFC 8446, Section 5.1",
	Explanation: "The answer to our ClientHello is no TLS record: most often an HTTP 400 from a plain HTTP port. Libraries call this \"wrong version number\" or \"record too long\". Check: `curl -v http://HOST:PORT/`.",
	check: func(e *evidence) *match {
		if !e.backend.is(inspect.ErrorNotTLS) {
			return nil
		}
		protocol := or(bound(e.backend.firstProtocol()), "something unknown")
		m := &match{ended: true, detail: "backend " + backendName(e.backend) + " speaks " + protocol}
		if line := e.backend.firstLine(); line != "" {
			m.detail += "; its first line: " + line
		}
		m.fixes = []inspect.Fix{
			fix(forSelf, "speak plain text to this backend", "tlstriage proxy --backend tcp://"+backendName(e.backend)+" …"),
			fix(forNginx, "or turn TLS on at the backend", "listen 443 ssl;"),
			fix(forHAProxy, "a server without TLS needs a server line without ssl", "server NAME HOST:PORT"),
			fix(forALB, "a target that speaks plain HTTP needs a target group of protocol HTTP", "aws elbv2 create-target-group --protocol HTTP --port PORT …"),
			fix(forIngress, "a Service that speaks plain HTTP must not be marked HTTPS", "nginx.ingress.kubernetes.io/backend-protocol: \"HTTP\""),
			fix(forEnvoy, "a cluster that speaks plain text must have no transport_socket", ""),
		}
		return m
	},
}
