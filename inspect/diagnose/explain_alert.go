package diagnose

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/tlstriage/tlstriage/inspect/wire"
)

// alertMeaning is what an alert says, and which findings stand behind it when the client or the server sends it.
type alertMeaning struct {
	code       uint8
	means      string
	fromServer []string
	fromClient []string
	alias      []string // normalized words of other libraries
}

// alertMeanings are the alerts that end handshakes. It is never changed.
var alertMeanings = [...]alertMeaning{
	{code: 0, means: "An orderly goodbye. During a handshake it means that the peer gave up without saying why.", fromServer: []string{"backend-closed"}, fromClient: []string{"client-aborted"}},
	{code: 10, means: "A message came that does not belong there: a broken implementation, or plain text.", fromServer: []string{"server-alert", "backend-alert"}, fromClient: []string{"client-alert"}},
	{code: 20, means: "A record could not be authenticated: it was changed on the way, or keys differ (a wrong pre-shared key, a middlebox).", fromServer: []string{"server-alert", "backend-alert"}, fromClient: []string{"client-alert"}, alias: []string{"bad mac", "incorrect message authentication code"}},
	{code: 21, means: "A record could not be decrypted (before TLS 1.1).", fromServer: []string{"server-alert"}, fromClient: []string{"client-alert"}},
	{code: 22, means: "A record was longer than allowed: very often plain text read as TLS.", fromServer: []string{"backend-not-tls", "client-hello-malformed"}, fromClient: []string{"backend-not-tls", "client-alert"}},
	{code: 30, means: "A record could not be decompressed.", fromServer: []string{"server-alert"}, fromClient: []string{"client-alert"}},
	{code: 40, means: "No acceptable set of parameters: the alert for everything that has no alert of its own. From a server: no suite, group or signature in common, a version that is too old, a missing server name, or a missing client certificate.",
		fromServer: []string{"cipher-no-overlap", "policy-rejects-cipher", "version-no-overlap", "policy-rejects-version", "sni-missing", "client-cert-missing", "signature-no-overlap", "group-no-overlap", "backend-cipher-no-overlap", "backend-requires-client-cert", "sni-required-by-backend", "proxy-cannot-serve", "backend-alert", "server-alert"}, fromClient: []string{"client-alert"},
		alias: []string{"remote error: tls: handshake failure"}},
	{code: 41, means: "No certificate (SSLv3).", fromServer: []string{"client-cert-missing"}, fromClient: []string{"client-cert-missing"}, alias: []string{"alert no certificate"}},
	{code: 42, means: "The receiver of a certificate found it corrupt, or it did not verify, or (servers) none came where one is required.", fromServer: clientCert, fromClient: []string{"server-cert-rejected-by-client", "cert-malformed", "cert-name-mismatch"}, alias: []string{"certificate is bad"}},
	{code: 43, means: "The certificate is of a type or for a use that the peer does not accept.", fromServer: []string{"client-cert-wrong-usage", "client-cert-unsupported", "client-cert-untrusted", "backend-rejects-client-cert"}, fromClient: []string{"server-cert-rejected-by-client", "cert-wrong-usage"}, alias: []string{"the certificate is not supported"}},
	{code: 44, means: "The certificate is revoked.", fromServer: []string{"client-cert-revoked", "backend-rejects-client-cert"}, fromClient: []string{"server-cert-rejected-by-client", "cert-revoked"}, alias: []string{"revoked certificate", "certificate was revoked"}},
	{code: 45, means: "The certificate is expired or not valid yet, by the sender's clock.", fromServer: []string{"client-cert-expired", "backend-rejects-client-cert"}, fromClient: []string{"server-cert-rejected-by-client", "cert-expired", "cert-not-yet-valid"}, alias: []string{"expired certificate", "alert certificate has expired"}},
	{code: 46, means: "Something else about the certificate: the sender does not accept it, for a reason that it does not tell (Java and Chrome send this for nearly everything).", fromServer: []string{"client-cert-untrusted", "backend-rejects-client-cert"}, fromClient: []string{"server-cert-rejected-by-client", "chain-missing-intermediate", "cert-name-mismatch"}, alias: []string{"tls: unknown certificate", "alert: unknown certificate"}},
	{code: 47, means: "A field of the handshake has a value that is not allowed or contradicts another: an old server that trips over a new extension, or a broken client.", fromServer: []string{"client-hello-malformed", "backend-alert"}, fromClient: []string{"client-alert", "backend-protocol-error"}},
	{code: 48, means: "The chain is whole, but its authority is not one that the sender trusts. From a client behind this proxy: it does not know the proxy's local authority.", fromServer: []string{"client-cert-untrusted", "backend-rejects-client-cert"}, fromClient: []string{"server-cert-rejected-by-client", "chain-missing-intermediate", "chain-untrusted-root", "cert-self-signed"}, alias: []string{"unknown certificate authority", "ca is unknown"}},
	{code: 49, means: "The certificate is valid, and the sender does not want this client all the same.", fromServer: []string{"client-cert-untrusted", "backend-rejects-client-cert"}, fromClient: []string{"client-alert"}},
	{code: 50, means: "A message did not parse.", fromServer: []string{"client-hello-malformed", "backend-alert"}, fromClient: []string{"client-alert", "backend-protocol-error"}, alias: []string{"error decoding message"}},
	{code: 51, means: "A signature or a Finished message did not verify: the handshake was changed on the way, or key and certificate do not belong together.", fromServer: []string{"server-alert", "client-cert-unproven", "backend-rejects-client-cert"}, fromClient: []string{"client-alert"}, alias: []string{"error decrypting message"}},
	{code: 60, means: "Export ciphers were asked for (obsolete).", fromServer: []string{"cipher-no-overlap"}, fromClient: []string{"client-alert"}, alias: []string{"export restriction"}},
	{code: 70, means: "The sender does not support the version: nothing in common.", fromServer: []string{"version-no-overlap", "policy-rejects-version", "backend-version-no-overlap", "client-legacy-version"}, fromClient: []string{"client-alert", "backend-version-no-overlap"}, alias: []string{"protocol version not supported", "error in protocol version"}},
	{code: 71, means: "The suites in common are too weak for the sender.", fromServer: []string{"cipher-no-overlap", "policy-rejects-cipher", "backend-cipher-no-overlap", "client-weak-ciphers"}, fromClient: []string{"client-alert", "cert-weak-key"}, alias: []string{"insufficient security level"}},
	{code: 80, means: "The sender's own trouble: out of memory, no certificate loaded, a bug. Its log says more.", fromServer: []string{"server-alert", "backend-alert"}, fromClient: []string{"client-alert"}},
	{code: 86, means: "The client retried with an older version, and the server knows a newer one: look at why the first attempt failed.", fromServer: []string{"version-no-overlap", "client-hello-fragmented", "backend-alert"}, fromClient: nil},
	{code: 90, means: "The user or program cancelled the handshake.", fromServer: []string{"backend-closed"}, fromClient: []string{"client-aborted"}, alias: []string{"user cancelled"}},
	{code: 100, means: "The peer does not want to renegotiate.", fromServer: []string{"server-alert"}, fromClient: []string{"client-alert"}, alias: []string{"no renegotiation"}},
	{code: 109, means: "An extension that is needed did not come: most often no server name, or in TLS 1.3 no groups or signature algorithms.", fromServer: []string{"sni-missing", "sni-required-by-backend", "backend-alert", "client-hello-malformed"}, fromClient: []string{"client-alert"}},
	{code: 110, means: "An extension came that was not asked for.", fromServer: []string{"backend-alert"}, fromClient: []string{"client-alert", "backend-protocol-error"}},
	{code: 111, means: "The certificate could not be fetched from the URL that the client gave.", fromServer: []string{"server-alert"}, fromClient: nil},
	{code: 112, means: "The server does not serve the name that was asked for, or none was sent. Some servers only warn, and some clients give up on the warning.", fromServer: []string{"sni-unknown", "sni-missing", "sni-required-by-backend", "policy-rejects-sni"}, fromClient: nil, alias: []string{"the server name sent was not recognized"}},
	{code: 113, means: "The stapled OCSP response was not accepted.", fromServer: nil, fromClient: []string{"ocsp-staple-invalid", "ocsp-staple-missing", "client-alert"}},
	{code: 115, means: "The server knows no such pre-shared key.", fromServer: []string{"server-alert", "proxy-cannot-serve"}, fromClient: nil},
	{code: 116, means: "The server requires a client certificate and none came (TLS 1.3).", fromServer: []string{"client-cert-missing", "backend-requires-client-cert", "policy-rejects-client-cert", "client-cert-cannot-pass"}, fromClient: nil, alias: []string{"certificate is required"}},
	{code: 120, means: "No application protocol (ALPN) in common.", fromServer: []string{"alpn-no-overlap", "backend-alpn-mismatch", "policy-rejects-alpn"}, fromClient: nil, alias: []string{"no supported application protocol could be negotiated"}},
	{code: 121, means: "The server demands Encrypted ClientHello and none came that it can read.", fromServer: []string{"sni-unknown", "server-alert"}, fromClient: []string{"client-alert"}},
}

