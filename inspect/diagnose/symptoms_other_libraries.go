package diagnose

// otherLibrarySymptoms are GnuTLS, NSS tools, Python, Node, Ruby, rustls, wolfSSL and mbed TLS, where their words are their own.
var otherLibrarySymptoms = []symptom{
	{
		says: "GnuTLS", any: []string{"gnutls e fatal alert received", "a tls fatal alert has been received", "gnutls handshake() failed"},
		means:   "The peer sent a fatal alert; its name stands beside.",
		speaker: "the peer, of this side", findings: overlapIDs, look: "the alert: tlstriage explain NAME", run: runProxy,
	},
	{
		says: "GnuTLS", any: []string{"gnutls e certificate verification error", "error in the certificate verification", "the certificate is not trusted", "the certificate issuer is unknown", "server certificate verification failed", "gnutls e certificate error"},
		means:   "The peer's certificate was not accepted.",
		speaker: "the verifying side, of its peer's certificate", findings: anyCert, look: "the chain", run: runCerts,
	},
	{
		says: "GnuTLS", any: []string{"the certificate chain is revoked", "certificate chain revoked", "the certificate requires the server to include an ocsp status", "missing ocsp status"},
		means:   "The certificate is revoked, or demands a stapled OCSP response that did not come.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-revoked", "ocsp-staple-missing"}, look: "the stapled response", run: runStatus,
	},
	{
		says: "GnuTLS", any: []string{"the name in the certificate does not match the expected", "the certificate s owner does not match hostname"},
		means:   "The certificate is for other names.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "GnuTLS", any: []string{"gnutls e unexpected packet length", "a tls packet with unexpected length was received", "an unexpected tls packet was received", "gnutls e unsupported version packet", "a record packet with illegal version was received"},
		means:   "What came is no TLS record: plain text, or a cut connection.",
		speaker: "this side, of its peer", findings: append([]string{"backend-not-tls", "not-tls-http"}, cutIDs...), look: "what the port speaks", run: runPlain,
	},
	{
		says: "GnuTLS", any: []string{"gnutls e premature termination", "the tls connection was non properly terminated", "error in the pull function", "error in the push function"},
		means:   "The connection was cut.",
		speaker: "this side, of its peer", findings: cutIDs, look: "who closes", run: runCapture,
	},
	{
		says: "GnuTLS", any: []string{"gnutls e no cipher suites", "no supported cipher suites have been found", "no or insufficient priorities were set", "gnutls e insufficient security"},
		means:   "No suite in common.",
		speaker: "this side", findings: []string{"cipher-no-overlap", "policy-rejects-cipher", "group-no-overlap"}, look: "priorities on both sides", run: runScan,
	},
	{
		says: "Python", any: []string{"ssl.sslcertverificationerror", "sslcertverificationerror"},
		means:   "Python does not accept the server's certificate; the words behind it are OpenSSL's. Python takes the roots of certifi or of the system, by how it was installed.",
		speaker: "the client, of the server's certificate", findings: anyCert, look: "the chain", run: runCerts,
	},
	{
		says: "Python", any: []string{"ssl.sslerror", "ssl.sslzeroreturnerror", "requests.exceptions.sslerror", "ssl: unknown", "ssl.ssleoferror"},
		means:   "The handshake failed in Python's ssl module; the words behind it are OpenSSL's.",
		speaker: "the side that prints it", findings: overlapIDs, look: "the OpenSSL words", run: runProxy,
	},
	{
		says: "Python", any: []string{"certificateerror: hostname", "doesn t match either of", "hostname doesn t match"},
		means:   "The certificate is for other names.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "Node.js", any: []string{"err tls cert altname invalid", "hostname/ip does not match certificate s altnames"},
		means:   "The certificate is for other names.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "Node.js", any: []string{"unable to verify leaf signature", "unable to get issuer cert locally", "unable to get issuer cert"},
		means:   "The server does not send an intermediate, or its authority is not trusted. Node has its own roots: NODE_EXTRA_CA_CERTS adds to them.",
		speaker: "the client, of the server's certificate", findings: chainIDs, look: "what the server sends", run: runCerts,
	},
	{
		says: "Node.js", any: []string{"depth zero self signed cert", "self signed cert in chain"},
		means:   "The certificate is self-signed, or the chain ends in a root that Node does not trust.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-self-signed", "chain-untrusted-root", "default-certificate-served"}, look: "the issuer", run: runCerts,
	},
	{
		says: "Node.js", any: []string{"cert has expired"},
		means:   "The certificate is expired.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-expired", "chain-intermediate-expired"}, look: "the dates", run: runCerts,
	},
	{
		says: "Node.js", any: []string{"cert not yet valid"},
		means:   "The certificate is not valid yet.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-not-yet-valid"}, look: "clocks", run: runCerts,
	},
	{
		says: "Node.js", any: []string{"eproto", "err ssl wrong version number", "err ssl unsupported protocol", "err ssl no protocols available"},
		means:   "The TLS layer failed; the words behind it are OpenSSL's. \"wrong version number\" means plain text.",
		speaker: "the client, of the server", findings: append([]string{"backend-not-tls", "not-tls-http"}, overlapIDs...), look: "the OpenSSL words", run: runPlain,
	},
	{
		says: "Node.js", any: []string{"client network socket disconnected before secure tls connection was established", "socket hang up"},
		means:   "The connection was closed during the handshake.",
		speaker: "the client, of the connection", findings: cutIDs, look: "who closes", run: runCapture,
	},
	{
		says: "rustls", any: []string{"invalid peer certificate", "unknownissuer", "notvalidforname", "invalidcertificate"},
		means:   "The server's certificate was not accepted; the word behind it says why.",
		speaker: "the client, of the server's certificate", findings: anyCert, look: "the chain", run: runCerts,
	},
	{
		says: "rustls", any: []string{"received corrupt message of type", "invalidcontenttype", "peer is incompatible", "peerincompatible"},
		means:   "Plain text where TLS was expected (corrupt message), or nothing in common (incompatible).",
		speaker: "this side, of its peer", findings: append([]string{"backend-not-tls", "not-tls-http"}, overlapIDs...), look: "what the port speaks", run: runScan,
	},
	{
		says: "mbed TLS or wolfSSL", any: []string{"mbedtls err x509 cert verify failed", "0x2700", "mbedtls err ssl fatal alert message", "0x7780", "asn no signer e", "asn no signer error", "error: 188", "mbedtls err ssl feature unavailable"},
		means:   "A small device's TLS library: it has no root for the chain (often a chain sent in the wrong order or cut short), or it got an alert.",
		speaker: "the device, of the server", findings: []string{"chain-missing-intermediate", "chain-wrong-order", "chain-unrelated-certificate", "chain-untrusted-root", "version-no-overlap", "cipher-no-overlap"}, look: "the chain's order", run: runCerts,
	},
}
