package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleSNIMissing = Rule{
	ID: "sni-missing", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "The client sends no server name, and the server needs one",
	Citation: "RFC 6066, Section 3; RFC 9110, Section 4.2.2",
	Explanation: "Without server_name in its hello the client cannot say which site it wants. Servers of many names then refuse (unrecognized_name, missing_extension or handshake_failure) or serve a default certificate. " +
		"Clients without it: very old ones, health checks by address, and code that connects to an IP address. Check: `openssl s_client -noservername -connect HOST:PORT` against `-servername NAME`.",
	check: func(e *evidence) *match {
		if e.refusal != policy.DimensionServerName || e.client.hello.ServerName != "" {
			return nil
		}
		m := &match{ended: true, accepted: e.accepted(policy.DimensionServerName), detail: "no server_name in the hello"}
		if a := e.client.alert(inspect.FromServer); a != nil {
			m.detail += "; the server answered " + spell(a)
			if a.Code == alertHandshakeFailure {
				m.title = "The server refuses a hello without a server name"
				m.detail += ", which gives no reason: most often it needs a name, else it has no version, suite, group or signature in common with the client"
			}
		}
		m.fixes = append([]inspect.Fix{sendSNI()}, defaultServer()...)
		return m
	},
}

func sendSNI() inspect.Fix {
	return fix(forClient, "connect by name, not by address, and send it as server name", "openssl s_client -servername NAME … / curl --resolve NAME:443:ADDRESS https://NAME/")
}

// defaultServer tells each server how to take connections without a name.
func defaultServer() []inspect.Fix {
	return []inspect.Fix{
		fix(forNginx, "serve nameless clients from a default server", "listen 443 ssl default_server;"),
		fix(forHAProxy, "serve nameless clients with the first certificate: no strict-sni", "bind :443 ssl crt FILE"),
		fix(forEnvoy, "add a filter chain without server_names", "default_filter_chain: {…}"),
		fix(forIngress, "give the controller a default certificate", "--default-ssl-certificate=NAMESPACE/SECRET"),
		fix(forSelf, "give the listener a default route", ""),
	}
}