// alertNumber finds an alert given by its number.
var alertNumber = regexp.MustCompile(`\balert (?:number |code |description |\()?\(?([0-9]{1,3})\b|\bcode is:? ([0-9]{1,3})\b|\balert(?:description)?[(:=] ?([0-9]{1,3})\b`)

// explainAlert recognises alerts by number and by name in a normalized text.
func explainAlert(words string) []candidate {
	if n, err := strconv.ParseUint(words, 10, 8); err == nil {
		return alertCandidate(uint8(n), words)
	}
	var found []candidate
	if m := alertNumber.FindStringSubmatch(words); m != nil {
		if n, err := strconv.ParseUint(m[1]+m[2]+m[3], 10, 8); err == nil {
			for _, c := range alertCandidate(uint8(n), m[0]) {
				c.weight += 40
				found = append(found, c)
			}
		}
	}
	for i := range alertMeanings {
		a := &alertMeanings[i]
		name := normalize(wire.AlertDescription(a.code).String())
		for _, part := range append([]string{name}, a.alias...) {
			if part == "" || !holds(words, part) {
				continue
			}
			for _, c := range alertCandidate(a.code, part) {
				// A name that an alert's usual words surround, or that is all there is, is meant as one.
				if words == part || holds(words, "alert "+part) || strings.Contains(words, "alert: "+part) || strings.Contains(words, "tls: "+part) || strings.Contains(words, "tlsv1 "+part) {
					c.weight += 30
				}
				found = append(found, c)
			}
		}
	}
	return found
}

// alertCandidate explains one alert.
func alertCandidate(code uint8, part string) []candidate {
	for i := range alertMeanings {
		a := &alertMeanings[i]
		if a.code != code {
			continue
		}
		e := Explanation{
			Known: true, Match: part, Source: "TLS alert " + strconv.Itoa(int(code)) + " (" + wire.AlertDescription(code).String() + ")", Meaning: a.means,
			Speaker:  "the side that sends the alert, of its peer; whoever logs it as received got it from the other side",
			Findings: a.fromServer, Look: "which side sent it: the record's alerts have \"from\"", Command: runProxy, Citation: "RFC 8446, Section 6",
		}
		for _, id := range a.fromClient {
			if !containsID(e.Findings, id) {
				e.Findings = append(e.Findings[:len(e.Findings):len(e.Findings)], id)
			}
		}
		return []candidate{{len(part), e}}
	}
	return nil
}

func containsID(l []string, id string) bool {
	for _, x := range l {
		if x == id {
			return true
		}
	}
	return false
}
