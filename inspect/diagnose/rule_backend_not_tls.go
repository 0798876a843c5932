package diagnose

import (
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
)

var ruleBackendNotTLS = Rule{
	ID: "backend-not-tls", Severity: inspect.SeverityError, Leg: inspect.LegBackend, Fault: inspect.FaultBackend,
	when:        legDown,
	Title:       "The backend does not speak TLS on this port",
	Citation:    "RFC 8446, Section 5.1",
	Explanation: "The answer to our ClientHello is no TLS record: most often an HTTP 400 from a plain HTTP port, or from a server that was sent a PROXY protocol header it does not expect. Libraries call this \"wrong version number\" or \"record too long\". Check: `curl -v http://HOST:PORT/`.",
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
		if v.leg.ProxyProtocol != "" {
			m.fault = inspect.FaultProxy
			m.title = "The backend does not take the PROXY protocol header that this proxy sends"
			if leg == inspect.LegClient {
				m.fault = inspect.FaultClient
				m.title = "The server does not take the PROXY protocol header that it is sent"
			}
			m.detail += "; a PROXY protocol header (" + v.leg.ProxyProtocol + ") was sent to it first, which a server that does not expect one takes for garbage"
			m.fixes = []inspect.Fix{
				fix(forSelf, "send no PROXY protocol header to this backend", "tlstriage proxy --backend-proxy-protocol none …"),
				fix(forNginx, "or let the backend read it", "listen 443 ssl proxy_protocol;"),
				fix(forHAProxy, "or let the backend read it", "bind :443 ssl crt FILE accept-proxy"),
			}
			if leg == inspect.LegClient {
				m.fixes[0] = fix(forHAProxy, "send no PROXY protocol header to this server", "server NAME "+backendName(v)+"  # without send-proxy, send-proxy-v2")
			}
			return m
		}
		if s := v.leg.StartTLS; s != nil && leg == inspect.LegBackend {
			m.title = "The backend agreed to go over to TLS, and did not"
			m.detail += "; it had agreed to go over to TLS (" + bound(s.Protocol) + "), and went on in plain text"
			m.fixes = []inspect.Fix{fix(forBackend, "its log says why; what stands between and answers in its place (a firewall that rewrites the dialogue) looks like this, too",
				"openssl s_client -starttls "+plain(s.Protocol, "PROTOCOL")+" -connect "+backendName(v))}
			return m
		}
		if port, upgrades := implicitTLS(v.firstProtocol()); upgrades {
			m.detail += "; such a port begins in plain text and turns to TLS by STARTTLS or a request of its own"
			if ask := asksFor(v.firstProtocol()); ask != "" && v.leg.StartTLS == nil && leg == inspect.LegBackend {
				m.fault = inspect.FaultProxy
				m.fixes = []inspect.Fix{
					fix(forSelf, "ask it for TLS in its protocol", "tlstriage proxy --backend tls://"+backendName(v)+" --backend-starttls "+ask+" …"),
					fix(forSelf, "or use the port on which it speaks TLS from the first byte, where it has one"+port, ""),
				}
				return m
			}
			m.fixes = []inspect.Fix{
				fix(forSelf, "use the port on which it speaks TLS from the first byte, where it has one"+port, ""),
				fix(forSelf, "or carry it as plain TCP", "tlstriage proxy --backend tcp://"+backendName(v)+" …"),
			}
			return m
		}
		inClear := fix(forSelf, "speak plain text to this backend", "tlstriage proxy --backend tcp://"+backendName(v)+" …")
		if e.passed() {
			inClear = fix(forSelf, "end the clients' TLS here, and speak plain text to this backend", "tlstriage proxy --mode bridge --backend tcp://"+backendName(v)+" …")
		}
		m.fixes = []inspect.Fix{
			inClear,
			fix(forNginx, "or turn TLS on at the backend", "listen 443 ssl;"),
			fix(forHAProxy, "a server without TLS needs a server line without ssl", "server NAME "+backendName(v)),
			fix(forALB, "a target that speaks plain HTTP needs a target group of protocol HTTP", "aws elbv2 create-target-group --protocol HTTP --port "+portOf(v)+" …"),
			fix(forIngress, "a Service that speaks plain HTTP must not be marked HTTPS", "nginx.ingress.kubernetes.io/backend-protocol: \"HTTP\""),
			fix(forEnvoy, "a cluster that speaks plain text must have no transport_socket", ""),
		}
		return m
	},
}

// implicitTLS reports whether a protocol turns to TLS in the middle, and names the port on which it begins with TLS.
func implicitTLS(protocol string) (port string, upgrades bool) {
	switch protocol {
	case "smtp":
		return " (465)", true
	case "imap":
		return " (993)", true
	case "pop3":
		return " (995)", true
	case "ftp":
		return " (990)", true
	case "ldap":
		return " (636)", true
	case "xmpp":
		return " (5223)", true
	case "postgresql", "mysql", "rdp":
		return "", true
	}
	return "", false
}

// spoken names a protocol for a sentence.
func spoken(protocol string) string {
	switch protocol {
	case "", "unknown":
		return "something unknown"
	case "http", "http_response":
		return "plain HTTP"
	case "http2":
		return "plain HTTP/2"
	}
	return strings.ReplaceAll(bound(protocol), "_", " ")
}
