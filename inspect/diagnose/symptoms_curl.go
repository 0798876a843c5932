package diagnose

// curlSymptoms are curl's exit codes and its own messages.
var curlSymptoms = []symptom{
	{
		says: "curl, exit code 35", any: []string{"ssl error syscall", "curl: (35)", "curl (35)", "curl 35", "curle ssl connect error", "exit 35", "ssl connect error", "exit code 35", "error code 35"},
		means:   "The handshake failed; the words behind the code are the TLS library's. Without any: the connection was cut.",
		speaker: "curl, of the server", findings: append(append([]string{}, overlapIDs...), "backend-not-tls", "client-aborted", "backend-reset"), look: "curl -v", run: runProxy,
	},
	{
		says: "curl, exit code 60", any: []string{"curl: (60)", "curl (60)", "curl 60", "curle peer failed verification", "curle ssl cacert", "peer failed verification", "ssl certificate problem", "exit 60", "exit code 60", "error code 60"},
		means:   "curl does not accept the server's certificate: issuer, dates or name.",
		speaker: "curl, of the server's certificate", findings: append([]string{"server-cert-rejected-by-client"}, anyCert...), look: "the chain", run: runCerts,
	},
	{
		says: "curl, exit code 51", any: []string{"curl: (51)", "curl (51)", "curl 51", "ssl: no alternative certificate subject name matches target host name", "no alternative certificate subject name matches", "does not match target host name", "exit code 51"},
		means:   "The certificate is for other names (60 in current versions of curl).",
		speaker: "curl, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "curl, exit code 56", any: []string{"curl: (56)", "curl (56)", "curl 56", "curle recv error", "failure when receiving data from the peer", "exit code 56"},
		means:   "Reading failed. In TLS 1.3 a server's refusal of the client certificate arrives only here, after curl thinks the handshake done.",
		speaker: "curl, of the server", findings: []string{"client-cert-missing", "backend-requires-client-cert", "client-cert-untrusted", "backend-reset", "client-aborted"}, look: "whether the server asks for a certificate", run: "openssl s_client -connect HOST:PORT -servername NAME",
	},
	{
		says: "curl, exit code 58", any: []string{"curl: (58)", "curl (58)", "curl 58", "curle ssl certproblem", "could not load client certificate", "could not load pem client certificate", "unable to set private key file", "exit code 58"},
		means:   "curl cannot use its own client certificate or key: wrong file, password or format.",
		speaker: "curl, of its own files", findings: []string{"client-cert-missing", "client-cert-expired"}, look: "the files", run: "openssl x509 -in client.pem -noout -subject -dates",
	},
	{
		says: "curl, exit code 52", any: []string{"curl: (52)", "curl (52)", "empty reply from server"},
		means:   "The server closed without an answer: often plain HTTP sent to a TLS port.",
		speaker: "curl, of the server", findings: []string{"not-tls-http", "backend-closed"}, look: "scheme and port", run: "curl -v https://HOST:PORT/",
	},
	{
		says: "curl, exit code 59", any: []string{"curl: (59)", "curle ssl cipher", "failed setting cipher list"},
		means:   "The suites given to curl are none that its TLS library knows.",
		speaker: "curl, of its own options", findings: []string{"cipher-no-overlap", "client-weak-ciphers"}, look: "--ciphers", run: "openssl ciphers -v",
	},
	{
		says: "curl, exit code 91", any: []string{"curl: (91)", "curl (91)", "curl 91", "curle ssl invalidcertstatus", "no ocsp response received", "invalid ocsp response status"},
		means:   "curl was told to insist on a stapled OCSP response (--cert-status), and none came or it was not good.",
		speaker: "the client, of the server", findings: []string{"ocsp-staple-missing", "ocsp-staple-invalid", "cert-revoked"}, look: "OCSP stapling at the server", run: runStatus,
	},
	{
		says: "curl, exit code 77", any: []string{"curl: (77)", "curle ssl cacert badfile", "error setting certificate verify locations", "error setting certificate file"},
		means:   "curl cannot read its file of authorities.",
		speaker: "curl, of its own files", findings: []string{"chain-untrusted-root"}, look: "--cacert", run: "ls -l /etc/ssl/certs/ca-certificates.crt",
	},
	{
		says: "curl, exit code 7", any: []string{"curl: (7)", "failed to connect to"},
		means:   "No TCP connection came about.",
		speaker: "curl, of the server's machine", findings: []string{"backend-refused", "backend-timeout", "backend-unreachable"}, look: "the service and its port", run: "nc -vz HOST PORT",
	},
	{
		says: "curl, exit code 6", any: []string{"curl: (6)", "could not resolve host"},
		means:   "The name does not resolve.",
		speaker: "curl, of the name", findings: []string{"backend-unresolvable"}, look: "DNS", run: "getent hosts NAME",
	},
	{
		says: "curl, exit code 28", any: []string{"curl: (28)", "ssl connection timeout"},
		means:   "Too slow: connecting or the handshake took longer than allowed.",
		speaker: "curl, of the server", findings: []string{"backend-timeout", "client-timeout", "client-hello-fragmented"}, look: "the phase in curl -v", run: runCapture,
	},
}
