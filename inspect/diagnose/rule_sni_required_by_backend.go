package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleSNIRequiredByBackend = Rule{
	ID: idSNIRequiredByBackend, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	Title:    "The backend needs a server name that it knows",
	Citation: "RFC 6066, Section 3",
	Explanation: "The backend serves by name, and the hello from the proxy had none, or one that it does not serve (unrecognized_name). The name comes from the client unless one is configured; a proxy that connects by address must be told it. " +
		"Check: `openssl s_client -servername NAME -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		if e.backendBy != idSNIRequiredByBackend {
			return nil
		}
		sent := e.backend.hello.ServerName
		m := &match{ended: e.backend.failed(), detail: "name sent: " + or(bound(sent), "none") + "; the backend answered " + spell(e.backend.alert(inspect.FromServer))}
		if sent != "" {
			m.offered, m.fault = []string{sent}, inspect.FaultBackend
			m.title = "The backend does not know the server name"
		}
		if a := e.backend.alert(inspect.FromServer); sent == "" && a != nil && a.Code == alertHandshakeFailure {
			m.title = "The backend refuses a hello without a server name"
			m.detail += ", which gives no reason: most often it needs a name, else it has no suite, group or signature in common with this program"
		}
		m.fixes = []inspect.Fix{
			fix(forSelf, "send the name that the backend serves", "tlstriage proxy --backend-sni NAME …"),
			fix(forNginx, "if nginx stands in the proxy's place: it sends no name by default", "proxy_ssl_server_name on;\nproxy_ssl_name NAME;"),
			fix(forHAProxy, "if HAProxy stands in the proxy's place", "server NAME HOST:PORT ssl sni str(NAME) verify required ca-file CA"),
			fix(forIngress, "if ingress-nginx stands in the proxy's place", "nginx.ingress.kubernetes.io/proxy-ssl-server-name: \"on\"\nnginx.ingress.kubernetes.io/proxy-ssl-name: \"NAME\""),
			fix(forEnvoy, "if Envoy stands in the proxy's place, name it in the cluster's UpstreamTlsContext", "sni: NAME"),
			fix(forBackend, "or serve nameless clients from a default certificate", ""),
		}
		return m
	},
}
