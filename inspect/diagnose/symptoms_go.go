package diagnose

// goSymptoms are what Go's crypto/tls, crypto/x509 and net print, and through them Traefik, Caddy, Kubernetes, Docker, Prometheus and Terraform.
var goSymptoms = []symptom{
	{
		says: "Go", any: []string{"x509: certificate signed by unknown authority", "certificate signed by unknown authority"},
		means:   "No path from the server's certificate to a root that this program trusts: a missing intermediate, a private authority, or a self-signed certificate.",
		speaker: "the client, of the server's certificate", findings: chainIDs, look: "which certificates the server sends", run: runCerts,
	},
	{
		says: "Go", any: []string{"x509: certificate has expired or is not yet valid"},
		means:   "The certificate's dates do not include now; the text goes on with both times.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-expired", "cert-not-yet-valid", "chain-intermediate-expired"}, look: "the dates, and this machine's clock", run: runCerts,
	},
	{
		says: "Go", any: []string{"x509: negative serial number"},
		means:   "The certificate's serial number is negative; Go refuses to read it since 1.23.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-bad-serial"}, look: "the serial number", run: runCerts,
	},
	{
		says: "Go", any: []string{"is not authorized to sign for this name", "certificate is not authorized to sign other certificates", "too many intermediates for path length constraint"},
		means:   "An authority of the chain may not issue this certificate.",
		speaker: "the client, of the server's chain", findings: []string{"cert-wrong-usage"}, look: "name constraints, path length and CA flag of the intermediates", run: runCerts,
	},
	{
		says: "Go", any: []string{"invalid signature by the client certificate"},
		means:   "The client did not prove that it has the key of its certificate.",
		speaker: "the server, of the client", findings: []string{"client-cert-unproven"}, look: "whether key and certificate belong together", run: "openssl x509 -in client.pem -noout -pubkey; openssl pkey -in client.key -pubout",
	},
	{
		says: "Go", any: []string{"x509: certificate is valid for", "x509: certificate is not valid for any names", "x509: cannot validate certificate for", "certificate relies on legacy common name field", "doesn t contain any ip sans", "doesnt contain any ip sans"},
		means:   "The certificate is for other names than the one asked for. The common name does not count; an address needs an IP entry.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served", "name-differs-between-legs"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "Go", any: []string{"x509: certificate specifies an incompatible key usage"},
		means:   "The certificate may not be used for this: a client certificate on a server, or the other way round.",
		speaker: "the verifying side, of its peer", findings: []string{"cert-wrong-usage", "client-cert-wrong-usage"}, look: "extendedKeyUsage", run: runCerts,
	},
	{
		says: "Go", any: []string{"x509: cannot verify signature: insecure algorithm", "insecure algorithm sha1", "sha1 rsa"},
		means:   "A certificate of the chain is signed with SHA-1 or MD5.",
		speaker: "the verifying side, of its peer", findings: []string{"cert-weak-signature"}, look: "the chain's signature algorithms", run: runCerts,
	},
	{
		says: "Go", any: []string{"tls: failed to verify certificate", "tls: failed to verify client certificate", "tls: bad certificate"},
		means:   "Verification of the peer's certificate failed; the reason follows behind the colon.",
		speaker: "the verifying side, of its peer's certificate", findings: anyCert, look: "the whole chain", run: runCerts,
	},
	{
		says: "Go", any: []string{"first record does not look like a tls handshake"},
		means:   "What came first is no TLS: the peer speaks plain text, a PROXY protocol header, or STARTTLS is needed first.",
		speaker: "the side that expected TLS, of its peer", findings: []string{"backend-not-tls", "not-tls-http", "not-tls-other", "proxy-protocol-missing"}, look: "what the port really speaks", run: runPlain,
	},
	{
		says: "Go", any: []string{"server gave http response to https client"},
		means:   "The server speaks plain HTTP on this port.",
		speaker: "the client, of the server", findings: []string{"backend-not-tls"}, look: "the port and the URL's scheme", run: runPlain,
	},
	{
		says: "Go", any: []string{"client sent an http request to an https server"},
		means:   "A plain HTTP request came to a TLS port.",
		speaker: "the server, of the client", findings: []string{"not-tls-http"}, look: "the client's URL", run: runPlain,
	},
	{
		says: "Go", any: []string{"client offered only unsupported versions", "server selected unsupported protocol version", "protocol version not supported"},
		means:   "No TLS version in common. Go accepts TLS 1.2 and newer unless told otherwise.",
		speaker: "the side that prints it, of its peer", findings: []string{"version-no-overlap", "backend-version-no-overlap", "policy-rejects-version", "client-legacy-version"}, look: "the versions on both sides", run: runScan,
	},
	{
		says: "Go", any: []string{"no cipher suite supported by both client and server", "server chose an unconfigured cipher suite"},
		means:   "No suite in common, or none that fits the certificate.",
		speaker: "the server, of the client's hello", findings: []string{"cipher-no-overlap", "group-no-overlap", "policy-rejects-cipher", "proxy-cannot-serve", "backend-cipher-no-overlap"}, look: "the client's suites and groups", run: runProxy,
	},
	{
		says: "Go", any: []string{"peer doesn t support any of the certificate s signature algorithms", "client doesn t support selected certificate", "doesn t support any of the certificate"},
		means:   "The client accepts no signature that the certificate's key can make.",
		speaker: "the server, of the client", findings: []string{"signature-no-overlap", "policy-rejects-signature"}, look: "key type and signature_algorithms", run: runProxy,
	},
	{
		says: "Go", any: []string{"client didn t provide a certificate", "client didnt provide a certificate"},
		means:   "The server requires a client certificate and none came.",
		speaker: "the server, of the client", findings: []string{"client-cert-missing", "backend-requires-client-cert"}, look: "the client's configuration", run: runShow,
	},
	{
		says: "Go", any: []string{"tls handshake timeout", "net/http: tls handshake timeout"},
		means:   "The peer accepted the connection and did not finish the handshake in time.",
		speaker: "the client, of the server", findings: []string{"backend-timeout", "client-timeout", "client-hello-fragmented"}, look: "load, packet loss, the path's MTU", run: runCapture,
	},
	{
		says: "Go", any: []string{"tls: unsupported certificate", "unsupported elliptic curve", "oversized record received", "client requested unsupported application protocols"},
		means:   "The peer sent something that crypto/tls does not take; the words say what. An oversized record nearly always is plain text.",
		speaker: "the side that prints it, of its peer", findings: []string{"backend-not-tls", "backend-protocol-error", "alpn-no-overlap", "proxy-cannot-serve"}, look: "what the port speaks", run: runScan,
	},
	{
		says: "Go", any: []string{"no such host", "server misbehaving"},
		means:   "The name does not resolve.",
		speaker: "the client, of the name", findings: []string{"backend-unresolvable"}, look: "spelling and resolver", run: "getent hosts NAME",
	},
	{
		says: "Go", any: []string{"the hello can be read in two ways", "two readings of one hello"},
		means:   "The TLS library and this program's parser read different things out of one hello.",
		speaker: "this program, of the client", findings: []string{"proxy-name-views-differ"}, look: "the hello's extensions", run: runCapture,
	},
}
