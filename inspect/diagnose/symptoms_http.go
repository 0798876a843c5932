package diagnose

// httpSymptoms are the status codes by which proxies, CDNs and servers tell of TLS trouble.
var httpSymptoms = []symptom{
	{
		says: "HTTP status 502", any: []string{"502", "bad gateway"},
		means:   "The proxy got no valid answer from its backend: refused, reset, a failed handshake, a certificate that it does not accept, or plain text where TLS was expected.",
		speaker: "the proxy, of its backend", findings: append(append([]string{}, backendDown...), "cert-expired", "cert-name-mismatch", "chain-untrusted-root", "backend-requires-client-cert", "backend-version-no-overlap", "backend-stricter-than-proxy"), look: "the backend leg", run: runProxy,
	},
	{
		says: "HTTP status 503", any: []string{"503", "service unavailable"},
		means:   "The proxy has no backend that it takes for healthy: its health checks fail, often over TLS, or it is out of slots.",
		speaker: "the proxy, of its backends", findings: append(append([]string{}, backendDown...), "proxy-overloaded", "proxy-shutdown"), look: "the health checks", run: runScan,
	},
	{
		says: "HTTP status 504", any: []string{"504", "gateway timeout", "gateway time out"},
		means:   "The backend did not answer in time, or packets to it are dropped.",
		speaker: "the proxy, of its backend", findings: []string{"backend-timeout", "backend-unreachable", "backend-not-tls"}, look: "security groups, the port, load", run: "nc -vz HOST PORT",
	},
	{
		says: "HTTP status 525 (Cloudflare)", any: []string{"525", "ssl handshake failed"}, with: []string{"525", "cloudflare"},
		means:   "The CDN could not finish a handshake with the origin: nothing in common, no certificate for the name, or the connection was cut.",
		speaker: "the CDN, of the origin", findings: []string{"backend-version-no-overlap", "backend-cipher-no-overlap", "sni-required-by-backend", "backend-not-tls", "backend-reset", "backend-closed", "backend-requires-client-cert", "backend-alert"}, look: "the origin with the site's name", run: "tlstriage proxy --listen 127.0.0.1:0 --backend https://ORIGIN:443 --backend-sni NAME",
	},
	{
		says: "HTTP status 526 (Cloudflare)", any: []string{"526", "invalid ssl certificate"}, with: []string{"526", "cloudflare"},
		means:   "The CDN (Full, strict) does not accept the origin's certificate.",
		speaker: "the CDN, of the origin's certificate", findings: anyCert, look: "the origin's chain", run: "tlstriage proxy --listen 127.0.0.1:0 --backend https://ORIGIN:443 --backend-sni NAME",
	},
	{
		says: "HTTP status 521, 522, 523 (Cloudflare)", any: []string{"521", "522", "523", "524"},
		means:   "The CDN does not reach the origin: refused (521), timed out (522), no route (523), too slow (524).",
		speaker: "the CDN, of the origin", findings: []string{"backend-refused", "backend-timeout", "backend-unreachable", "backend-unresolvable"}, look: "firewall: the CDN's addresses", run: "nc -vz ORIGIN 443",
	},
	{
		says: "HTTP status 495 (nginx)", any: []string{"495", "ssl certificate error"},
		means:   "The server does not accept the client's certificate.",
		speaker: "the server, of the client's certificate", findings: []string{"client-cert-untrusted", "client-cert-expired", "client-cert-revoked", "backend-rejects-client-cert"}, look: "authority, dates, intermediates of the client's certificate", run: "openssl verify -purpose sslclient -CAfile CA client.pem",
	},
	{
		says: "HTTP status 496 (nginx)", any: []string{"496", "ssl certificate required", "no required ssl certificate was sent"},
		means:   "The server requires a client certificate and none came.",
		speaker: "the server, of the client", findings: []string{"client-cert-missing", "backend-requires-client-cert", "policy-rejects-client-cert"}, look: "the client's configuration; a proxy between cannot pass a client certificate on", run: runShow,
	},
	{
		says: "HTTP status 497 (nginx)", any: []string{"497"},
		means:   "A plain HTTP request came to a TLS port.",
		speaker: "the server, of the client", findings: []string{"not-tls-http"}, look: "the client's URL", run: runPlain,
	},
	{
		says: "HTTP status 421", any: []string{"421", "misdirected request"},
		means:   "The request's host does not belong to the connection's server name: a connection reused for another site, or a proxy that sends another name than the Host header's.",
		speaker: "the server, of the request", findings: []string{"name-differs-between-legs", "sni-unknown", "sni-missing"}, look: "server name against Host", run: runShow,
	},
	{
		says: "HTTP status 400", any: []string{"400", "400 bad request"}, with: []string{"ssl", "certificate", "http status", "http/1.1 400", "https port", "400"},
		means:   "About TLS when its page says so: plain HTTP sent to a TLS port, or a required client certificate that did not come or was not accepted.",
		speaker: "the server, of the client", findings: []string{"not-tls-http", "client-cert-missing", "backend-requires-client-cert", "client-cert-untrusted"}, look: "the page's text", run: runPlain,
	},
	{
		says: "HTTP status 460, 463, 561 (AWS ALB)", any: []string{"460", "463", "561"},
		means:   "ALB: 460 the client closed before the answer; 463 too many X-Forwarded-For entries; 561 the identity provider failed.",
		speaker: "the load balancer", findings: []string{"client-aborted", "client-timeout"}, look: "idle timeouts on both sides", run: runCapture,
	},
}
