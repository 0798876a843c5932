package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleBackendNotTLS = Rule{
	ID: "backend-not-tls", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	Title:       "The backend does not speak TLS on this port",
	Citation:    "RFC 8446, Section 5.1",
	Explanation: "The answer to our ClientHello is no TLS record: most often an HTTP 400 from a plain HTTP port. Libraries call this \"wrong version number\" or \"record too long\". Check: `curl -v http://HOST:PORT/`.",
	check: func(e *evidence) *match {
		v, leg := e.backend, inspect.LegBackend
		if e.serverNotTLS() {
			v, leg = e.client, inspect.LegClient
		}
		if !v.is(inspect.ErrorNotTLS) {
			return nil
		}
		m := &match{ended: true, leg: leg, detail: "backend " + backendName(v) + " speaks " + spoken(v.firstProtocol())}
		if line := v.firstLine(); line != "" {
			m.detail += "; its first line: " + line
		}
		m.fixes = []inspect.Fix{
			fix(forSelf, "speak plain text to this backend", "tlstriage proxy --backend tcp://"+backendName(v)+" …"),
			fix(forNginx, "or turn TLS on at the backend", "listen 443 ssl;"),
			fix(forHAProxy, "a server without TLS needs a server line without ssl", "server NAME HOST:PORT"),
			fix(forALB, "a target that speaks plain HTTP needs a target group of protocol HTTP", "aws elbv2 create-target-group --protocol HTTP --port PORT …"),
			fix(forIngress, "a Service that speaks plain HTTP must not be marked HTTPS", "nginx.ingress.kubernetes.io/backend-protocol: \"HTTP\""),
			fix(forEnvoy, "a cluster that speaks plain text must have no transport_socket", ""),
		}
		return m
	},
}

// spoken names a protocol for a sentence.
func spoken(protocol string) string {
	switch protocol {
	case "":
		return "something unknown"
	case "http", "http_response":
		return "plain HTTP"
	case "http2":
		return "plain HTTP/2"
	}
	return strings.ReplaceAll(bound(protocol), "_", " ")
}
