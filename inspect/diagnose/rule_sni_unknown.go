package diagnose

import (
	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleSNIUnknown = Rule{
	ID: "sni-unknown", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultPolicy,
	when:     clientLegDown | hasAlert,
	Title:    "The server does not know the name that the client asks for",
	Citation: "RFC 6066, Section 3",
	Explanation: "The client asks for a name for which the server has neither a route nor a certificate: a DNS entry that points to the wrong place, a site that was not configured here, or a typing error. Check: " +
		"`openssl s_client -servername NAME -connect HOST:PORT` with a name that must work.",
	check: func(e *evidence) *match {
		name := e.client.hello.ServerName
		if name == "" {
			return nil
		}
		if e.refusal == policy.DimensionServerName {
			m := &match{ended: true, offered: []string{name}, accepted: e.accepted(policy.DimensionServerName), fixes: serveName(name)}
			m.detail = "no route or certificate for " + bound(name)
			if e.foreign() {
				m.fault = inspect.FaultBackend
			} else if e.c.Policy == nil || e.c.Policy.Accepted {
				m.fault = inspect.FaultProxy
			}
			if a := e.client.alert(inspect.FromServer); a != nil {
				m.detail += "; the server answered " + spell(a)
			}
			return m
		}
		// A warning unrecognized_name lets the handshake go on, and some clients end it all the same (RFC 6066, Section 3).
		for _, a := range e.client.tls.Alerts {
			if a.Code == alertUnrecognizedName && a.From == inspect.FromServer && e.client.established() {
				return &match{severity: inspect.SeverityInfo, offered: []string{name}, fixes: serveName(name),
					detail: "the server warned (unrecognized_name) that it does not know " + bound(name) + " and went on"}
			}
		}
		return nil
	},
}

func serveName(name string) []inspect.Fix {
	name = plain(name, "NAME")
	return []inspect.Fix{
		fix(forSelf, "add a route for the name, or a default route", "server_names: ["+name+"]"),
		fix(forNginx, "serve the name", "server_name "+name+";"),
		fix(forHAProxy, "add a certificate for the name", "bind :443 ssl crt /etc/haproxy/certs/"),
		fix(forALB, "add a certificate for the name to the listener", "aws elbv2 add-listener-certificates --listener-arn LISTENER_ARN --certificates CertificateArn=ARN"),
		fix(forIngress, "name the host in the Ingress, in its rules and under tls", "tls:\n- hosts: ["+name+"]\n  secretName: SECRET"),
		fix(forEnvoy, "add a filter chain for the name", "filter_chain_match: {server_names: [\""+name+"\"]}"),
		fix(forApache, "add a virtual host for the name, or the name to one", "ServerAlias "+name),
		fix(forClient, "if the name is wrong: correct it, or the DNS entry that leads here", ""),
	}
}
