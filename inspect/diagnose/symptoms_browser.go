package diagnose

// browserSymptoms are what Chrome, Edge, Firefox and Safari show.
var browserSymptoms = []symptom{
	{
		says: "Chrome", any: []string{"err ssl version or cipher mismatch"},
		means:   "The server ended the handshake with handshake_failure or protocol_version: no version or suite in common, no certificate for the name, or an SSL-only server.",
		speaker: "the server's alert, shown by the browser", findings: []string{"cipher-no-overlap", "version-no-overlap", "sni-unknown", "policy-rejects-cipher", "policy-rejects-version", "signature-no-overlap"}, look: "what the server accepts, and whether it has a certificate for this name", run: runScan,
	},
	{
		says: "Chrome", any: []string{"err ssl protocol error"},
		means:   "Something that is no correct TLS came: plain HTTP on the port, an alert at the wrong time, a middlebox.",
		speaker: "the browser, of what the server sent", findings: []string{"backend-not-tls", "server-alert", "client-alert", "alpn-no-overlap", "client-hello-fragmented"}, look: "what the port speaks", run: runPlain,
	},
	{
		says: "Chrome", any: []string{"err cert authority invalid", "net::err cert authority invalid"},
		means:   "The browser finds no path to a root that it trusts.",
		speaker: "the browser, of the server's certificate", findings: append([]string{"server-cert-rejected-by-client"}, chainIDs...), look: "the issuer", run: runCerts,
	},
	{
		says: "Chrome", any: []string{"err cert common name invalid"},
		means:   "The certificate is for other names.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served", "server-cert-rejected-by-client"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "Chrome", any: []string{"err cert date invalid"},
		means:   "The certificate's dates do not include the browser's now.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-expired", "cert-not-yet-valid", "chain-intermediate-expired", "cert-expiring-soon"}, look: "dates and clocks", run: runCerts,
	},
	{
		says: "Chrome", any: []string{"err cert weak signature algorithm", "err cert weak key", "err ssl weak server ephemeral dh key", "err ssl obsolete version", "err ssl obsolete version or cipher"},
		means:   "A key, a signature, a key exchange or the version is too weak for the browser.",
		speaker: "the browser, of the server", findings: []string{"cert-weak-signature", "cert-weak-key", "version-downgrade-between-legs", "backend-below-policy"}, look: "key sizes, signature algorithms, versions", run: runScan,
	},
	{
		says: "Chrome", any: []string{"err cert revoked"},
		means:   "The certificate is revoked.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-revoked", "server-cert-rejected-by-client"}, look: "the authority's list or responder", run: runStatus,
	},
	{
		says: "Chrome", any: []string{"err cert validity too long"},
		means:   "The certificate of a public authority is valid for longer than the 398 days that Chrome allows.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-validity-too-long"}, look: "both dates", run: runCerts,
	},
	{
		says: "Chrome", any: []string{"err certificate transparency required"},
		means:   "The certificate of a public authority comes without enough signed certificate timestamps.",
		speaker: "the browser, of the server's certificate", findings: []string{"sct-missing", "sct-invalid"}, look: "the timestamps embedded in the certificate", run: runCerts,
	},
	{
		says: "Chrome", any: []string{"err cert unable to check revocation", "err cert no revocation mechanism"},
		means:   "Nobody could say whether the certificate is revoked, and the browser was told to insist.",
		speaker: "the browser, of the server's certificate", findings: []string{"revocation-unknown", "ocsp-staple-missing", "ocsp-staple-invalid"}, look: "whether responder and list can be reached", run: runStatus,
	},
	{
		says: "Chrome", any: []string{"err cert invalid", "err cert contains errors", "err cert name constraint violation", "err cert non unique name", "err cert symantec legacy", "err cert known interception blocked", "err ssl server cert bad format"},
		means:   "The browser does not accept the certificate for the reason in the name.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-rejected", "cert-malformed", "cert-wrong-usage", "server-cert-rejected-by-client"}, look: "the certificate's extensions and life", run: runCerts,
	},
	{
		says: "Chrome", any: []string{"err bad ssl client auth cert", "err ssl client auth cert needed", "err ssl client auth signature failed", "err ssl client auth private key access denied", "err ssl client auth no common algorithms"},
		means:   "The server asked for a client certificate and did not accept what came, or nothing came.",
		speaker: "the server, of the browser's certificate", findings: clientCert, look: "the client's certificate and the authorities that the server accepts", run: runShow,
	},
	{
		says: "Chrome", any: []string{"err connection reset", "err connection closed", "err empty response", "err connection aborted"},
		means:   "The connection was cut. During a TLS handshake: a firewall that does not like the hello, a server that closes instead of sending an alert, or one that is down.",
		speaker: "the browser, of the connection", findings: cutIDs, look: "who sends the FIN or RST, and after which packet", run: runCapture,
	},
	{
		says: "Chrome", any: []string{"err connection refused"},
		means:   "Nothing listens at the address and port.",
		speaker: "the server's machine", findings: []string{"backend-refused"}, look: "the service and its port", run: "ss -ltnp",
	},
	{
		says: "Chrome", any: []string{"err connection timed out", "err timed out", "err address unreachable"},
		means:   "No answer in time, or no way there.",
		speaker: "the browser, of the network", findings: []string{"backend-timeout", "backend-unreachable", "client-timeout"}, look: "firewalls and routes", run: "nc -vz HOST PORT",
	},
	{
		says: "Chrome", any: []string{"err name not resolved"},
		means:   "The name does not resolve.",
		speaker: "the browser, of the name", findings: []string{"backend-unresolvable"}, look: "DNS", run: "getent hosts NAME",
	},
	{
		says: "Chrome", any: []string{"err ssl unrecognized name alert"},
		means:   "The server does not serve this name.",
		speaker: "the server, of the name", findings: []string{"sni-unknown", "sni-missing", "policy-rejects-sni", "sni-required-by-backend"}, look: "the server's names", run: runShow,
	},
	{
		says: "Chrome", any: []string{"err ech fallback certificate invalid", "err ech not negotiated"},
		means:   "Encrypted ClientHello was announced in DNS, and the server neither takes it nor has a certificate for the outer name: keys were rotated, or TLS is ended by something that does not know ECH.",
		speaker: "the browser, of the server", findings: []string{"cert-name-mismatch", "sni-unknown", "name-differs-between-legs"}, look: "the HTTPS record in DNS", run: "dig +short HTTPS NAME",
	},
	{
		says: "Chrome", any: []string{"err ssl bad record mac alert", "err ssl decrypt error alert", "err ssl fallback beyond minimum version", "err ssl inappropriate fallback", "err ssl no renegotiation", "err ssl unsafe negotiation", "err ssl decompression failure alert", "err ssl key usage incompatible"},
		means:   "The handshake or a record was not as it should be: a broken server, a middlebox, or a certificate whose usage does not fit.",
		speaker: "the browser or the server", findings: []string{"server-alert", "client-alert", "cert-wrong-usage", "client-hello-fragmented"}, look: "captures at both ends", run: runCapture,
	},
	{
		says: "Chrome", any: []string{"err http2 protocol error", "err http2 inadequate transport security", "err alpn negotiation failed", "err spdy protocol error"},
		means:   "HTTP/2 was agreed on, and what came is not HTTP/2, or the suite is one that HTTP/2 forbids: the legs behind a proxy disagree.",
		speaker: "the browser, of the server", findings: []string{"alpn-differs-between-legs", "backend-alpn-mismatch", "client-weak-ciphers"}, look: "ALPN on both legs", run: "openssl s_client -alpn h2,http/1.1 -connect HOST:PORT",
	},
	{
		says: "Chrome", any: []string{"err quic protocol error", "err quic handshake failed"},
		means:   "The handshake over QUIC failed; the browser falls back to TCP.",
		speaker: "the browser, of the server", findings: []string{"client-timeout", "alpn-no-overlap", "client-alert"}, look: "UDP on this port, and its MTU", run: "curl -v --http3-only https://HOST:PORT/",
	},
	{
		says: "Firefox", any: []string{"ssl error rx record too long"},
		means:   "The server answered in plain text: the first bytes, read as a TLS record, give an impossible length.",
		speaker: "the browser, of the server", findings: []string{"backend-not-tls", "not-tls-http", "not-tls-other"}, look: "whether TLS is turned on for this port", run: runPlain,
	},
	{
		says: "Firefox", any: []string{"ssl error no cypher overlap"},
		means:   "No suite or group in common, said by the browser.",
		speaker: "the server, of the browser's hello", findings: []string{"cipher-no-overlap", "group-no-overlap", "policy-rejects-cipher", "version-no-overlap"}, look: "what the server accepts", run: runScan,
	},
	{
		says: "Firefox", any: []string{"ssl error unsupported version", "ssl error protocol version alert", "ssl error unsupported ssl version"},
		means:   "No TLS version in common.",
		speaker: "browser or server", findings: []string{"version-no-overlap", "policy-rejects-version", "backend-version-no-overlap"}, look: "the server's versions", run: runScan,
	},
	{
		says: "Firefox", any: []string{"ssl error handshake failure alert"},
		means:   "The server answered handshake_failure (alert 40).",
		speaker: "the server, of the browser's hello", findings: overlapIDs, look: "what the server accepts", run: runScan,
	},
	{
		says: "Firefox", any: []string{"ssl error bad cert domain"},
		means:   "The certificate is for other names.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"sec error unknown issuer", "sec error untrusted issuer", "sec error ca cert invalid", "mozilla pkix error self signed cert", "mozilla pkix error mitm detected", "sec error untrusted cert", "mozilla pkix error issuer no longer trusted"},
		means:   "No path to a root that Firefox trusts; it has its own store.",
		speaker: "the browser, of the server's certificate", findings: append([]string{"server-cert-rejected-by-client"}, chainIDs...), look: "what the server sends", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"sec error expired certificate", "sec error expired issuer certificate", "mozilla pkix error not yet valid certificate", "mozilla pkix error not yet valid issuer certificate"},
		means:   "A certificate's dates do not include the browser's now.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-expired", "chain-intermediate-expired", "cert-not-yet-valid"}, look: "dates and clocks", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"sec error revoked certificate"},
		means:   "The certificate is revoked.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-revoked", "server-cert-rejected-by-client"}, look: "the authority's responder", run: runStatus,
	},
	{
		says: "Firefox", any: []string{"mozilla pkix error required tls feature missing"},
		means:   "The certificate demands that an OCSP response be stapled (must-staple), and the server sent none.",
		speaker: "the browser, of the server", findings: []string{"ocsp-staple-missing"}, look: "OCSP stapling at the server", run: runStatus,
	},
	{
		says: "Firefox", any: []string{"sec error ocsp"},
		means:   "An OCSP response, stapled or fetched, is old, malformed, signed by somebody else, or says that the certificate is not known.",
		speaker: "the browser, of the stapled response or the responder", findings: []string{"ocsp-staple-invalid", "revocation-unknown"}, look: "the stapled response and its times", run: runStatus,
	},
	{
		says: "Firefox", any: []string{"mozilla pkix error insufficient certificate transparency"},
		means:   "The certificate of a public authority comes without enough signed certificate timestamps.",
		speaker: "the browser, of the server's certificate", findings: []string{"sct-missing", "sct-invalid"}, look: "the timestamps embedded in the certificate", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"sec error cert not in name space", "sec error path len constraint invalid"},
		means:   "An authority of the chain may not issue this certificate.",
		speaker: "the browser, of the server's chain", findings: []string{"cert-wrong-usage"}, look: "name constraints and path length of the intermediates", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"sec error bad signature"},
		means:   "A certificate's signature does not verify with the key of the issuer that was found for it: the certificate was damaged or altered, or what was sent under the issuer's name has another key.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-malformed", "chain-missing-intermediate"}, look: "whether the issuer's key identifier is the one that the certificate names: then it is the certificate that is damaged", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"sec error cert signature algorithm disabled", "mozilla pkix error inadequate key size", "mozilla pkix error signature algorithm mismatch", "ssl error weak server cert key", "ssl error weak server ephemeral dh key"},
		means:   "A key or signature in the chain is too weak or wrong.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-weak-signature", "cert-weak-key", "cert-rejected"}, look: "the chain's keys and signatures", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"sec error inadequate cert type", "sec error inadequate key usage", "mozilla pkix error ca cert used as end entity", "sec error extension value invalid", "sec error unknown critical extension", "mozilla pkix error v1 cert used as ca", "sec error bad der", "mozilla pkix error invalid integer encoding", "sec error reused issuer and serial", "mozilla pkix error empty issuer name"},
		means:   "The certificate itself is not fit for a server, or malformed.",
		speaker: "the browser, of the server's certificate", findings: []string{"cert-wrong-usage", "cert-malformed", "cert-rejected"}, look: "usages and extensions", run: runCerts,
	},
	{
		says: "Firefox", any: []string{"ssl error bad cert alert", "ssl error rx certificate required alert", "ssl error client auth", "ssl error unsupported cert alert", "ssl error revoked cert alert", "ssl error expired cert alert", "ssl error unknown ca alert", "ssl error certificate unknown alert"},
		means:   "The server refuses the browser's client certificate, or wants one and got none.",
		speaker: "the server, of the browser's certificate", findings: clientCert, look: "the client's certificate", run: runShow,
	},
	{
		says: "Firefox", any: []string{"pr end of file error", "pr connect reset error", "ns error net reset", "ns error net interrupt", "ns error net partial transfer"},
		means:   "The connection was cut during the handshake.",
		speaker: "the browser, of the connection", findings: cutIDs, look: "who closes", run: runCapture,
	},
	{
		says: "Firefox", any: []string{"ssl error unrecognized name alert"},
		means:   "The server does not serve this name.",
		speaker: "the server, of the name", findings: []string{"sni-unknown", "policy-rejects-sni", "sni-required-by-backend"}, look: "the server's names", run: runShow,
	},
	{
		says: "Firefox", any: []string{"ssl error next protocol no protocol", "ssl error no application protocol"},
		means:   "No application protocol in common.",
		speaker: "the server", findings: []string{"alpn-no-overlap", "backend-alpn-mismatch", "policy-rejects-alpn"}, look: "ALPN", run: "openssl s_client -alpn h2,http/1.1 -connect HOST:PORT",
	},
	{
		says: "Firefox", any: []string{"ssl error inappropriate fallback alert", "ssl error illegal parameter alert", "ssl error decode error alert", "ssl error decrypt error alert", "ssl error internal error alert", "ssl error rx unexpected", "ssl error rx malformed", "ssl error bad mac alert", "ssl error bad mac read", "ssl error illegal"},
		means:   "One side found a handshake message wrong; the name says which.",
		speaker: "browser or server", findings: []string{"server-alert", "client-alert", "client-hello-malformed", "client-hello-fragmented"}, look: "captures at both ends", run: runCapture,
	},
	{
		says: "Safari", any: []string{"safari can t establish a secure connection", "an ssl error has occurred and a secure connection to the server cannot be made", "nsurlerrordomain", "errsslbadcert", "errsslpeerhandshakefail", "kcfstreamerrordomainssl"},
		means:   "Apple's general message for a failed handshake, also when App Transport Security finds version, suite or certificate too weak (TLS 1.2, ECDHE, 2048 bits, SHA-256 are its minimum).",
		speaker: "the client, of the server", findings: append([]string{"backend-below-policy"}, overlapIDs...), look: "what the server accepts", run: runScan,
	},
}
