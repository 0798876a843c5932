package diagnose

import "github.com/tlstriage/tlstriage/inspect"

var ruleSNIRequiredByBackend = Rule{
	ID: idSNIRequiredByBackend, Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultProxy,
	when:     backendRefuses,
	Title:    "The backend needs a server name that it knows",
	Citation: "RFC 6066, Section 3",
	Explanation: "The backend serves by name, and the hello from the proxy had none, or one that it does not serve (unrecognized_name). The name comes from the client unless one is configured; a proxy that connects by address must be told it. " +
		"Where the proxy looked at the backend again, under other names and under none, the detail says what each of them gets. Check: `openssl s_client -servername NAME -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		if e.backendBy != idSNIRequiredByBackend {
			return nil
		}
		sent, works := e.backend.hello.ServerName, e.nameThatWorks()
		m := &match{ended: e.backend.failed(), detail: "name sent: " + or(bound(sent), "none") + "; the backend "}
		a := e.backend.alert(inspect.FromServer)
		if a != nil {
			m.detail += "answered " + spell(a)
		} else {
			m.detail += "ended the connection"
		}
		switch {
		case sent != "":
			m.offered, m.fault = []string{sent}, inspect.FaultBackend
			m.title = "The backend requires a server name that it serves, and the one that was sent is none"
			if e.servesNameless() {
				m.title = "The backend refuses the server name that was sent; it takes others, and clients that send none"
			}
			if e.wrongNameConfigured() {
				m.fault = inspect.FaultProxy
			}
		case e.nameMatters() == nameDecides:
			m.title = "The backend refuses a hello without a server name, and takes one with a name"
		}
		m.detail += e.whichName()
		if works != "" {
			m.accepted = []string{works}
		}
		name := plain(works, "NAME")
		m.fixes = []inspect.Fix{
			fix(forSelf, "send the name that the backend serves", "tlstriage proxy --backend-sni "+name+" …"),
			fix(forNginx, "if nginx stands in the proxy's place: it sends no name by default", "proxy_ssl_server_name on;\nproxy_ssl_name "+name+";"),
			fix(forHAProxy, "if HAProxy stands in the proxy's place", "server NAME "+backendName(e.backend)+" ssl sni str("+name+") verify required ca-file CA"),
			fix(forIngress, "if ingress-nginx stands in the proxy's place", "nginx.ingress.kubernetes.io/proxy-ssl-server-name: \"on\"\nnginx.ingress.kubernetes.io/proxy-ssl-name: \""+name+"\""),
			fix(forEnvoy, "if Envoy stands in the proxy's place, name it in the cluster's UpstreamTlsContext", "sni: "+name),
			fix(forBackend, "or serve nameless clients from a default certificate", ""),
		}
		if sent != "" {
			m.fixes[len(m.fixes)-1] = fix(forBackend, "or add the name to the backend, with a certificate for it", "")
		}
		return m
	},
}
