package diagnose

import (
	"slices"
	"strings"
	"testing"
)

func TestExplainRecognisesEverySymptom(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string // must be among the first explanation's findings
	}{
		// Ids and alerts.
		{"cert-expired", "cert-expired"}, {"SSL certificate problem: certificate signature failure", "cert-malformed"}, {"SEC_ERROR_BAD_SIGNATURE", "cert-malformed"},
		{"handshake_failure", "cipher-no-overlap"}, {"40", "cipher-no-overlap"}, {"alert 40", "cipher-no-overlap"}, {"alert number 70", "version-no-overlap"},
		{"unrecognized_name", "sni-unknown"}, {"certificate_required", "client-cert-missing"}, {"48", "server-cert-rejected-by-client"}, {"120", "alpn-no-overlap"},

		// OpenSSL.
		{"SSLV3_ALERT_HANDSHAKE_FAILURE", "cipher-no-overlap"}, {"SSLV3_ALERT_BAD_CERTIFICATE", "client-cert-missing"}, {"SSLV3_ALERT_CERTIFICATE_UNKNOWN", "server-cert-rejected-by-client"},
		{"SSLV3_ALERT_CERTIFICATE_EXPIRED", "client-cert-expired"}, {"SSLV3_ALERT_CERTIFICATE_REVOKED", "client-cert-revoked"}, {"SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "client-cert-wrong-usage"},
		{"SSLV3_ALERT_NO_CERTIFICATE", "client-cert-missing"}, {"SSLV3_ALERT_UNEXPECTED_MESSAGE", "server-alert"}, {"SSLV3_ALERT_BAD_RECORD_MAC", "server-alert"},
		{"SSLV3_ALERT_ILLEGAL_PARAMETER", "client-hello-malformed"}, {"SSLV3_ALERT_DECOMPRESSION_FAILURE", "server-alert"},
		{"TLSV1_ALERT_PROTOCOL_VERSION", "version-no-overlap"}, {"TLSV1_ALERT_UNKNOWN_CA", "server-cert-rejected-by-client"}, {"TLSV1_ALERT_INTERNAL_ERROR", "backend-alert"},
		{"TLSV1_ALERT_INSUFFICIENT_SECURITY", "cipher-no-overlap"}, {"TLSV1_ALERT_ACCESS_DENIED", "client-cert-untrusted"}, {"TLSV1_ALERT_DECODE_ERROR", "client-hello-malformed"},
		{"TLSV1_ALERT_DECRYPT_ERROR", "server-alert"}, {"TLSV1_ALERT_DECRYPTION_FAILED", "server-alert"}, {"TLSV1_ALERT_RECORD_OVERFLOW", "backend-not-tls"}, {"TLSV1_ALERT_USER_CANCELLED", "client-aborted"},
		{"TLSV1_ALERT_NO_RENEGOTIATION", "server-alert"}, {"TLSV1_ALERT_EXPORT_RESTRICTION", "cipher-no-overlap"}, {"TLSV1_ALERT_INAPPROPRIATE_FALLBACK", "version-no-overlap"},
		{"TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "alpn-no-overlap"}, {"TLSV1_UNRECOGNIZED_NAME", "sni-unknown"}, {"tlsv1 unrecognized name", "sni-unknown"}, {"tlsv13 alert certificate required", "client-cert-missing"},
		{"TLSV13_ALERT_MISSING_EXTENSION", "sni-missing"}, {"TLSV1_UNSUPPORTED_EXTENSION", "client-alert"}, {"TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE", "client-alert"},
		{"error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure", "cipher-no-overlap"}, {"error:14094410:SSL routines…", "cipher-no-overlap"},
		{"error:0A000086", "chain-missing-intermediate"}, {"error:0A00010B:SSL routines::wrong version number", "backend-not-tls"}, {"error:1409442E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version", "version-no-overlap"},
		{"error:1408F10B:SSL routines:ssl3_get_record:wrong version number", "backend-not-tls"}, {"error:0A000126:SSL routines::unexpected eof while reading", "backend-closed"},
		{"error:0A0000C1:SSL routines::no shared cipher", "cipher-no-overlap"}, {"error:0A000102:SSL routines::unsupported protocol", "version-no-overlap"}, {"error:0A00018F:SSL routines::ee key too small", "cert-weak-key"},
		{"unable to get local issuer certificate", "chain-missing-intermediate"}, {"certificate verify failed", "chain-missing-intermediate"}, {"wrong version number", "backend-not-tls"},
		{"Verify return code: 10 (certificate has expired)", "cert-expired"}, {"self-signed certificate in certificate chain", "chain-untrusted-root"}, {"Verify return code: 62 (hostname mismatch)", "cert-name-mismatch"},
		{"SSL alert number 116", "client-cert-missing"},

		// Go.
		{"x509: certificate signed by unknown authority", "chain-missing-intermediate"}, {"tls: first record does not look like a TLS handshake", "backend-not-tls"},
		{"remote error: tls: handshake failure", "cipher-no-overlap"}, {"remote error: tls: unknown certificate authority", "server-cert-rejected-by-client"}, {"remote error: tls: bad certificate", "client-cert-missing"},
		{"remote error: tls: certificate required", "client-cert-missing"}, {"tls: failed to verify certificate: x509: certificate is valid for a.example, not b.example", "cert-name-mismatch"},
		{"x509: certificate has expired or is not yet valid: current time 2026-01-01 is after 2025-01-01", "cert-expired"}, {"http: server gave HTTP response to HTTPS client", "backend-not-tls"},
		{"tls: client didn't provide a certificate", "client-cert-missing"}, {"net/http: TLS handshake timeout", "backend-timeout"},

		// Java.
		{"PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target", "chain-missing-intermediate"},
		{"javax.net.ssl.SSLHandshakeException: Received fatal alert: handshake_failure", "cipher-no-overlap"}, {"No appropriate protocol (protocol is disabled or cipher suites are inappropriate)", "version-no-overlap"},
		{"No subject alternative names matching IP address 192.0.2.1 found", "cert-name-mismatch"}, {"Unrecognized SSL message, plaintext connection?", "backend-not-tls"}, {"Remote host terminated the handshake", "client-aborted"},
		{"no cipher suites in common", "cipher-no-overlap"},

		// Browsers.
		{"ERR_SSL_VERSION_OR_CIPHER_MISMATCH", "version-no-overlap"}, {"SSL_ERROR_RX_RECORD_TOO_LONG", "backend-not-tls"}, {"ERR_SSL_PROTOCOL_ERROR", "backend-not-tls"}, {"ERR_CERT_AUTHORITY_INVALID", "chain-missing-intermediate"},
		{"ERR_CERT_COMMON_NAME_INVALID", "cert-name-mismatch"}, {"ERR_CERT_DATE_INVALID", "cert-expired"}, {"ERR_CONNECTION_RESET", "backend-reset"}, {"ERR_BAD_SSL_CLIENT_AUTH_CERT", "client-cert-missing"},
		{"ERR_ECH_FALLBACK_CERTIFICATE_INVALID", "cert-name-mismatch"}, {"SSL_ERROR_NO_CYPHER_OVERLAP", "cipher-no-overlap"}, {"SEC_ERROR_UNKNOWN_ISSUER", "chain-missing-intermediate"}, {"MOZILLA_PKIX_ERROR_SELF_SIGNED_CERT", "cert-self-signed"},
		{"SSL_ERROR_BAD_CERT_DOMAIN", "cert-name-mismatch"}, {"SSL_ERROR_UNSUPPORTED_VERSION", "version-no-overlap"}, {"SSL_ERROR_RX_CERTIFICATE_REQUIRED_ALERT", "client-cert-missing"},

		// Certificates: revocation, stapling, transparency, forms.
		{"MOZILLA_PKIX_ERROR_REQUIRED_TLS_FEATURE_MISSING", "ocsp-staple-missing"}, {"SEC_ERROR_REVOKED_CERTIFICATE", "cert-revoked"}, {"NET::ERR_CERT_REVOKED", "cert-revoked"},
		{"SEC_ERROR_OCSP_OLD_RESPONSE", "ocsp-staple-invalid"}, {"ERR_CERT_UNABLE_TO_CHECK_REVOCATION", "revocation-unknown"}, {"certificate revoked", "cert-revoked"},
		{"remote error: tls: revoked certificate", "client-cert-revoked"}, {"certificate_revoked", "cert-revoked"}, {"alert 113", "ocsp-staple-invalid"},
		{"java.security.cert.CertificateRevokedException: Certificate has been revoked, reason: KEY_COMPROMISE", "cert-revoked"}, {"Unable to determine revocation status due to network error", "revocation-unknown"},
		{"0x80092010", "cert-revoked"}, {"0x80092013", "revocation-unknown"}, {"curl: (91) No OCSP response received", "ocsp-staple-missing"},
		{"NET::ERR_CERTIFICATE_TRANSPARENCY_REQUIRED", "sct-missing"}, {"ERR_CERT_VALIDITY_TOO_LONG", "cert-validity-too-long"},
		{"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Missing Authority Key Identifier (_ssl.c:1032)", "cert-missing-key-identifier"},
		{"tls: failed to parse certificate from server: x509: negative serial number", "cert-bad-serial"}, {"error 47 at 0 depth lookup: permitted subtree violation", "cert-wrong-usage"},
		{"x509: a root or intermediate certificate is not authorized to sign for this name: DNS name \"a.example\" is not permitted by any constraint", "cert-wrong-usage"},
		{"tls: invalid signature by the client certificate: x509: ECDSA verification failure", "client-cert-unproven"}, {"x509: certificate specifies an incompatible key usage", "client-cert-wrong-usage"},
		{"The certificate chain is revoked.", "cert-revoked"},

		// curl.
		{"curl: (35) error:0A000410:SSL routines::sslv3 alert handshake failure", "cipher-no-overlap"}, {"curl: (60) SSL certificate problem: unable to get local issuer certificate", "chain-missing-intermediate"},
		{"curl: (51) SSL: no alternative certificate subject name matches target host name", "cert-name-mismatch"}, {"curl: (56) OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required", "client-cert-missing"},
		{"curl: (58) could not load PEM client certificate", "client-cert-missing"}, {"curl (35)", "cipher-no-overlap"}, {"curl 60", "chain-missing-intermediate"}, {"35", "cipher-no-overlap"}, {"56", "client-cert-missing"},

		// Windows.
		{"0x80090326", "cipher-no-overlap"}, {"SEC_E_ILLEGAL_MESSAGE", "cipher-no-overlap"}, {"A fatal alert was received from the remote endpoint. The TLS protocol defined fatal alert code is 40.", "cipher-no-overlap"},
		{"Schannel event 36874", "cipher-no-overlap"}, {"event id 36887", "server-cert-rejected-by-client"}, {"event id 36888", "server-alert"},

		// Others.
		{"gnutls_handshake() failed: A TLS fatal alert has been received.", "cipher-no-overlap"}, {"*** Fatal error: The TLS connection was non-properly terminated.", "client-aborted"},
		{"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1129)", "cert-expired"}, {"[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure (_ssl.c:1006)", "cipher-no-overlap"},
		{"ERR_TLS_CERT_ALTNAME_INVALID", "cert-name-mismatch"}, {"UNABLE_TO_VERIFY_LEAF_SIGNATURE", "chain-missing-intermediate"}, {"DEPTH_ZERO_SELF_SIGNED_CERT", "cert-self-signed"}, {"CERT_HAS_EXPIRED", "cert-expired"}, {"EPROTO", "backend-not-tls"},

		// Proxies and their logs.
		{"2026/11/20 12:00:00 [crit] 7#7: *1 SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking, client: 192.0.2.9", "cipher-no-overlap"},
		{"SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name) while SSL handshaking to upstream", "sni-required-by-backend"},
		{"upstream SSL certificate verify error: (20:unable to get local issuer certificate)", "chain-missing-intermediate"}, {"The plain HTTP request was sent to HTTPS port", "not-tls-http"}, {"400 The plain HTTP request was sent to HTTPS port", "not-tls-http"},
		{"192.0.2.9:51234 [20/Nov/2026:12:00:00.000] fe/1: SSL handshake failure", "cipher-no-overlap"}, {"SC--", "backend-refused"}, {"fe be/srv 0/0/-1/-1/3 503 217 - - SC-- 1/1/0/0/3 0/0", "backend-refused"}, {"Layer6 invalid response", "backend-not-tls"},
		{"TLS error: 268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED", "chain-missing-intermediate"}, {"TLS error: 268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "backend-not-tls"},
		{"UF,URX", "backend-not-tls"}, {"upstream connect error or disconnect/reset before headers. reset reason: connection failure", "backend-refused"},

		// Status codes and the transport.
		{"HTTP 502", "backend-refused"}, {"502 Bad Gateway", "backend-refused"}, {"503", "backend-refused"}, {"504 Gateway Time-out", "backend-timeout"}, {"525", "backend-version-no-overlap"}, {"526", "chain-missing-intermediate"},
		{"495", "client-cert-untrusted"}, {"496", "client-cert-missing"}, {"400 No required SSL certificate was sent", "client-cert-missing"}, {"connection reset during the handshake", "backend-reset"},
		{"read tcp 192.0.2.1:443: read: connection reset by peer", "backend-reset"},
	} {
		got := Explain(tt.text)
		if !got[0].Known {
			t.Errorf("%q: not known", tt.text)
			continue
		}
		if !slices.Contains(got[0].Findings, tt.want) {
			t.Errorf("%q: matched %q (%s): findings %v lack %s", tt.text, got[0].Match, got[0].Source, got[0].Findings, tt.want)
		}
	}
}

func TestExplanationsAreWhole(t *testing.T) {
	check := func(e Explanation) {
		if e.Meaning == "" || e.Speaker == "" || len(e.Findings) == 0 || e.Look == "" || e.Command == "" {
			t.Errorf("%s %q: incomplete: %+v", e.Source, e.Match, e)
		}
		for _, id := range e.Findings {
			if _, ok := Lookup(id); !ok {
				t.Errorf("%s %q: no rule has the id %q", e.Source, e.Match, id)
			}
		}
	}
	for _, table := range symptomTables {
		for i := range table {
			for _, part := range table[i].any {
				if normalize(part) != part {
					t.Errorf("%s: %q is not normalized: %q", table[i].says, part, normalize(part))
				}
				check(table[i].explanation(part))
			}
		}
	}
	for _, a := range alertMeanings {
		check(alertCandidate(a.code, "x")[0].Explanation)
	}
	for _, r := range Rules() {
		e := Explain(r.ID)[0]
		if !e.Known || e.Findings[0] != r.ID {
			t.Errorf("Explain(%q) = %+v", r.ID, e)
		}
	}
}

func TestANumberMayBeAnAlertOrCurls(t *testing.T) {
	got := Explain("51")
	if len(got) != 2 || !strings.Contains(got[0].Source, "decrypt_error") || !strings.Contains(got[1].Source, "curl") {
		t.Errorf("%+v", got)
	}
}

func TestExplainSaysWhatItDoesNotKnow(t *testing.T) {
	got := Explain("the chain of my bicycle is unrelated")
	if len(got) != 1 || got[0].Known || !strings.Contains(got[0].Meaning, "not known") {
		t.Errorf("got %+v", got)
	}
	if !slices.Contains(got[0].Findings, "chain-unrelated-certificate") {
		t.Errorf("nearest ids %v", got[0].Findings)
	}
	if e := Explain(""); len(e) != 1 || e[0].Known {
		t.Errorf("empty text: %+v", e)
	}
}
