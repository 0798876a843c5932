package diagnose

import (
	"slices"
	"strings"

	"github.com/tlstriage/tlstriage/inspect"
	"github.com/tlstriage/tlstriage/inspect/policy"
)

var ruleCipherNoOverlap = Rule{
	ID: "cipher-no-overlap", Severity: inspect.SeverityError, Leg: inspect.LegClient, Fault: inspect.FaultClient,
	when:     clientLegDown,
	Title:    "Client and server have no cipher suite in common",
	Citation: "RFC 5246, Section 7.4.1.3; RFC 8446, Section 4.1.1",
	Explanation: "The versions agree, but no suite is left: the server answers handshake_failure (alert 40) or insufficient_security (71). Besides suites that one side has turned off, a suite falls away when the " +
		"server's certificate is of the other kind (an ECDSA suite needs an ECDSA certificate), or when the two have no group in common for ECDHE. Check: `openssl s_client -cipher NAME -connect HOST:PORT`.",
	check: func(e *evidence) *match {
		if e.refusal != policy.DimensionCipher {
			return nil
		}
		m := e.noOverlap(policy.DimensionCipher, "suite")
		if kind := lackingCertificate(m.offered, m.accepted); kind != "" {
			m.fault = inspect.FaultProxy
			if e.foreign() {
				m.fault = inspect.FaultBackend
			}
			m.detail = "the suites in common need " + kind + " certificate, and the server has none for this client: " + enumerate(common(m.offered, m.accepted))
			m.accepted = without(m.accepted, m.offered)
			m.fixes = []inspect.Fix{
				fix(forSelf, "serve "+kind+" certificate beside the other", "certificates: [{cert: RSA.pem, key: RSA.key}, {cert: ECDSA.pem, key: ECDSA.key}]"),
				fix(forNginx, "serve both kinds of certificate: the directives may stand twice", "ssl_certificate RSA.pem;\nssl_certificate_key RSA.key;\nssl_certificate ECDSA.pem;\nssl_certificate_key ECDSA.key;"),
				fix(forHAProxy, "serve both kinds of certificate", "bind :443 ssl crt site.pem  # beside it site.pem.rsa and site.pem.ecdsa"),
				fix(forALB, "add a certificate of the other kind to the listener", "aws elbv2 add-listener-certificates --listener-arn LISTENER_ARN --certificates CertificateArn=ARN"),
			}
			return m
		}
		m.fixes = e.named(append(modernCiphers(m.offered), acceptCiphers(m.offered)...))
		if !e.foreign() {
			m.fixes = append([]inspect.Fix{fix(forSelf, "serve these suites: name the policy of an endpoint that accepts them, or hand such clients on untouched", "tlstriage proxy --policy NAME … / --fallback passthrough")}, m.fixes...)
		}
		return m
	},
}

// lackingCertificate names the kind of certificate without which the suites that both sides have cannot be used; empty when
// they have none in common, or need no certain kind.
func lackingCertificate(offered, accepted []string) string {
	kind := ""
	for _, s := range common(offered, accepted) {
		k := "an RSA"
		switch {
		case strings.Contains(s, "_ECDSA_"):
			k = "an ECDSA"
		case !strings.Contains(s, "_WITH_"):
			return "" // suites of TLS 1.3 say nothing about certificates
		}
		if kind != "" && kind != k {
			return ""
		}
		kind = k
	}
	return kind
}

func common(a, b []string) []string {
	var both []string
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, x)
		}
	}
	return both
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return slices.Contains(b, x) })
}

// modernCiphers is what to tell a client that offers none of today's suites; nothing, to one that does.
func modernCiphers(offered []string) []inspect.Fix {
	if !outdated(policy.DimensionCipher, offered) {
		return nil
	}
	return []inspect.Fix{fix(forClient, "let it offer suites with forward secrecy and authenticated encryption", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384")}
}
