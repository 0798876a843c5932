package diagnose

// networkSymptoms are what the operating system says of the transport.
var networkSymptoms = []symptom{
	{
		says: "the transport", any: []string{"connection reset during the handshake", "connection reset by peer", "connection was reset", "econnreset", "connection reset", "wsaeconnreset", "10054", "forcibly closed by the remote host"},
		means:   "A TCP reset ended the connection. During a handshake: a firewall or load balancer that does not like the hello (its size or name), a server that closes with data unread, or a client that refuses the certificate without an alert.",
		speaker: "the side that was reset, of its peer or of something between", findings: []string{"backend-reset", "client-aborted", "client-hello-fragmented", "server-cert-rejected-by-client", "backend-requires-client-cert"}, look: "captures at both ends: a reset that its alleged sender did not send comes from between", run: runCapture,
	},
	{
		says: "the transport", any: []string{"connection refused", "econnrefused", "10061"},
		means:   "Nothing listens at the address and port, or a firewall rejects.",
		speaker: "the server's machine", findings: []string{"backend-refused"}, look: "the service and its port", run: "ss -ltnp",
	},
	{
		says: "the transport", any: []string{"connection timed out", "etimedout", "operation timed out", "i/o timeout", "timed out during handshake", "handshake timed out", "context deadline exceeded"},
		means:   "No answer in time: packets are dropped on the way, or the peer is stuck. If small hellos pass and large ones do not, it is the path's MTU.",
		speaker: "the side that waited", findings: []string{"backend-timeout", "client-timeout", "client-hello-fragmented", "client-hello-incomplete"}, look: "the phase; the path's MTU", run: "ping -M do -s 1472 HOST",
	},
	{
		says: "the transport", any: []string{"no route to host", "network is unreachable", "ehostunreach", "enetunreach", "host unreachable"},
		means:   "There is no way to the address.",
		speaker: "this machine or a router", findings: []string{"backend-unreachable"}, look: "routes, address family", run: "ip route get ADDRESS",
	},
	{
		says: "the transport", any: []string{"name or service not known", "enotfound", "eai again", "temporary failure in name resolution", "nodename nor servname provided", "getaddrinfo"},
		means:   "The name does not resolve.",
		speaker: "the resolver", findings: []string{"backend-unresolvable"}, look: "spelling, resolver, search domains", run: "getent hosts NAME",
	},
	{
		says: "the transport", any: []string{"broken pipe", "epipe"},
		means:   "The peer had closed while this side was still writing.",
		speaker: "the side that wrote", findings: cutIDs, look: "who closes first", run: runCapture,
	},
	{
		says: "the transport", any: []string{"eof", "unexpected end of file", "end of file"},
		means:   "The peer closed the connection. During a handshake that is a refusal without words.",
		speaker: "the side that was left", findings: append([]string{"backend-closed", "connection-empty"}, cutIDs...), look: "who closes, and after which message", run: runCapture,
	},
	{
		says: "the transport", any: []string{"too many open files", "emfile"},
		means:   "The limit of descriptors is reached: no new connection can be made.",
		speaker: "the side that prints it", findings: []string{"proxy-overloaded"}, look: "ulimit -n, and who holds connections open", run: "ulimit -n",
	},
}
