package diagnose

// windowsSymptoms are what Schannel, .NET, IIS and the Windows event log say.
var windowsSymptoms = []symptom{
	{
		says: "Schannel, SEC_E_ILLEGAL_MESSAGE", any: []string{"0x80090326", "sec e illegal message", "the message received was unexpected or badly formatted"},
		means:   "The peer answered with a fatal alert or with something that Schannel does not understand: nearly always no version or suite in common, sometimes plain text.",
		speaker: "Schannel, of its peer", findings: append(append([]string{}, overlapIDs...), "backend-not-tls"), look: "event 36887 for the alert's number", run: runScan,
	},
	{
		says: "Schannel, event 36874", any: []string{"36874", "none of the cipher suites supported by the client application are supported by the server"},
		means:   "The server found no suite in common with a client.",
		speaker: "the server, of the client", findings: []string{"cipher-no-overlap", "policy-rejects-cipher", "version-no-overlap", "signature-no-overlap"}, look: "the server's suite order and its certificate's key type", run: runProxy,
	},
	{
		says: "Schannel, event 36887", any: []string{"36887", "a fatal alert was received from the remote endpoint", "fatal alert was received"},
		means:   "The peer sent a fatal alert; the event holds its number.",
		speaker: "the peer, of this machine", findings: append([]string{"server-cert-rejected-by-client"}, overlapIDs...), look: "the number: tlstriage explain NUMBER", run: "tlstriage explain 40",
	},
	{
		says: "Schannel, event 36888", any: []string{"36888", "a fatal alert was generated and sent to the remote endpoint", "a fatal alert was generated"},
		means:   "This machine sent a fatal alert and ended the connection; the event holds its number.",
		speaker: "this machine, of its peer", findings: append([]string{"server-alert"}, overlapIDs...), look: "the number: tlstriage explain NUMBER", run: "tlstriage explain 40",
	},
	{
		says: "Schannel, event 36882", any: []string{"36882", "36884", "0x80090325", "sec e untrusted root", "0x800b0109", "cert e untrustedroot", "0x800b010a", "cert e chaining"},
		means:   "The certificate's chain ends at no trusted root.",
		speaker: "the verifying side, of its peer's certificate", findings: chainIDs, look: "what the server sends", run: runCerts,
	},
	{
		says: "Schannel, SEC_E_WRONG_PRINCIPAL", any: []string{"0x80090322", "sec e wrong principal", "cert e cn no match", "0x800b010f", "remotecertificatenamemismatch"},
		means:   "The certificate is for other names.",
		speaker: "the client, of the server's certificate", findings: []string{"cert-name-mismatch", "default-certificate-served"}, look: "the subject alternative names", run: runCerts,
	},
	{
		says: "Schannel, SEC_E_CERT_EXPIRED", any: []string{"0x80090328", "sec e cert expired", "0x800b0101", "cert e expired"},
		means:   "The certificate is expired or not valid yet.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-expired", "cert-not-yet-valid", "client-cert-expired"}, look: "dates and clocks", run: runCerts,
	},
	{
		says: "Schannel, SEC_E_ALGORITHM_MISMATCH", any: []string{"0x80090331", "sec e algorithm mismatch", "do not possess a common algorithm", "0x80090302", "sec e unsupported function"},
		means:   "No version or suite in common.",
		speaker: "Schannel, of its peer", findings: overlapIDs, look: "versions and suites on both sides", run: runScan,
	},
	{
		says: "Schannel, SEC_E_CERT_UNKNOWN", any: []string{"0x80090327", "sec e cert unknown"},
		means:   "The certificate could not be judged.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-rejected", "server-cert-rejected-by-client", "chain-untrusted-root"}, look: "the chain", run: runCerts,
	},
	{
		says: "Windows, CRYPT_E_REVOKED", any: []string{"0x80092010", "crypt e revoked"},
		means:   "A certificate of the chain is revoked.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"cert-revoked", "client-cert-revoked"}, look: "the authority's list or responder", run: runStatus,
	},
	{
		says: "Windows, CRYPT_E_REVOCATION_OFFLINE", any: []string{"0x80092012", "0x80092013", "crypt e no revocation check", "crypt e revocation offline", "the revocation function was unable to check revocation", "revocation server was offline"},
		means:   "Windows insists on knowing whether the certificate is revoked, and nobody could say: list and responder cannot be reached from there, or the certificate names none.",
		speaker: "the verifying side, of its peer's certificate", findings: []string{"revocation-unknown", "ocsp-staple-missing", "ocsp-staple-invalid"}, look: "whether CRLs and responder can be reached (certutil -url)", run: runStatus,
	},
	{
		says: "Schannel, SEC_E_INVALID_TOKEN", any: []string{"0x80090308", "sec e invalid token", "the token supplied to the function is invalid"},
		means:   "What came is not the TLS message that was expected: plain text, or a version that is turned off.",
		speaker: "Schannel, of its peer", findings: []string{"not-tls-http", "backend-not-tls", "version-no-overlap", "client-hello-malformed"}, look: "what the port speaks", run: runPlain,
	},
	{
		says: "Schannel, SEC_I_INCOMPLETE_CREDENTIALS", any: []string{"0x00090320", "sec i incomplete credentials", "error winhttp client auth cert needed", "12044"},
		means:   "The server asks for a client certificate and there is none to send.",
		speaker: "the server, of the client", findings: clientCert, look: "the client's certificate store", run: runShow,
	},
	{
		says: ".NET", any: []string{"could not create ssl/tls secure channel", "the ssl connection could not be established", "authentication failed because the remote party", "the underlying connection was closed: an unexpected error occurred on a send", "0x80072f7d", "error winhttp secure failure", "12175"},
		means:   "The handshake failed; .NET Framework before 4.7 offers TLS 1.0 by default. The inner exception says more.",
		speaker: "the client, of the server", findings: append([]string{"client-legacy-version"}, overlapIDs...), look: "ServicePointManager.SecurityProtocol, SchUseStrongCrypto", run: runProxy,
	},
	{
		says: ".NET", any: []string{"could not establish trust relationship for the ssl/tls secure channel", "the remote certificate is invalid", "remotecertificatechainerrors", "partialchain", "untrustedroot"},
		means:   "The server's certificate was not accepted.",
		speaker: "the client, of the server's certificate", findings: anyCert, look: "the chain", run: runCerts,
	},
}
