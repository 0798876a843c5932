package diagnose

// javaSymptoms are what JSSE prints.
var javaSymptoms = []symptom{
	{
		says: "Java", any: []string{"pkix path building failed", "unable to find valid certification path to requested target", "suncertpathbuilderexception"},
		means:   "Java found no path to a root in its trust store (cacerts, not the system's): a missing intermediate, which Java does not fetch, or a private authority.",
		speaker: "the client, of the server's certificate", findings: chainIDs, look: "what the server sends; then the trust store", run: runCerts,
	},
	{
		says: "Java", any: []string{"pkix path validation failed", "path does not chain with any of the trust anchors", "validity check failed", "certpathvalidatorexception"},
		means:   "A path exists and does not validate: expired, a weak algorithm, or a constraint; the words behind it say which.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-expired", "chain-intermediate-expired", "cert-weak-signature", "cert-weak-key", "cert-rejected"}, look: "every certificate of the chain", run: runCerts,
	},
	{
		says: "Java", any: []string{"certificate has been revoked", "certificaterevokedexception"},
		means:   "The certificate is revoked.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-revoked", "client-cert-revoked"}, look: "the authority's responder", run: runStatus,
	},
	{
		says: "Java", any: []string{"unable to determine revocation status", "could not determine revocation status", "undetermined revocation status", "certificate does not specify ocsp responder"},
		means:   "Revocation is checked (com.sun.net.ssl.checkRevocation), and nobody could say.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"revocation-unknown", "ocsp-staple-missing"}, look: "whether responder and list can be reached from there", run: runStatus,
	},
	{
		says: "Java", any: []string{"no subject alternative names matching", "no subject alternative dns name matching", "no subject alternative names present", "no name matching"},
		means:   "The certificate is for other names.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "Java", any: []string{"no appropriate protocol", "protocol is disabled or cipher suites are inappropriate", "the server selected protocol version", "client requested protocol", "is not enabled or supported in server context", "not accepted by client preferences"},
		means:   "No version or suite is left: TLS 1.0 and 1.1 are in jdk.tls.disabledAlgorithms since 2021.",
		speaker: "the side that prints it", findings: []string{"version-no-overlap", "policy-rejects-version", "backend-version-no-overlap", "client-legacy-version", "cipher-no-overlap"}, look: "java.security: jdk.tls.disabledAlgorithms", run: runScan,
	},
	{
		says: "Java", any: []string{"no cipher suites in common", "cipher suites are inappropriate"},
		means:   "No suite in common; often because the key store has no usable key for them.",
		speaker: "the server, of the client", findings: []string{"cipher-no-overlap", "policy-rejects-cipher", "signature-no-overlap"}, look: "the client's suites and the server's key type", run: runProxy,
	},
	{
		says: "Java", any: []string{"unrecognized ssl message plaintext connection", "unrecognized ssl message, plaintext connection", "unsupported or unrecognized ssl message", "not an ssl/tls record"},
		means:   "The peer speaks plain text where TLS was expected.",
		speaker: "the side that expected TLS", findings: plainIDs, look: "port and scheme", run: runPlain,
	},
	{
		says: "Java", any: []string{"remote host terminated the handshake", "remote host closed connection during handshake", "ssl peer shut down incorrectly", "connection has been shutdown"},
		means:   "The peer closed the connection during the handshake without an alert.",
		speaker: "the side that was left", findings: cutIDs, look: "who closes, and after which message", run: runCapture,
	},
	{
		says: "Java", any: []string{"unrecognized name", "handshake alert: unrecognized name"},
		means:   "The server warns that it does not know the name asked for; Java 7 gives up on that, others go on.",
		speaker: "the server, of the client's server name", findings: []string{"sni-unknown", "sni-required-by-backend", "policy-rejects-sni"}, look: "the server's ServerName and ServerAlias", run: runShow,
	},
	{
		says: "Java", any: []string{"empty client certificate chain", "null cert chain", "bad certificate"}, with: []string{"java", "javax", "sslhandshakeexception", "null cert chain", "empty client certificate chain"},
		means:   "The server requires a client certificate and none came.",
		speaker: "the server, of the client", findings: clientCert, look: "the client's key store", run: runShow,
	},
	{
		says: "Java", any: []string{"sslhandshakeexception", "sslexception", "sslpeerunverifiedexception"},
		means:   "Java's general exception for a failed handshake; the words behind it say more.",
		speaker: "the side that prints it", findings: overlapIDs, look: "-Djavax.net.debug=ssl:handshake", run: runProxy,
	},
}
