package diagnose

// proxySymptoms are the log lines of nginx, Apache, HAProxy, Envoy and AWS load balancers.
var proxySymptoms = []symptom{
	{
		says: "nginx", any: []string{"ssl do handshake() failed", "ssl handshaking"},
		means:   "nginx: the handshake failed. \"while SSL handshaking\" with a client, \"while SSL handshaking to upstream\" with the backend; OpenSSL's reason stands in brackets.",
		speaker: "nginx, of the client or of its upstream", findings: overlapIDs, look: "the reason in brackets; upstream or client", run: runProxy,
	},
	{
		says: "nginx", any: []string{"ssl handshaking to upstream"},
		means:   "nginx could not agree with its backend. nginx sends no server name to an upstream unless proxy_ssl_server_name is on.",
		speaker: "nginx, of its upstream", findings: []string{"sni-required-by-backend", "backend-version-no-overlap", "backend-cipher-no-overlap", "backend-not-tls", "backend-requires-client-cert", "backend-alert"}, look: "proxy_ssl_server_name, proxy_ssl_protocols", run: runScan,
	},
	{
		says: "nginx", any: []string{"upstream ssl certificate verify error", "upstream ssl certificate does not match"},
		means:   "nginx (proxy_ssl_verify on) does not accept its backend's certificate.",
		speaker: "nginx, of its upstream's certificate", findings: anyCert, look: "proxy_ssl_trusted_certificate, proxy_ssl_name", run: runCerts,
	},
	{
		says: "nginx", any: []string{"client sent plain http request to https port", "the plain http request was sent to https port", "http request was sent to https port"},
		means:   "A plain HTTP request came to a TLS port (nginx answers 400 and logs 497).",
		speaker: "nginx, of the client", findings: []string{"not-tls-http"}, look: "who sends it: a redirect, a health check, a proxy in front", run: runPlain,
	},
	{
		says: "nginx", any: []string{"upstream prematurely closed connection", "peer closed connection in ssl handshake", "connection reset by peer) while ssl handshaking"},
		means:   "The peer closed the connection during the handshake.",
		speaker: "nginx, of its peer", findings: cutIDs, look: "who closes", run: runCapture,
	},
	{
		says: "nginx", any: []string{"client ssl certificate verify error", "the ssl certificate error"},
		means:   "nginx does not accept the client's certificate (495).",
		speaker: "nginx, of the client's certificate", findings: []string{"client-cert-untrusted", "client-cert-expired", "client-cert-revoked", "backend-rejects-client-cert"}, look: "ssl_client_certificate, ssl_verify_depth", run: "openssl verify -purpose sslclient -CAfile CA client.pem",
	},
	{
		says: "nginx", any: []string{"no ssl certificate is defined", "cannot load certificate", "ssl preload"},
		means:   "nginx has no certificate for the server block, or cannot read it.",
		speaker: "nginx, of its own files", findings: []string{"default-certificate-served", "server-alert", "sni-unknown"}, look: "ssl_certificate", run: "nginx -t",
	},
	{
		says: "HAProxy", any: []string{"ssl handshake failure", "ssl handshake error"},
		means:   "HAProxy: the handshake failed on the frontend named in the line (or with a server, in a health check); since 2.5 error-log-format can add OpenSSL's reason (ssl_fc_err_str).",
		speaker: "HAProxy, of the client", findings: append([]string{"server-cert-rejected-by-client"}, overlapIDs...), look: "log-format with %[ssl_fc_err_str]", run: runProxy,
	},
	{
		says: "HAProxy", any: []string{"connection closed during ssl handshake", "timeout during ssl handshake", "connection error during ssl handshake", "connection reset by peer during ssl handshake"},
		means:   "HAProxy: the client went away during the handshake, or said nothing.",
		speaker: "HAProxy, of the client", findings: []string{"client-aborted", "client-timeout", "connection-empty", "server-cert-rejected-by-client", "client-hello-incomplete"}, look: "health checks of something in front; else a capture", run: runCapture,
	},
	{
		says: "HAProxy", any: []string{"layer6 invalid response", "l6rsp", "layer6 timeout", "l6tout"},
		means:   "HAProxy's health check could not finish a handshake with the server: it does not speak TLS, or does not agree, or is too slow.",
		speaker: "HAProxy, of its server", findings: []string{"backend-not-tls", "backend-version-no-overlap", "backend-cipher-no-overlap", "chain-untrusted-root", "sni-required-by-backend", "backend-timeout"}, look: "check-ssl, check-sni, verify on the server line", run: runScan,
	},
	{
		says: "Envoy", any: []string{"upstream connect error or disconnect/reset before headers", "upstream connect error", "tls error:"},
		means:   "Envoy could not connect to its upstream; \"transport failure reason: TLS error\" has BoringSSL's code.",
		speaker: "Envoy, of its upstream", findings: append([]string{"chain-untrusted-root", "cert-name-mismatch", "backend-not-tls", "backend-requires-client-cert"}, backendDown...), look: "the cluster's transport_socket: sni, validation_context", run: runScan,
	},
	{
		says: "Envoy, response flags", any: []string{"uf,urx", "urx,uf", "uf urx", "uf", "urx", "uc"}, with: []string{"uf,urx", "urx,uf", "envoy", "istio", "response flag", "503", "upstream"},
		means:   "UF: connection to the upstream failed (its TLS handshake included); URX: the retries were used up; UC: the upstream ended the connection.",
		speaker: "Envoy, of its upstream", findings: append([]string{"backend-not-tls", "chain-untrusted-root", "backend-requires-client-cert"}, backendDown...), look: "%UPSTREAM_TRANSPORT_FAILURE_REASON% in the access log", run: runScan,
	},
	{
		says: "Istio", any: []string{"tls mode mismatch", "non tls request to a tls port", "filter chain not found", "nc filter chain"},
		means:   "No filter chain takes the connection: plain text where mutual TLS is strict, or a server name that nobody serves.",
		speaker: "Envoy, of the client", findings: []string{"not-tls-http", "sni-unknown", "sni-missing", "client-cert-missing"}, look: "PeerAuthentication and DestinationRule", run: "istioctl x describe pod POD",
	},
	{
		says: "AWS load balancer", any: []string{"clienttlsnegotiationerrorcount", "clienttlsnegotiationerror", "tls negotiation error"},
		means:   "A client and the load balancer found no version or suite in common, or the client refused the certificate.",
		speaker: "the load balancer, of clients", findings: append([]string{"policy-rejects-version", "policy-rejects-cipher", "server-cert-rejected-by-client"}, overlapIDs...), look: "the listener's security policy; connection logs", run: "tlstriage proxy --policy aws/ELBSecurityPolicy-TLS13-1-2-2021-06 --listen :8443 --backend https://HOST:PORT",
	},
	{
		says: "AWS load balancer", any: []string{"targettlsnegotiationerrorcount", "targettlsnegotiationerror", "target.responsecodemismatch", "target.failedhealthchecks"},
		means:   "The load balancer could not finish a handshake with a target (it does not verify the target's certificate), or its health check failed.",
		speaker: "the load balancer, of the target", findings: []string{"backend-not-tls", "backend-version-no-overlap", "backend-cipher-no-overlap", "backend-requires-client-cert", "backend-refused", "backend-timeout"}, look: "the target's port and versions", run: runScan,
	},
	{
		says: "Apache", any: []string{"ah02039", "ah02008", "ah02261", "ah01998", "ah02032", "ah01961", "ah02568", "ah02212", "speaking plain http to an ssl enabled server port"},
		means:   "Apache mod_ssl: AH02008, AH02261, AH01998 a failed handshake; AH02039 a client certificate that was refused; AH02032 a Host other than the server name (421); plain HTTP on a TLS port.",
		speaker: "Apache, of the client", findings: append([]string{"client-cert-untrusted", "not-tls-http", "sni-unknown", "name-differs-between-legs"}, overlapIDs...), look: "the lines around it at LogLevel ssl:info", run: runProxy,
	},
	{
		says: "a PROXY protocol mismatch", any: []string{"broken header", "while reading proxy protocol", "received something which does not look like a proxy protocol header", "proxy protocol"},
		means:   "One side sends a PROXY protocol header that the other does not expect, or the other way round.",
		speaker: "the receiving side", findings: []string{"proxy-protocol-missing", "not-tls-other", "backend-closed"}, look: "proxy_protocol, accept-proxy, send-proxy on both sides", run: runCapture,
	},
}
