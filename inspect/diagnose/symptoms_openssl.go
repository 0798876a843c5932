package diagnose

// openSSLSymptoms are what OpenSSL, LibreSSL and BoringSSL print, and through them nginx, Apache, HAProxy, curl, Python, Ruby, PHP and Node.
var openSSLSymptoms = []symptom{
	{
		says: "OpenSSL", any: []string{"unable to get local issuer certificate", "unable to get issuer certificate", "verify error:num=20", "verify return code: 20", "unable to verify the first certificate", "verify error:num=21", "verify return code: 21"},
		means:    "No path from the server's certificate to a root that this side trusts: the server does not send an intermediate, or the issuing authority is not in the trust store.",
		speaker:  "the verifying side (the client, or a proxy towards its backend), of the server's certificate",
		findings: chainIDs, look: "which certificates the server sends, and who issued the last of them", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"certificate signature failure"},
		means:    "A certificate's signature does not verify with the key of the issuer that was found for it: the certificate was damaged or altered, or what was sent under the issuer's name has another key.",
		speaker:  "the verifying side, of its peer's certificate",
		findings: []string{"cert-malformed", "chain-missing-intermediate"}, look: "whether the issuer's key identifier is the one that the certificate names: then it is the certificate that is damaged", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"certificate verify failed", "verify failed"},
		means:    "The verifying side did not accept the peer's certificate. The reason stands beside it (expired, issuer not found, name) or in the verify code.",
		speaker:  "the verifying side, of its peer's certificate",
		findings: anyCert, look: "the whole chain: every fault at once", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"self signed certificate in certificate chain", "self signed certificate", "verify error:num=18", "verify error:num=19", "verify return code: 18", "verify return code: 19"},
		means:    "The certificate is its own issuer (18), or the chain ends in a root that this side does not trust (19): a private authority, a default certificate, or a middlebox that intercepts TLS.",
		speaker:  "the verifying side, of its peer's certificate",
		findings: []string{"cert-self-signed", "chain-untrusted-root", "default-certificate-served"}, look: "the issuer of the last certificate", run: runShow,
	},
	{
		says: "OpenSSL", any: []string{"certificate has expired", "verify error:num=10", "verify return code: 10", "certificate is expired"},
		means:    "The peer's certificate, or an intermediate above it, is past its end of validity, or this side's clock is wrong.",
		speaker:  "the verifying side, of its peer's certificate",
		findings: []string{"cert-expired", "chain-intermediate-expired", "client-cert-expired"}, look: "the dates of every certificate sent, and `date -u`", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"certificate is not yet valid", "verify error:num=9", "verify return code: 9"},
		means:   "The certificate's validity has not begun, or this side's clock is slow.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-not-yet-valid", "client-cert-expired"}, look: "`date -u` on both sides", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"hostname mismatch", "host name mismatch", "verify error:num=62", "verify return code: 62", "ip address mismatch"},
		means:   "The certificate is for other names than the one that was asked for.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served", "name-differs-between-legs"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"certificate revoked", "verify error:num=23"},
		means:   "The certificate is on a revocation list, or a responder says that it is revoked.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-revoked", "client-cert-revoked", "server-cert-rejected-by-client"}, look: "the authority's revocation list or responder", run: runStatus,
	},
	{
		says: "OpenSSL", any: []string{"unsuitable certificate purpose", "unsupported certificate purpose", "verify error:num=26"},
		means:   "The certificate may not be used for this: a client certificate on a server, or the other way round.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-wrong-usage", "client-cert-wrong-usage"}, look: "extendedKeyUsage", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"permitted subtree violation", "excluded subtree violation", "path length constraint exceeded", "invalid ca certificate", "verify error:num=47", "verify error:num=48", "verify error:num=25", "verify error:num=24", "verify error:num=79"},
		means:   "A certificate above the server's may not issue it: name constraints, path length, or it is no authority at all.",
		speaker: "the verifying side, of its peer's chain", findings: []string{"cert-wrong-usage"}, look: "basicConstraints and nameConstraints of the intermediates", run: runCerts,
	},
	{
		says: "OpenSSL with X509_STRICT, Python 3.13", any: []string{"missing authority key identifier", "missing subject key identifier", "verify error:num=85", "verify error:num=86", "authority key identifier marked critical", "basic constraints of ca cert not marked critical"},
		means:   "The verifying side holds certificates to every letter of RFC 5280 (Python does since 3.13), and an authority's or the leaf's lacks a key identifier.",
		speaker: "the client, of the server's chain", findings: []string{"cert-missing-key-identifier", "cert-wrong-usage"}, look: "authorityKeyIdentifier and subjectKeyIdentifier", run: "openssl verify -x509_strict -CAfile root.pem -untrusted intermediates.pem leaf.pem",
	},
	{
		says: "OpenSSL", any: []string{"unable to get certificate crl", "verify error:num=3", "crl has expired", "verify error:num=12", "ocsp response has expired", "ocsp verify failed", "ocsp verify error"},
		means:   "This side was told to check revocation, and found no list or answer that it may believe.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"revocation-unknown", "ocsp-staple-invalid", "client-cert-revoked"}, look: "the list's or response's times", run: runStatus,
	},
	{
		says: "OpenSSL", any: []string{"wrong version number", "packet length too long", "unknown protocol", "tls record with unexpected version", "bad record type"},
		means:   "What came is no TLS record: the peer speaks plain text (most often HTTP), something answered in its place, or one side speaks TLS and the other expects a PROXY protocol header or STARTTLS first. It does not mean that the TLS versions differ.",
		speaker: "the side that expected TLS, of what its peer sent", findings: append([]string{"backend-not-tls", "not-tls-http", "not-tls-other", "proxy-protocol-missing"}, "version-no-overlap"), look: "what the port really speaks", run: runPlain,
	},
	{
		says: "OpenSSL", any: []string{"http request", "https proxy request"}, with: []string{"ssl", "error:", "openssl", "tls"},
		means:   "A plain HTTP request came to a TLS port.",
		speaker: "the server, of the client", findings: []string{"not-tls-http"}, look: "the client's URL: http:// with a TLS port in it", run: runPlain,
	},
	{
		says: "OpenSSL", any: []string{"no shared cipher", "no ciphers available", "no cipher match", "no suitable key share", "no shared group", "no suitable groups"},
		means:   "The server found no suite (or group) in common with the client, or has no certificate of the kind that the client's suites need.",
		speaker: "the server, of the client's hello", findings: []string{"cipher-no-overlap", "policy-rejects-cipher", "group-no-overlap", "backend-cipher-no-overlap", "client-weak-ciphers"}, look: "what the client offers against what the server accepts", run: runProxy,
	},
	{
		says: "OpenSSL", any: []string{"no shared signature algorithms", "no suitable signature algorithm", "wrong signature type", "legacy sigalg disallowed or unsupported"},
		means:   "No signature algorithm fits both the client's list and the certificate's key; often SHA-1 alone, or RSA-PSS missing.",
		speaker: "either side, of its peer", findings: []string{"signature-no-overlap", "policy-rejects-signature", "cert-weak-signature"}, look: "the client's signature_algorithms and the certificate's key type", run: runProxy,
	},
	{
		says: "OpenSSL", any: []string{"unsupported protocol", "version too low", "no protocols available", "wrong ssl version", "unsupported ssl version"},
		means:   "No TLS version in common. OpenSSL 3 refuses TLS 1.0 and 1.1 unless its security level is lowered (@SECLEVEL=0).",
		speaker: "the side that prints it, of its peer", findings: []string{"version-no-overlap", "policy-rejects-version", "backend-version-no-overlap", "client-legacy-version"}, look: "the versions that both sides accept", run: runScan,
	},
	{
		says: "OpenSSL", any: []string{"peer did not return a certificate", "no required ssl certificate was sent"},
		means:   "The server requires a client certificate and none came.",
		speaker: "the server, of the client", findings: []string{"client-cert-missing", "backend-requires-client-cert", "policy-rejects-client-cert"}, look: "whether the client has a certificate of an accepted authority", run: runShow,
	},
	{
		says: "OpenSSL", any: []string{"unexpected eof while reading", "unexpected eof", "ssl eof in violation of protocol", "eof occurred in violation of protocol", "ssl handshake has read 0 bytes"},
		means:   "The peer closed the connection without saying goodbye. During the handshake: it does not want this client and says nothing, it does not speak TLS, or something between cut the connection. Afterwards: a server that ends without close_notify.",
		speaker: "the side that was left, of its peer", findings: append([]string{"backend-closed"}, cutIDs...), look: "a capture: who sends the FIN, and after which message", run: runCapture,
	},
	{
		says: "OpenSSL", any: []string{"dh key too small", "ee key too small", "ca md too weak", "ca key too small", "bad ecpoint"},
		means:   "A key, signature hash or key exchange of the peer is below this side's security level.",
		speaker: "the verifying side, of its peer", findings: []string{"cert-weak-key", "cert-weak-signature", "client-alert"}, look: "key sizes and signature algorithms in the chain; DH parameters", run: runCerts,
	},
	{
		says: "OpenSSL", any: []string{"unsafe legacy renegotiation disabled"},
		means:   "The server does not support secure renegotiation (RFC 5746), and OpenSSL 3 refuses that by default: an old server or appliance.",
		speaker: "the client, of the server", findings: []string{"client-alert", "backend-protocol-error"}, look: "the server's age", run: runScan,
	},
	{
		says: "OpenSSL", any: []string{"inappropriate fallback"},
		means:   "The client retried with an older version and said so (TLS_FALLBACK_SCSV), and the server supports a newer one: the first attempt failed for another reason.",
		speaker: "the server, of the client", findings: []string{"version-no-overlap", "client-hello-fragmented"}, look: "why the client's first attempt failed", run: runCapture,
	},
	{
		says: "OpenSSL", any: []string{"no application protocol"},
		means:   "No application protocol (ALPN) in common.",
		speaker: "the server, of the client", findings: []string{"alpn-no-overlap", "backend-alpn-mismatch", "policy-rejects-alpn", "alpn-differs-between-legs"}, look: "the protocols on both sides", run: "openssl s_client -alpn h2,http/1.1 -connect HOST:PORT",
	},
	{
		says: "OpenSSL", any: []string{"length mismatch", "bad extension", "decode error", "excessive message size", "missing sigalgs extension", "length too short"},
		means:   "A message does not parse for the side that prints this.",
		speaker: "the side that prints it, of its peer", findings: []string{"client-hello-malformed", "backend-protocol-error", "backend-alert"}, look: "the bytes", run: runCapture,
	},
	{
		says: "OpenSSL", any: []string{"key values mismatch", "x509 check private key"},
		means:   "Certificate and private key do not belong together: a configuration error on the side that prints it.",
		speaker: "the server, of its own files", findings: []string{"default-certificate-served", "server-alert"}, look: "the public keys of both files", run: "openssl x509 -in cert.pem -noout -pubkey; openssl pkey -in key.pem -pubout",
	},
}
